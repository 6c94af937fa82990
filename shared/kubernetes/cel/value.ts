import type { CelType } from "./type.ts";

/** A value during evaluation. `number` is CEL's double, `bigint` its int; what failed is a value too, so that `||` and `&&` can absorb it. */
export type CelValue =
  | boolean
  | bigint
  | number
  | string
  | null
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | ListValue
  | MapValue
  | ObjectValue
  | OptionalValue
  | OpaqueValue
  | TypeValue
  | Failure;

export class Failure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class TypeValue {
  readonly type: CelType;
  constructor(type: CelType) {
    this.type = type;
  }
}

export class OptionalValue {
  readonly value: CelValue | undefined;
  constructor(value?: CelValue) {
    this.value = value;
  }
}

export const none = new OptionalValue();

/** A value of a library: an address, a quantity, an authorizer. */
export class OpaqueValue<T = unknown> {
  readonly type: CelType;
  readonly content: T;
  /** Equality, and what `size` costs of it are counted by. */
  readonly key: string;
  constructor(type: CelType, content: T, key: string) {
    this.type = type;
    this.content = content;
    this.key = key;
  }
}

export abstract class ListValue {
  abstract readonly size: number;
  abstract at(index: number): CelValue;
  /** Sets and lists that are keyed compare and add up by their own rules. */
  readonly type: CelType | undefined = undefined;

  *[Symbol.iterator](): IterableIterator<CelValue> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }
}

/** A list of values at hand. Adding to the end of the longest list over the same array is cheap, as with Go's slices. */
export class ArrayList extends ListValue {
  readonly #items: CelValue[];
  readonly size: number;

  constructor(items: CelValue[], size = items.length) {
    super();
    this.#items = items;
    this.size = size;
  }

  at(index: number): CelValue {
    return this.#items[index] ?? (index < this.size ? null : new Failure(`index out of bounds: ${index}`));
  }

  concat(other: ListValue): ArrayList {
    const items = this.#items.length === this.size ? this.#items : this.#items.slice(0, this.size);
    for (const item of other) items.push(item);
    return new ArrayList(items, this.size + other.size);
  }
}

export abstract class MapValue {
  abstract readonly size: number;
  /** Undefined when there is no such key. */
  abstract get(key: CelValue): CelValue | undefined;
  abstract keys(): CelValue[];
}

export class EntryMap extends MapValue {
  readonly #entries = new Map<string, readonly [CelValue, CelValue]>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: CelValue): CelValue | undefined {
    return this.#entries.get(keyOf(key))?.[1];
  }

  keys(): CelValue[] {
    return [...this.#entries.values()].map(([key]) => key);
  }

  /** False when the key is there already. */
  insert(key: CelValue, value: CelValue): boolean {
    const text = keyOf(key);
    if (this.#entries.has(text)) return false;
    this.#entries.set(text, [key, value]);
    return true;
  }
}

/** An object of known fields: what a schema describes, or what is computed when it is asked for. */
export abstract class ObjectValue {
  abstract readonly type: CelType;
  /** By the name that expressions use; undefined when the field is not set. */
  abstract field(name: string): CelValue | undefined;

  /** Those that may be set. */
  fieldNames(): Iterable<string> {
    return this.type.fields?.keys() ?? [];
  }
}

export class ComputedObject extends ObjectValue {
  readonly type: CelType;
  readonly #compute: (name: string) => CelValue | undefined;
  readonly #known = new Map<string, CelValue | undefined>();

  constructor(type: CelType, compute: (name: string) => CelValue | undefined) {
    super();
    this.type = type;
    this.#compute = compute;
  }

  field(name: string): CelValue | undefined {
    if (!this.#known.has(name)) this.#known.set(name, this.#compute(name));
    return this.#known.get(name);
  }
}

/** What a struct literal makes: fields that it does not set are not there. */
export class StructValue extends ObjectValue {
  readonly type: CelType;
  readonly fields: ReadonlyMap<string, CelValue>;

  constructor(type: CelType, fields: ReadonlyMap<string, CelValue>) {
    super();
    this.type = type;
    this.fields = fields;
  }

  field(name: string): CelValue | undefined {
    return this.fields.get(name);
  }

  override fieldNames(): Iterable<string> {
    return this.fields.keys();
  }
}

/** Numbers that are equal are one key, whatever their type. */
function keyOf(key: CelValue): string {
  if (typeof key === "string") return `s${key}`;
  if (typeof key === "boolean") return `b${key}`;
  if (key instanceof Uint) return `n${key.value}`;
  return `n${key}`;
}

export const isMapKey = (value: CelValue): boolean =>
  typeof value === "string" || typeof value === "boolean" || typeof value === "bigint" || value instanceof Uint;
