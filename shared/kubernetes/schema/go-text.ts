import { isJsonObject } from "./schema-node.ts";

const shortEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};
const needsEscape = /["\\\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/u;

/** A string as Go's `strconv.Quote` (and `%q`) prints it. */
export function goQuote(text: string): string {
  if (!needsEscape.test(text)) return `"${text}"`;
  let quoted = '"';
  for (const character of text) quoted += needsEscape.test(character) ? escaped(character) : character;
  return `${quoted}"`;
}

function escaped(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** A map as `%#v` prints it; `%#v` sorts the keys. An absent map is `map[string]string(nil)`. */
export function goStringMap(map: Readonly<Record<string, unknown>> | undefined | null): string {
  if (map === undefined || map === null) return "map[string]string(nil)";
  const entries = Object.keys(map).sort();
  return `map[string]string{${entries.map((key) => `${goQuote(key)}:${goQuote(String(map[key]))}`).join(", ")}}`;
}

/** A list of strings as `%#v` prints it. */
export function goStringList(list: readonly string[] | undefined | null): string {
  return list === undefined || list === null ? "[]string(nil)" : `[]string{${list.map(goQuote).join(", ")}}`;
}

/** An `intstr.IntOrString` as `%#v` prints it. */
export function goIntOrString(value: number | string | undefined | null): string {
  const type = typeof value === "string" ? 1 : 0;
  return `intstr.IntOrString{Type:${type}, IntVal:${typeof value === "number" ? value : 0}, StrVal:${goQuote(typeof value === "string" ? value : "")}}`;
}

/** A `resource.Quantity` as `%#v` prints it; one without a fraction of a binary unit, within 64 bits. */
export function goQuantity(text: string): string {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(.*)$/.exec(text);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match ?? [];
  const binary = suffix.endsWith("i") ? "KMGTPE".indexOf(suffix.charAt(0)) + 1 : 0;
  const exponent = /^[eE]/.test(suffix) && suffix.length > 1 ? Number(suffix.slice(1)) : (decimalExponents[suffix] ?? 0);
  const format = binary > 0 ? "BinarySI" : /^[eE]/.test(suffix) && suffix.length > 1 ? "DecimalExponent" : "DecimalSI";
  const magnitude = BigInt(`${whole}${fraction}` || "0") * 1024n ** BigInt(binary);
  const value = sign === "-" ? -magnitude : magnitude;
  return `resource.Quantity{i:resource.int64Amount{value:${value}, scale:${exponent - fraction.length}}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:${goQuote(text)}, Format:"${format}"}`;
}

const decimalExponents: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** A `core.ResourceList` as `%#v` prints it. */
export function goResourceList(list: Readonly<Record<string, string>> | undefined): string {
  if (list === undefined) return "core.ResourceList(nil)";
  const entries = Object.keys(list).sort();
  return `core.ResourceList{${entries.map((name) => `${goQuote(name)}:${goQuantity(list[name] ?? "0")}`).join(", ")}}`;
}

interface SelectorShape {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

/** A `v1.LabelSelector` as `%#v` prints it; an absent pointer to one is `"null"`. */
export function goLabelSelector(selector: SelectorShape | undefined | null): string {
  if (selector === undefined || selector === null) return '"null"';
  const expressions = selector.matchExpressions?.map(
    ({ key, operator, values }) =>
      `v1.LabelSelectorRequirement{Key:${goQuote(key)}, Operator:${goQuote(operator)}, Values:${goStringList(values)}}`,
  );
  const listed =
    expressions === undefined ? "[]v1.LabelSelectorRequirement(nil)" : `[]v1.LabelSelectorRequirement{${expressions.join(", ")}}`;
  return `v1.LabelSelector{MatchLabels:${goStringMap(selector.matchLabels)}, MatchExpressions:${listed}}`;
}

/** A JSON value by Go's `%#v`. */
export function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return "interface {}(nil)";
  if (typeof value === "string") return goQuote(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  const entries = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[string]interface {}{${entries.map(([key, inner]) => `${goQuote(key)}:${goSyntax(inner)}`).join(", ")}}`;
}

/** A value as Go's `%v` prints it. */
export function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (!isJsonObject(value)) return value === null || value === undefined ? "<nil>" : String(value);
  const entries = Object.keys(value).sort();
  return `map[${entries.map((name) => `${name}:${goText(value[name])}`).join(" ")}]`;
}

/** What `encoding/json` calls the kind of a JSON value that it cannot put where it should go. */
export function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

/** The Go type of a decoded JSON value, as `%T` prints it. */
export function goTypeOf(value: unknown): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "map[string]interface {}" : "string";
}
