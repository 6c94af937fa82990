/** How a quantity was written, which is how it is printed again (apimachinery `resource.Format`). */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/**
 * A fixed-point number as `resource.Quantity` has it: exact, in units of 10^-9. Immutable.
 * `milli` and `whole` are the value in thousandths and in units, rounded away from zero.
 */
export interface Quantity {
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  readonly milli: number;
  readonly whole: number;
  /** Set when the text it was parsed from is what it is printed as. */
  readonly text: string | undefined;
}

const nanosPerUnit = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;
const greatestBinary = (2n ** 63n - 1n) * nanosPerUnit;
/** Longer texts and greater exponents are refused: they are no amounts of anything and cost time without bound. */
const maximumTextLength = 1024;
const maximumExponent = 1024;
const mostKept = 4096;
const mostKeptLength = 32;

const decimalExponents: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binaryExponents: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const decimalSuffixes = new Map(Object.entries(decimalExponents).map(([suffix, exponent]) => [exponent, suffix]));
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;

/** As apimachinery's scanner reads it, not as the expression in its message says: a sign alone is zero. */
const numberAndSuffix = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(|[eEinumkKMGTP]+[-+]?[0-9]*|[-+][0-9]*)$/;
const leadingZeros = /^0+/;
const exponentSuffix = /^[eE]([+-]?[0-9]+)$/;
const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/**
 * Parses what the API takes as a quantity: `"100m"`, `"1.5Gi"`, `"1e3"`, `5`. Amounts finer than 10^-9 are rounded away from zero, binary
 * ones are capped at 2^63-1, as apimachinery does.
 * Two calls with the same short text mostly answer the same object: the same few requests and limits stand in thousands of pods.
 * @throws RangeError with apimachinery's message.
 */
export function parseQuantity(text: string | number): Quantity {
  const written = typeof text === "number" ? String(text).replace("e+", "e") : text;
  const known = parsed.get(written);
  if (known !== undefined) return known;
  const fresh = parse(written);
  if (written.length > mostKeptLength) return fresh;
  if (parsed.size >= mostKept) parsed.clear();
  parsed.set(written, fresh);
  return fresh;
}

const parsed = new Map<string, Quantity>();

function parse(written: string): Quantity {
  const match = written === "" || written.length > maximumTextLength ? null : numberAndSuffix.exec(written);
  if (match === null) throw new RangeError(wrongFormat);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match;
  const { base, exponent, format } = interpretSuffix(suffix);
  const digits = (whole.replace(leadingZeros, "") || "0") + fraction;
  const mantissa = BigInt(digits);
  const magnitude =
    base === 2
      ? capBinary(scaleToNanos(mantissa << BigInt(exponent), -fraction.length))
      : scaleToNanos(mantissa, exponent - fraction.length);
  const nanos = sign === "-" ? -magnitude : magnitude;
  const fractional = base === 2 && magnitude > 0n && magnitude < nanosPerUnit;
  return quantity(nanos, fractional ? "DecimalSI" : format, isCanonical(base, digits, exponent, fraction, mantissa) ? written : undefined);
}

/** The canonical form: no precision lost, no fraction, the greatest suffix. Beyond the greatest suffix it uses an exponent. */
export function formatQuantity(value: Quantity): string {
  if (value.text !== undefined) return value.text;
  if (value.nanos === 0n) return "0";
  const negative = value.nanos < 0n;
  const magnitude = negative ? -value.nanos : value.nanos;
  const binary = value.format === "BinarySI" && magnitude >= 1024n * nanosPerUnit && magnitude % nanosPerUnit === 0n;
  const body = binary ? formatBinary(magnitude / nanosPerUnit) : formatDecimal(magnitude, value.format === "DecimalExponent");
  return negative ? `-${body}` : body;
}

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** The sum, in the format of `a`, or of `b` when `a` is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return quantity(a.nanos + b.nanos, a.nanos === 0n ? b.format : a.format, undefined);
}

