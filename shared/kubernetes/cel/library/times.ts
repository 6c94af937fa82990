import { type Overload, overload } from "../overload.ts";
import { type CelValue, type Duration, Failure, type Timestamp } from "../value.ts";
import { localDate } from "./time-text.ts";

const dayMs = 86_400_000;

const parts: readonly (readonly [name: string, id: string, read: (date: Date) => number])[] = [
  ["getFullYear", "year", (date) => date.getUTCFullYear()],
  ["getMonth", "month", (date) => date.getUTCMonth()],
  ["getDate", "day_of_month_1_based", (date) => date.getUTCDate()],
  ["getDayOfMonth", "day_of_month", (date) => date.getUTCDate() - 1],
  ["getDayOfWeek", "day_of_week", (date) => date.getUTCDay()],
  ["getDayOfYear", "day_of_year", (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / dayMs)],
  ["getHours", "hours", (date) => date.getUTCHours()],
  ["getMinutes", "minutes", (date) => date.getUTCMinutes()],
  ["getSeconds", "seconds", (date) => date.getUTCSeconds()],
  ["getMilliseconds", "milliseconds", (date) => date.getUTCMilliseconds()],
];

const units: readonly (readonly [name: string, id: string, nanos: bigint])[] = [
  ["getHours", "hours", 3_600_000_000_000n],
  ["getMinutes", "minutes", 60_000_000_000n],
  ["getSeconds", "seconds", 1_000_000_000n],
  ["getMilliseconds", "milliseconds", 1_000_000n],
];

function readPart(value: CelValue | undefined, zone: CelValue | undefined, read: (date: Date) => number): CelValue {
  const date = localDate(value as Timestamp, typeof zone === "string" ? zone : "UTC");
  return date instanceof Failure ? date : BigInt(read(date));
}

/** Parts of timestamps, in UTC or a named zone, and whole units of durations (cel-spec, standard definitions). */
export const timeLibrary: readonly Overload[] = [
  ...parts.flatMap(([name, id, read]) => [
    overload(`timestamp_to_${id}`, `(timestamp).${name}(): int`, ([value]) => readPart(value, undefined, read)),
    overload(`timestamp_to_${id}_with_tz`, `(timestamp).${name}(string): int`, ([value, zone]) => readPart(value, zone, read)),
  ]),
  ...units.map(([name, id, nanos]) =>
    overload(`duration_to_${id}`, `(duration).${name}(): int`, ([value]) => (value as Duration).nanos / nanos),
  ),
];
