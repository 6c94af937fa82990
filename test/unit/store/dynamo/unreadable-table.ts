import { type ItemKey, type Table, TableError } from "../../../../shared/store/dynamo/table.ts";

/** A table of which these items cannot be read. */
export const unreadable = (table: Table, isLost: (key: ItemKey) => boolean): Table =>
  new Proxy(table, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "get" && name !== "getMany") return typeof value === "function" ? value.bind(target) : value;
      return async (keys: ItemKey | readonly ItemKey[], ...more: unknown[]) => {
        if ([keys].flat().some(isLost)) throw new TableError("Refused", "broken");
        return Reflect.apply(value, target, [keys, ...more]);
      };
    },
  });
