import { type Implementation, type Overload, overload } from "../overload.ts";
import { type CelValue, type Duration, Failure, type Timestamp, TypeValue, type Uint } from "../value.ts";
import { typeOfLiteral } from "../value-type.ts";
import { doubleToText } from "./double-text.ts";
import { intResult, uintResult } from "./operators.ts";
import { durationToText, floorDivide, parseDurationText, parseTimestampText, timestampToText } from "./time-text.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const from =
  <T>(call: (value: T) => CelValue): Implementation =>
  ([value]) =>
    call(value as T);

const same = from<CelValue>((value) => value);
const cannot = (source: string, target: string): Failure => new Failure(`type conversion error from '${source}' to '${target}'`);

function doubleToInt(value: number): CelValue {
  if (!Number.isFinite(value) || value >= 2 ** 63 || value <= -(2 ** 63)) return new Failure("integer overflow");
  return BigInt(Math.trunc(value));
}

function doubleToUint(value: number): CelValue {
  if (!Number.isFinite(value) || value < 0 || value >= 2 ** 64) return new Failure("unsigned integer overflow");
  return uintResult(BigInt(Math.trunc(value)));
}

function textToInt(text: string): CelValue {
  if (!/^[+-]?\d{1,20}$/.test(text)) return cannot("string", "int");
  const result = intResult(BigInt(text.replace("+", "")));
  return result instanceof Failure ? cannot("string", "int") : result;
}

function textToUint(text: string): CelValue {
  if (!/^\d{1,20}$/.test(text)) return cannot("string", "uint");
  const result = uintResult(BigInt(text));
  return result instanceof Failure ? cannot("string", "uint") : result;
}

function textToDouble(text: string): CelValue {
  const special = /^[+-]?(?:inf|infinity|nan)$/i.exec(text);
  if (special) return /nan/i.test(text) ? Number.NaN : text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : cannot("string", "double");
}

function textToBool(text: string): CelValue {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(?:0|f|F|false|FALSE|False)$/.test(text) ? false : cannot("string", "bool");
}

function bytesToText(bytes: Uint8Array): CelValue {
  try {
    return decoder.decode(bytes);
  } catch {
    return new Failure("invalid UTF-8 in bytes, cannot convert to string");
  }
}

/** Conversions between the types of CEL (cel-go `common/types`). */
export const conversionLibrary: readonly Overload[] = [
  overload("to_dyn", "dyn(A): dyn", same),
  overload(
    "type",
    "type(A): type(A)",
    from<CelValue>((value) => new TypeValue(typeOfLiteral(value))),
  ),
  overload("int64_to_int64", "int(int): int", same),
  overload(
    "uint64_to_int64",
    "int(uint): int",
    from<Uint>(({ value }) => intResult(value)),
  ),
  overload("double_to_int64", "int(double): int", from(doubleToInt)),
  overload("string_to_int64", "int(string): int", from(textToInt)),
  overload(
    "timestamp_to_int64",
    "int(timestamp): int",
    from<Timestamp>(({ nanos }) => floorDivide(nanos, 1_000_000_000n)),
  ),
  overload(
    "duration_to_int64",
    "int(duration): int",
    from<Duration>(({ nanos }) => nanos),
  ),
  overload("uint64_to_uint64", "uint(uint): uint", same),
  overload("int64_to_uint64", "uint(int): uint", from(uintResult)),
  overload("double_to_uint64", "uint(double): uint", from(doubleToUint)),
  overload("string_to_uint64", "uint(string): uint", from(textToUint)),
  overload("double_to_double", "double(double): double", same),
  overload("int64_to_double", "double(int): double", from<bigint>(Number)),
  overload(
    "uint64_to_double",
    "double(uint): double",
    from<Uint>(({ value }) => Number(value)),
  ),
  overload("string_to_double", "double(string): double", from(textToDouble)),
  overload("bool_to_bool", "bool(bool): bool", same),
  overload("string_to_bool", "bool(string): bool", from(textToBool)),
  overload("bytes_to_bytes", "bytes(bytes): bytes", same),
  overload(
    "string_to_bytes",
    "bytes(string): bytes",
    from<string>((text) => Uint8Array.from(Buffer.from(text, "utf8"))),
  ),
  overload("string_to_string", "string(string): string", same),
  overload("bool_to_string", "string(bool): string", from<boolean>(String)),
  overload("int64_to_string", "string(int): string", from<bigint>(String)),
  overload(
    "uint64_to_string",
    "string(uint): string",
    from<Uint>(({ value }) => String(value)),
  ),
  overload("double_to_string", "string(double): string", from<number>(doubleToText)),
  overload("bytes_to_string", "string(bytes): string", from(bytesToText)),
  overload("timestamp_to_string", "string(timestamp): string", from(timestampToText)),
  overload("duration_to_string", "string(duration): string", from(durationToText)),
  overload("timestamp_to_timestamp", "timestamp(timestamp): timestamp", same),
  overload(
    "string_to_timestamp",
    "timestamp(string): timestamp",
    from<string>((text) => parseTimestampText(text) ?? cannot("string", "timestamp")),
  ),
  overload("duration_to_duration", "duration(duration): duration", same),
  overload(
    "string_to_duration",
    "duration(string): duration",
    from<string>((text) => parseDurationText(text) ?? cannot("string", "duration")),
  ),
];
