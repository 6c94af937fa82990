/**
 * What ownership of fields must know of a value's schema (the OpenAPI extensions `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`).
 * Where nothing is known of a value, which is `undefined` in place of a FieldSchema, maps are granular and lists atomic.
 *
 * Implementations answer the same object for the same schema: a recursive schema is a cycle.
 */
export interface FieldSchema {
  /**
   * How it is owned. `struct` and `map` field by field; `list` element by element, told apart by `keys`; `set` value by value;
   * `atomic` as a whole, whatever it holds; `scalar` is everything else. `deduced`: declared without a type, so like an unknown value.
   */
  readonly type: "struct" | "map" | "list" | "set" | "atomic" | "scalar" | "deduced";
  /** The schema of a field of a `struct` or an entry of a `map`; `undefined` when nothing is known of it. */
  property(name: string): FieldSchema | undefined;
  /** `f:` and the name; of a declared field the same string each time, which makes it cheap as a property's name. */
  elementOf(name: string): string;
  /** The schema of an element of a `list` or `set`. */
  readonly items: FieldSchema | undefined;
  /** Of a `list`: the fields whose values together tell its elements apart, ascending; empty otherwise. */
  readonly keys: readonly string[];
  /** The published default: of an absent key field of an element of a `list` it takes the value's place in the key. */
  readonly default: unknown;
}