/** The difference `a - b`, in the format of `a`, or of `b` when `a` is zero. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return quantity(a.nanos - b.nanos, a.nanos === 0n ? b.format : a.format, undefined);
}

export function isZeroQuantity(value: Quantity): boolean {
  return value.nanos === 0n;
}

/** The value in thousandths, rounded away from zero: CPU as millicores. Exact up to 2^53. */
export function milliValue(value: Quantity): number {
  return value.milli;
}

/** The value in units, rounded away from zero: memory as bytes. Exact up to 2^53. */
export function wholeValue(value: Quantity): number {
  return value.whole;
}

/** A quantity of this many units, e.g. `quantityOf(1024, "BinarySI")` prints as `1Ki`. */
export function quantityOf(units: number | bigint, format: QuantityFormat = "DecimalSI"): Quantity {
  return quantity(BigInt(units) * nanosPerUnit, format, undefined);
}

/** A quantity of this many thousandths, e.g. `quantityOfMillis(1500)` prints as `1500m`. */
export function quantityOfMillis(millis: number | bigint, format: QuantityFormat = "DecimalSI"): Quantity {
  return quantity(BigInt(millis) * nanosPerMilli, format, undefined);
}

function quantity(nanos: bigint, format: QuantityFormat, text: string | undefined): Quantity {
  return {
    nanos,
    format,
    milli: Number(divideAwayFromZero(nanos, nanosPerMilli)),
    whole: Number(divideAwayFromZero(nanos, nanosPerUnit)),
    text,
  };
}

function divideAwayFromZero(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  if (dividend % divisor === 0n) return quotient;
  return dividend < 0n ? quotient - 1n : quotient + 1n;
}

function interpretSuffix(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = Object.hasOwn(decimalExponents, suffix) ? decimalExponents[suffix] : undefined;
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: "DecimalSI" };
  const binary = Object.hasOwn(binaryExponents, suffix) ? binaryExponents[suffix] : undefined;
  if (binary !== undefined) return { base: 2, exponent: binary, format: "BinarySI" };
  const written = exponentSuffix.exec(suffix)?.[1];
  if (written === undefined) throw new RangeError("unable to parse quantity's suffix");
  const exponent = Number(written);
  if (Math.abs(exponent) > maximumExponent) throw new RangeError("unable to parse numeric part of quantity");
  return { base: 10, exponent, format: "DecimalExponent" };
}

/** mantissa × 10^exponent in units of 10^-9, rounded up. */
function scaleToNanos(mantissa: bigint, exponent: number): bigint {
  const shift = exponent + 9;
  return shift >= 0 ? mantissa * 10n ** BigInt(shift) : divideAwayFromZero(mantissa, 10n ** BigInt(-shift));
}

function capBinary(nanos: bigint): bigint {
  return nanos > greatestBinary ? greatestBinary : nanos;
}

/** When `resource.ParseQuantity` keeps the text it was given instead of printing the value anew: its own tests of the digits. */
function isCanonical(base: 2 | 10, digits: string, exponent: number, fraction: string, mantissa: bigint): boolean {
  if (base === 2) {
    const digitsLeft = 15 - digits.length - Math.trunc((exponent * 3) / 10) - 1;
    return digitsLeft >= 0 && fraction === "" && (mantissa & 7n) !== 0n;
  }
  const scale = exponent - fraction.length;
  if (digits.length > 18 || scale < -9 || scale % 3 !== 0) return false;
  return !digits.endsWith("000") && !digits.startsWith("0");
}

function formatBinary(units: bigint): string {
  let mantissa = units;
  let power = 0;
  while (power < binarySuffixes.length - 1 && mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    power++;
  }
  return `${mantissa}${binarySuffixes[power]}`;
}

function formatDecimal(nanos: bigint, asExponent: boolean): string {
  const digits = nanos.toString();
  let zeros = 0;
  while (digits.charCodeAt(digits.length - 1 - zeros) === 48) zeros++;
  const exponent = Math.floor((zeros - 9) / 3) * 3;
  const mantissa = digits.slice(0, digits.length - (exponent + 9));
  const suffix = asExponent ? undefined : decimalSuffixes.get(exponent);
  if (suffix !== undefined) return mantissa + suffix;
  return exponent === 0 ? mantissa : `${mantissa}e${exponent}`;
}
