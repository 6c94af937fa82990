import { createTimeZone, type TimeZone, utc } from "./time-zone.ts";

/** The times at which each field of a schedule matches; `everyDay` and `everyWeekday` tell a star from a full list (cron's "or" rule for days). */
export interface CronSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly daysOfWeek: ReadonlySet<number>;
  readonly everyDay: boolean;
  readonly everyWeekday: boolean;
  /** `@every` schedules repeat by this interval and have no fields. */
  readonly everySeconds: number | undefined;
  /** In which the fields are meant. */
  readonly timeZone: TimeZone;
}

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly names?: readonly string[];
}

const monthNames = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const bounds = {
  minute: { minimum: 0, maximum: 59 },
  hour: { minimum: 0, maximum: 23 },
  dayOfMonth: { minimum: 1, maximum: 31 },
  month: { minimum: 1, maximum: 12, names: monthNames },
  dayOfWeek: { minimum: 0, maximum: 6, names: weekdayNames },
} satisfies Record<string, Bounds>;
const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Parses a schedule of five fields or a descriptor, as CronJobs have it. A leading `TZ=` or `CRON_TZ=` says its time zone; else it is `timeZone`.
 * @throws RangeError with the words of robfig/cron v3 `ParseStandard`, which kube-apiserver repeats
 */
export function parseCronSchedule(text: string, timeZone: TimeZone = utc): CronSchedule {
  if (text === "") throw new RangeError("empty spec string");
  const [prefix = "", named] = /^(?:CRON_)?TZ=(\S+)\s+/.exec(text) ?? [];
  const zone = named === undefined ? timeZone : parseLocation(named);
  const schedule = text.slice(prefix.length).trim();
  if (schedule.startsWith("@every ")) return { ...parseFields("* * * * *", zone), everySeconds: parseGoDuration(schedule) };
  if (!schedule.startsWith("@")) return parseFields(schedule, zone);
  const fields = descriptors[schedule];
  if (fields === undefined) throw new RangeError(`unrecognized descriptor: ${schedule}`);
  return parseFields(fields, zone);
}

function parseLocation(name: string): TimeZone {
  try {
    return createTimeZone(name);
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`provided bad location ${name}: ${error.message}`);
    throw error;
  }
}

function parseFields(schedule: string, timeZone: TimeZone): CronSchedule {
  const fields = schedule.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== 5) throw new RangeError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  const [minute = "", hour = "", dayOfMonth = "", month = "", dayOfWeek = ""] = fields;
  return {
    minutes: parseField(minute, bounds.minute),
    hours: parseField(hour, bounds.hour),
    daysOfMonth: parseField(dayOfMonth, bounds.dayOfMonth),
    months: parseField(month, bounds.month),
    daysOfWeek: parseField(dayOfWeek, bounds.dayOfWeek),
    everyDay: isStar(dayOfMonth),
    everyWeekday: isStar(dayOfWeek),
    everySeconds: undefined,
    timeZone,
  };
}

function isStar(field: string): boolean {
  return field.split(",").some((part) => /^[*?](?:\/1)?$/.test(part));
}

function parseField(field: string, range: Bounds): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of field.split(",")) if (part !== "") addRange(values, part, range);
  return values;
}

function addRange(values: Set<number>, expression: string, { minimum, maximum, names }: Bounds): void {
  const parts = expression.split("/");
  const ends = (parts[0] ?? "").split("-");
  const [low = "", high] = ends;
  const star = low === "*" || low === "?";
  const start = star ? minimum : parseNumber(low, names);
  if (!star && ends.length > 2) throw new RangeError(`too many hyphens: ${expression}`);
  let end = star ? maximum : high === undefined ? start : parseNumber(high, names);
  if (parts.length > 2) throw new RangeError(`too many slashes: ${expression}`);
  const step = parts[1] === undefined ? 1 : parseNumber(parts[1], undefined);
  if (parts[1] !== undefined && ends.length === 1) end = maximum;
  if (start < minimum) throw new RangeError(`beginning of range (${start}) below minimum (${minimum}): ${expression}`);
  if (end > maximum) throw new RangeError(`end of range (${end}) above maximum (${maximum}): ${expression}`);
  if (start > end) throw new RangeError(`beginning of range (${start}) beyond end of range (${end}): ${expression}`);
  if (step === 0) throw new RangeError(`step of range should be a positive number: ${expression}`);
  for (let value = start; value <= end; value += step) values.add(value);
}

function parseNumber(text: string, names: readonly string[] | undefined): number {
  const named = text === "" ? -1 : (names?.indexOf(text.toLowerCase()) ?? -1);
  if (named !== -1) return named;
  if (!/^[+-]?\d+$/.test(text))
    throw new RangeError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (value < 0) throw new RangeError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

/** Seconds of a Go duration, rounded down to whole ones and at least one. */
function parseGoDuration(descriptor: string): number {
  const text = descriptor.slice("@every ".length);
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };
  const quoted = JSON.stringify(text);
  if (!/^[+-]?(?:\d+(?:\.\d*)?(?:h|ms|m|s|us|µs|ns))+$/.test(text)) {
    throw new RangeError(
      `failed to parse duration ${descriptor}: time: ${/^[+-]?[\d.]+$/.test(text) ? "missing unit in" : "invalid"} duration ${quoted}`,
    );
  }
  let seconds = 0;
  for (const [, amount = "0", unit = "s"] of text.matchAll(/(\d+(?:\.\d*)?)(h|ms|m|s|us|µs|ns)/g))
    seconds += Number(amount) * (units[unit] ?? 0);
  return Math.max(1, Math.floor(seconds));
}
