import { deepEqual } from "../deep-equal.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { JSONSchemaProps } from "../types.ts";

/**
 * A value beside the value that it takes the place of, as far as the schema lets the two be matched (KEP-4008, apiserver
 * `cel/common/equality.go`). Children are found by field, by key, and in lists of type `map` by their keys; items of other lists have none.
 */
export class Correlation {
  readonly value: unknown;
  readonly old: unknown;
  readonly #schema: JSONSchemaProps;
  readonly #children = new Map<string | number, Correlation | undefined>();
  #unchanged: boolean | undefined;

  constructor(value: unknown, old: unknown, schema: JSONSchemaProps) {
    this.value = value;
    this.old = old;
    this.#schema = schema;
  }

  /** Whether the value is what it was. */
  get unchanged(): boolean {
    this.#unchanged ??= this.value !== undefined && this.old !== undefined && deepEqual(this.value, this.old);
    return this.#unchanged;
  }

  key(name: string): Correlation | undefined {
    return this.#child(name, () => {
      const { value, old } = this;
      if (!isJsonObject(value) || !isJsonObject(old) || !Object.hasOwn(value, name) || !Object.hasOwn(old, name)) return undefined;
      const { properties = {}, additionalProperties } = this.#schema;
      const schema = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
      return typeof schema === "object" ? new Correlation(value[name], old[name], schema) : undefined;
    });
  }

  index(position: number): Correlation | undefined {
    return this.#child(position, () => {
      const { items } = this.#schema;
      if (!Array.isArray(this.value) || items === undefined || Array.isArray(items)) return undefined;
      const item: unknown = this.value[position];
      const old = matchingItem(this.#schema, this.old, item);
      return old === undefined ? undefined : new Correlation(item, old, items);
    });
  }

  #child(key: string | number, make: () => Correlation | undefined): Correlation | undefined {
    if (!this.#children.has(key)) this.#children.set(key, make());
    return this.#children.get(key);
  }
}

/** The element of the old list that has the same keys; only lists of type `map` have such. */
export function matchingItem(schema: JSONSchemaProps, oldList: unknown, item: unknown): unknown {
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(oldList) || !isJsonObject(item)) return undefined;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return oldList.find((old) => isJsonObject(old) && keys.every((key) => deepEqual(old[key], item[key])));
}
