import { parseDurationText, parseTimestampText } from "./library/time-text.ts";
import { type CelType, dynType } from "./type.ts";
import { type CelValue, Failure, ListValue, MapValue, ObjectValue } from "./value.ts";

/** JSON as CEL sees it. Nothing is copied: parts are wrapped as they are asked for. */
export function fromJson(json: unknown, type: CelType = dynType): CelValue {
  if (json === null || json === undefined) return null;
  switch (typeof json) {
    case "string":
      return type.kind === "string" || type.kind === "dyn" ? json : fromText(json, type);
    case "boolean":
      return json;
    case "number":
      // JSON has one kind of number: a whole one is an int wherever nothing says that it is a double.
      return type.kind === "double" || !Number.isInteger(json) ? json : BigInt(json);
    default:
      if (Array.isArray(json)) return new JsonList(json, type);
      return type.kind === "object" ? new JsonObjectValue(json, type) : new JsonMap(json, type.parameters[1] ?? dynType);
  }
}

function fromText(text: string, type: CelType): CelValue {
  switch (type.kind) {
    case "timestamp":
      return (
        parseTimestampText(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text) ??
        new Failure(`Invalid date-time formatted string ${text}`)
      );
    case "duration":
      return parseDurationText(text) ?? new Failure(`Invalid duration ${text}`);
    case "bytes":
      return Uint8Array.from(Buffer.from(text, "base64"));
    default:
      return text;
  }
}

class JsonList extends ListValue {
  readonly size: number;
  override readonly type: CelType;
  readonly #items: readonly unknown[];

  constructor(items: readonly unknown[], type: CelType) {
    super();
    this.#items = items;
    this.size = items.length;
    this.type = type;
  }

  at(index: number): CelValue {
    return fromJson(this.#items[index], this.type.parameters[0]);
  }
}

class JsonMap extends MapValue {
  readonly #entries: Readonly<Record<string, unknown>>;
  readonly #type: CelType;

  constructor(entries: object, type: CelType) {
    super();
    this.#entries = entries as Readonly<Record<string, unknown>>;
    this.#type = type;
  }

  get size(): number {
    return Object.keys(this.#entries).length;
  }

  get(key: CelValue): CelValue | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.#entries, key)) return undefined;
    return fromJson(this.#entries[key], this.#type);
  }

  keys(): CelValue[] {
    return Object.keys(this.#entries);
  }
}

class JsonObjectValue extends ObjectValue {
  readonly type: CelType;
  readonly #json: Readonly<Record<string, unknown>>;

  constructor(json: object, type: CelType) {
    super();
    this.#json = json as Readonly<Record<string, unknown>>;
    this.type = type;
  }

  field(name: string): CelValue | undefined {
    const field = this.type.fields?.get(name) ?? this.type.fields?.get(`__${name}__`);
    if (field === undefined || !Object.hasOwn(this.#json, field.property)) return undefined;
    const value = this.#json[field.property];
    return value === undefined ? undefined : fromJson(value, field.type);
  }
}
