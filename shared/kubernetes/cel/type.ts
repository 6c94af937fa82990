/** A type of the Common Expression Language (cel-spec `doc/langdef.md`), and of what Kubernetes adds to it. */
export interface CelType {
  readonly kind: CelKind;
  readonly name: string;
  /** Of a list its element, of a map key and value, of an opaque type whatever it is over, of `type` the type meant. */
  readonly parameters: readonly CelType[];
  /** Of an object: its fields by the name that expressions use (`escapeName`). Absent: it may have any. */
  readonly fields?: ReadonlyMap<string, CelField>;
  /** At most that many elements, entries or bytes, for cost estimates. */
  readonly maxElements?: number;
  /** Size of the smallest JSON of the type. */
  readonly minSizeBytes?: number;
  /** How lists of the type compare and add up (`x-kubernetes-list-type`); nothing for an ordered list. */
  readonly listType?: "set" | "map";
  readonly listMapKeys?: readonly string[];
}

export interface CelField {
  /** The name in JSON. */
  readonly property: string;
  readonly type: CelType;
}

export type CelKind =
  | "dyn"
  | "error"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "null_type"
  | "timestamp"
  | "duration"
  | "list"
  | "map"
  | "object"
  | "opaque"
  | "type"
  | "param";

const simple = <K extends CelKind>(kind: K, name: string = kind): CelType => ({ kind, name, parameters: [] });

export const dynType = simple("dyn");
export const errorType = simple("error", "!error!");
export const boolType = simple("bool");
export const intType = simple("int");
export const uintType = simple("uint");
export const doubleType = simple("double");
export const stringType = simple("string");
export const bytesType = simple("bytes");
export const nullType = simple("null_type");
export const timestampType = simple("timestamp", "google.protobuf.Timestamp");
export const durationType = simple("duration", "google.protobuf.Duration");

export const listOf = (element: CelType): CelType => ({ kind: "list", name: "list", parameters: [element] });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: "map", name: "map", parameters: [key, value] });
export const optionalOf = (type: CelType): CelType => opaqueType("optional_type", type);
export const typeOfType = (type: CelType): CelType => ({ kind: "type", name: "type", parameters: [type] });
export const opaqueType = (name: string, ...parameters: CelType[]): CelType => ({ kind: "opaque", name, parameters });
export const typeParameter = (name: string): CelType => ({ kind: "param", name, parameters: [] });

export function objectType(name: string, fields: Iterable<readonly [string, CelType]>): CelType {
  const entries = [...fields].map(([field, type]) => [field, { property: field, type }] as const);
  return { kind: "object", name, parameters: [], fields: new Map(entries) };
}

export const isOptionalType = (type: CelType): boolean => type.kind === "opaque" && type.name === "optional_type";
export const isDynType = (type: CelType): boolean => type.kind === "dyn" || type.kind === "error";

/** The type as cel-go's `Type.String` prints it. */
export function typeText({ name, parameters }: CelType): string {
  return parameters.length === 0 ? name : `${name}(${parameters.map(typeText).join(", ")})`;
}

/** The type as cel-go's checker prints it in errors (`checker/format.go`). */
export function formatType(type: CelType): string {
  if (type.kind === "null_type") return "null";
  if (type.kind === "timestamp" || type.kind === "duration") return type.kind;
  if (type.parameters.length === 0) return type.name;
  return `${type.name}(${type.parameters.map(formatType).join(", ")})`;
}

export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name || a.parameters.length !== b.parameters.length) return false;
  return a.parameters.every((parameter, index) => sameType(parameter, b.parameters[index] ?? errorType));
}

const named = new Map(
  [dynType, boolType, intType, uintType, doubleType, stringType, bytesType, nullType, timestampType, durationType].map((type) => [
    type.kind as string,
    type,
  ]),
);

/** Reads `list(A)`, `map(string, dyn)`, `optional_type(A)`, `type(A)`, `net.IP`: one capital letter is a type parameter. */
export function parseType(text: string): CelType {
  const open = text.indexOf("(");
  if (open < 0) return named.get(text) ?? (/^[A-Z]$/.test(text) ? typeParameter(text) : opaqueType(text));
  const name = text.slice(0, open);
  const parameters = splitTypes(text.slice(open + 1, -1)).map(parseType);
  if (name === "list" || name === "map" || name === "type") return { kind: name, name, parameters };
  return opaqueType(name, ...parameters);
}

/** Splits at the commas that are not within parentheses. */
export function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "," && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  const last = text.slice(start).trim();
  if (last !== "") parts.push(last);
  return parts;
}
