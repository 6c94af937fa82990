/**
 * What a value may be, compiled from an OpenAPI v3 schema. One node per component, so that recursion in the schemas is a cycle of nodes.
 * `any` takes whatever comes (a `runtime.RawExtension`, the JSON inside a CustomResourceDefinition's schema).
 */
export type Shape =
  | "object"
  | "map"
  | "list"
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "time"
  | "microTime"
  | "quantity"
  | "intOrString"
  | "bytes"
  | "any";

export interface SchemaNode {
  readonly shape: Shape;
  /** The Go type as its decoder names it, e.g. `v1.PodSpec`, `[]v1.Container`, `int32`. */
  readonly goType: string;
  /** The component's name in the OpenAPI document, e.g. `io.k8s.api.core.v1.PodSpec`; empty for what has none. */
  readonly component: string;
  /** Fields of an `object`; compiled at the first call, empty for every other shape. */
  readonly fields: () => ReadonlyMap<string, FieldNode>;
  /** Those of `fields` that an encoded object always carries (`zero` is `printed`). */
  readonly printed: () => readonly FieldNode[];
  /** What a list or a map holds; undefined for other shapes. */
  readonly element: SchemaNode | undefined;
  /** Inclusive bounds of an `integer`. */
  readonly minimum: number;
  readonly maximum: number;
  /** Unknown fields of this object are kept (`x-kubernetes-preserve-unknown-fields`). */
  readonly preservesUnknown: boolean;
  /** The object is a whole Kubernetes object with apiVersion, kind and metadata (`x-kubernetes-embedded-resource`). */
  readonly embedded: boolean;
  /** Null is a value of its own (`nullable`), not an absence. */
  readonly nullable: boolean;
  /** How a list is merged and owned; undefined means atomic. */
  readonly listType: "atomic" | "set" | "map" | undefined;
  /** The fields that identify an element of a list of type `map`. */
  readonly listMapKeys: readonly string[];
  /** A map or object that is replaced and owned whole. */
  readonly atomicMap: boolean;
}

/**
 * How a zero value is encoded. `kept`: the field is a pointer, any value stays and only null vanishes. `omitted`: zero values vanish.
 * `printed`: the field is always there, as its zero value when nothing is set.
 */
export type ZeroValue = "kept" | "omitted" | "printed";

export interface FieldNode {
  readonly name: string;
  readonly node: SchemaNode;
  readonly zero: ZeroValue;
  /** The published default; undefined when there is none, or when it only restates the zero value. */
  readonly default: unknown;
  /** The published default as it stands, also where it only restates the zero value. */
  readonly published: unknown;
  readonly patchStrategies: readonly string[];
  readonly patchMergeKey: string | undefined;
}

/** A JSON object whose fields are not known yet. */
export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
