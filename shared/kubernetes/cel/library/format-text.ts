import { goQuote } from "../../schema/go-text.ts";
import { isFailure } from "../compare.ts";
import { type CelValue, Duration, Failure, ListValue, MapValue, Timestamp, TypeValue, Uint } from "../value.ts";
import { typeOfLiteral } from "../value-type.ts";
import { doubleToText } from "./double-text.ts";
import { durationToText, timestampToText } from "./time-text.ts";

const maxPrecision = 100;

type Clause = (value: CelValue) => string | Failure;

/** `format` of strings: `%s %d %f %e %b %x %X %o` (cel-go `ext/formatting.go`). */
export function formatText(pattern: string, args: ListValue): CelValue {
  let text = "";
  let next = 0;
  for (const part of split(pattern)) {
    if (typeof part === "string") {
      text += part;
      continue;
    }
    if (part instanceof Failure) return part;
    if (next >= args.size) return new Failure(`index ${next} out of range`);
    const formatted = part(args.at(next++));
    if (isFailure(formatted)) return formatted;
    text += formatted;
  }
  return text;
}

/** What is done to each argument in turn. */
export const formatClauses = (pattern: string): Clause[] => split(pattern).filter((part) => typeof part === "function");

/** Text as it stands, and what to put between. */
function split(pattern: string): (string | Clause | Failure)[] {
  const parts: (string | Clause | Failure)[] = [];
  let start = 0;
  for (const { index, 0: whole, 1: precision, 2: verb = "" } of pattern.matchAll(/%(?:\.(\d+))?(.?)/gs)) {
    parts.push(pattern.slice(start, index));
    start = index + whole.length;
    if (whole === "%%") parts.push("%");
    else if (verb === "") parts.push(new Failure("unexpected end of string"));
    else parts.push((value) => formatClause(verb, precision === undefined ? 6 : Math.min(Number(precision), maxPrecision), value));
  }
  parts.push(pattern.slice(start));
  return parts;
}

function formatClause(verb: string, precision: number, value: CelValue): string | Failure {
  const wrong = (what: string): Failure => new Failure(`error during formatting: ${what}, was given ${typeOfLiteral(value).name}`);
  switch (verb) {
    case "s":
      return (
        plainText(value) ??
        new Failure(
          `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeOfLiteral(value).name}`,
        )
      );
    case "d":
      return integerIn(value)?.toString() ?? wrong("decimal clause can only be used on integers");
    case "f":
    case "e": {
      const number = doubleIn(value);
      if (number === undefined) return wrong(`${verb === "f" ? "fixed-point" : "scientific"} clause can only be used on doubles`);
      if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "-∞";
      return verb === "f" ? fixedText(number, precision) : scientificText(number, precision);
    }
    case "b":
      if (typeof value === "boolean") return value ? "1" : "0";
      return integerIn(value)?.toString(2) ?? wrong("only integers and bools can be formatted as binary");
    case "o":
      return integerIn(value)?.toString(8) ?? wrong("octal clause can only be used on integers");
    case "x":
    case "X": {
      const hex = hexText(value) ?? wrong("only integers, byte buffers, and strings can be formatted as hex");
      return isFailure(hex) || verb === "x" ? hex : hex.toUpperCase();
    }
    default:
      return new Failure(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

/** Both are written for people, as golang.org/x/text writes English: `1,234.50`, `1.5×10⁰³`. */
function fixedText(number: number, precision: number): string {
  return new Intl.NumberFormat("en-US", { minimumFractionDigits: precision, maximumFractionDigits: precision }).format(number);
}

function scientificText(number: number, precision: number): string {
  const [mantissa = "", exponent = ""] = number.toExponential(precision).split("e");
  const digits = exponent.slice(1).padStart(2, "0");
  return `${mantissa}×10${exponent.startsWith("-") ? "⁻" : ""}${[...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")}`;
}

function integerIn(value: CelValue): bigint | undefined {
  return typeof value === "bigint" ? value : value instanceof Uint ? value.value : undefined;
}

function doubleIn(value: CelValue): number | undefined {
  if (typeof value === "number") return value;
  return value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : undefined;
}

function hexText(value: CelValue): string | undefined {
  if (typeof value === "string") return Buffer.from(value, "utf8").toString("hex");
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : integerIn(value)?.toString(16);
}

function plainText(value: CelValue): string | undefined {
  if (value === null) return "null";
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number") return doubleToText(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (value instanceof Timestamp) return timestampToText(value);
  if (value instanceof Duration) return durationToText(value);
  if (value instanceof TypeValue) return value.type.name;
  if (value instanceof ListValue) {
    const items = [...value].map(innerText);
    return items.includes(undefined) ? undefined : `[${items.join(", ")}]`;
  }
  if (!(value instanceof MapValue)) return undefined;
  const entries = value.keys().map((key) => [innerText(key), innerText(value.get(key) ?? null)] as const);
  if (entries.some(([key, inner]) => key === undefined || inner === undefined)) return undefined;
  return `{${entries
    .map(([key, inner]) => `${key}:${inner}`)
    .sort()
    .join(", ")}}`;
}

/** Within lists and maps values are written as CEL would read them. */
function innerText(value: CelValue): string | undefined {
  if (typeof value === "string") return goQuote(value);
  if (value instanceof Uint8Array) return `b${goQuote(Buffer.from(value).toString("utf8"))}`;
  if (typeof value === "number") return Number.isFinite(value) ? value.toFixed(6) : `"${doubleToText(value)}"`;
  if (value instanceof Timestamp) return `timestamp("${timestampToText(value)}")`;
  if (value instanceof Duration) return `duration("${durationToText(value)}")`;
  return plainText(value);
}
