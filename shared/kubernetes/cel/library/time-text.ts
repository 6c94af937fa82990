import { Duration, Failure, Timestamp } from "../value.ts";
import { durationResult, timestampResult } from "./operators.ts";

const unitNanos: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
const durationText = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const durationPart = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `0`. */
export function parseDurationText(text: string): Duration | undefined {
  if (/^[+-]?0$/.test(text)) return new Duration(0n);
  if (text.length > 100 || !durationText.test(text)) return undefined;
  let nanos = 0n;
  for (const [, number = "", unit = ""] of text.matchAll(durationPart)) {
    const [whole = "", fraction = ""] = number.split(".");
    const scale = BigInt(unitNanos[unit] ?? 0);
    nanos +=
      BigInt(whole === "" ? "0" : whole) * scale + (BigInt(fraction === "" ? "0" : fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  const result = durationResult(text.startsWith("-") ? -nanos : nanos);
  return result instanceof Duration ? result : undefined;
}

/** Seconds with as many decimals as needed: `90.5s`. */
export function durationToText({ nanos }: Duration): string {
  return `${decimal(nanos < 0n ? -nanos : nanos, nanos < 0n)}s`;
}

function decimal(nanos: bigint, negative: boolean): string {
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${negative ? "-" : ""}${nanos / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;

export function parseTimestampText(text: string): Timestamp | undefined {
  const [, date, time, fraction = "", zone = "Z"] = rfc3339.exec(text) ?? [];
  if (date === undefined) return undefined;
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  // JavaScript rolls the 31st of June over; Go refuses it.
  if (Number.isNaN(ms) || new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10) !== date) return undefined;
  const result = timestampResult(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
  return result instanceof Timestamp ? result : undefined;
}

/** RFC 3339 in UTC with as many decimals as needed. */
export function timestampToText({ nanos }: Timestamp): string {
  const ms = floorDivide(nanos, 1_000_000n);
  const fraction = modulo(nanos, 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${new Date(Number(ms)).toISOString().slice(0, 19)}${fraction === "" ? "" : `.${fraction}`}Z`;
}

export const modulo = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;
export const floorDivide = (value: bigint, by: bigint): bigint => (value - modulo(value, by)) / by;

/** The moment as a calendar shows it in a time zone (`UTC`, `+02:00`, `America/New_York`), as a UTC date of the same fields. */
export function localDate({ nanos }: Timestamp, zone: string): Date | Failure {
  const ms = Number(floorDivide(nanos, 1_000_000n));
  const offset = /^([+-]?)(\d{1,2}):(\d\d)$/.exec(zone);
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    return new Date(ms + (offset[1] === "-" ? -minutes : minutes) * 60_000);
  }
  if (zone === "" || zone === "UTC") return new Date(ms);
  try {
    const options = { timeZone: zone, hourCycle: "h23", dateStyle: "short", timeStyle: "medium" } as const;
    const [year, month, day, hour, minute, second] = (new Intl.DateTimeFormat("sv-SE", options).format(ms).match(/\d+/g) ?? []).map(
      Number,
    ) as [number, number, number, number, number, number];
    return new Date(Date.UTC(year, month - 1, day, hour, minute, second, new Date(ms).getUTCMilliseconds()));
  } catch {
    return new Failure(`unknown time zone ${zone}`);
  }
}
