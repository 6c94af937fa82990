import { CostExceeded } from "../meter.ts";
import { type Overload, overload } from "../overload.ts";
import { ArrayList, type CelValue, Failure, ListValue } from "../value.ts";
import { formatText } from "./format-text.ts";

/** Longer texts than this no request can carry: an expression that makes one is ended. */
const maxTextLength = 16 * 1024 * 1024;
const goSpace =
  /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

const outOfRange = (index: bigint | number): Failure => new Failure(`index out of range: ${index}`);

function charAt(text: string, index: bigint): CelValue {
  const points = [...text];
  if (index < 0n || index > BigInt(points.length)) return outOfRange(index);
  return points[Number(index)] ?? "";
}

function indexOf(text: string, part: string, offset: bigint): CelValue {
  if (part === "") return offset;
  if (offset < 0n) return outOfRange(offset);
  const units = unitsBefore(text, offset);
  const found = units === undefined ? -1 : text.indexOf(part, units);
  return found < 0 ? -1n : BigInt([...text.slice(0, found)].length);
}

function lastIndexOf(text: string, part: string, offset: bigint | undefined): CelValue {
  if (part === "") return offset ?? BigInt([...text].length);
  if (offset !== undefined && offset < 0n) return outOfRange(offset);
  const units = offset === undefined ? text.length : unitsBefore(text, offset);
  const found = units === undefined ? -1 : text.lastIndexOf(part, units);
  return found < 0 ? -1n : BigInt([...text.slice(0, found)].length);
}

/** How many UTF-16 units stand before a code point; undefined when there are not so many. */
function unitsBefore(text: string, points: bigint): number | undefined {
  let left = Number(points);
  let at = 0;
  while (left > 0 && at < text.length) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    left--;
  }
  return at < text.length ? at : undefined;
}

function substring(text: string, start: bigint, end: bigint | undefined): CelValue {
  const points = [...text];
  const length = BigInt(points.length);
  const stop = end ?? length;
  if (end !== undefined && start > stop) return new Failure(`invalid substring range. start: ${start}, end: ${stop}`);
  if (start < 0n || start > length) return outOfRange(start);
  if (stop < 0n || stop > length) return outOfRange(stop);
  return points.slice(Number(start), Number(stop)).join("");
}

function replace(text: string, old: string, by: string, limit: bigint): CelValue {
  const parts = split(text, old, limit < 0n ? -1n : limit + 1n);
  // Between every two characters, and around them, where nothing is looked for.
  if (old === "") {
    const points = [...text];
    const count = limit < 0n ? points.length + 1 : Math.min(Number(limit), points.length + 1);
    checkLength(text.length + count * by.length);
    return points.map((point, index) => (index < count ? by + point : point)).join("") + (count > points.length ? by : "");
  }
  checkLength(text.length + (parts.length - 1) * by.length);
  return parts.join(by);
}

function checkLength(length: number): void {
  if (length > maxTextLength) throw new CostExceeded("operation cancelled: actual cost limit exceeded");
}

/** Go's `strings.SplitN`: the last part holds the rest. */
function split(text: string, separator: string, limit: bigint): string[] {
  if (limit === 0n) return [];
  const parts = separator === "" ? [...text] : text.split(separator);
  if (limit < 0n || BigInt(parts.length) <= limit) return parts;
  const kept = parts.slice(0, Number(limit) - 1);
  return [...kept, parts.slice(Number(limit) - 1).join(separator)];
}

function join(list: ListValue, separator: string): CelValue {
  const items: string[] = [];
  let length = 0;
  for (const item of list) {
    if (typeof item !== "string") return new Failure(`join: invalid input: ${String(item)}`);
    length += item.length + separator.length;
    checkLength(length);
    items.push(item);
  }
  return items.join(separator);
}

const quotes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

const text = (value: CelValue | undefined): string => value as string;
const int = (value: CelValue | undefined): bigint => value as bigint;

/** Strings beyond the standard (cel-go `ext/strings.go`, version 2, as Kubernetes 1.33 has it). */
export const stringLibrary: readonly Overload[] = [
  overload("contains_string", "(string).contains(string): bool", ([a, b]) => text(a).includes(text(b))),
  overload("starts_with_string", "(string).startsWith(string): bool", ([a, b]) => text(a).startsWith(text(b))),
  overload("ends_with_string", "(string).endsWith(string): bool", ([a, b]) => text(a).endsWith(text(b))),
  overload("string_char_at_int", "(string).charAt(int): string", ([a, b]) => charAt(text(a), int(b))),
  overload("string_index_of_string", "(string).indexOf(string): int", ([a, b]) => indexOf(text(a), text(b), 0n)),
  overload("string_index_of_string_int", "(string).indexOf(string, int): int", ([a, b, c]) => indexOf(text(a), text(b), int(c))),
  overload("string_last_index_of_string", "(string).lastIndexOf(string): int", ([a, b]) => lastIndexOf(text(a), text(b), undefined)),
  overload("string_last_index_of_string_int", "(string).lastIndexOf(string, int): int", ([a, b, c]) =>
    lastIndexOf(text(a), text(b), int(c)),
  ),
  overload("string_lower_ascii", "(string).lowerAscii(): string", ([a]) => text(a).replace(/[A-Z]/g, (char) => char.toLowerCase())),
  overload("string_upper_ascii", "(string).upperAscii(): string", ([a]) => text(a).replace(/[a-z]/g, (char) => char.toUpperCase())),
  overload("string_replace_string_string", "(string).replace(string, string): string", ([a, b, c]) =>
    replace(text(a), text(b), text(c), -1n),
  ),
  overload("string_replace_string_string_int", "(string).replace(string, string, int): string", ([a, b, c, d]) =>
    replace(text(a), text(b), text(c), int(d)),
  ),
  overload("string_split_string", "(string).split(string): list(string)", ([a, b]) => new ArrayList(split(text(a), text(b), -1n))),
  overload(
    "string_split_string_int",
    "(string).split(string, int): list(string)",
    ([a, b, c]) => new ArrayList(split(text(a), text(b), int(c))),
  ),
  overload("string_substring_int", "(string).substring(int): string", ([a, b]) => substring(text(a), int(b), undefined)),
  overload("string_substring_int_int", "(string).substring(int, int): string", ([a, b, c]) => substring(text(a), int(b), int(c))),
  overload("string_trim", "(string).trim(): string", ([a]) => text(a).replace(goSpace, "")),
  overload("list_join", "(list(string)).join(): string", ([a]) => join(a as ListValue, "")),
  overload("list_join_string", "(list(string)).join(string): string", ([a, b]) => join(a as ListValue, text(b))),
  overload("string_format", "(string).format(list(dyn)): string", ([a, b]) => (b instanceof ListValue ? formatText(text(a), b) : "")),
  overload("strings_quote", "strings.quote(string): string", ([a]) => `"${[...text(a)].map((char) => quotes[char] ?? char).join("")}"`),
];
