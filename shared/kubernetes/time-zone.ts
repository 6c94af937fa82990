import { unlistedTimeZones } from "./unlisted-time-zones.ts";

/** A place's time, by its rules of summer and winter. Wall times are milliseconds as if the place's clock showed UTC. */
export interface TimeZone {
  /** How far the place's clock is ahead of UTC at that moment, in milliseconds. */
  offsetAt(utcMs: number): number;
}

export const utc: TimeZone = { offsetAt: () => 0 };

/**
 * By its name in the IANA data base.
 * @throws RangeError in Go's words where there is none of that name
 */
export function createTimeZone(name: string): TimeZone {
  if (name === "" || name === "UTC") return utc;
  const format = formatOf(name);
  return {
    offsetAt(utcMs) {
      const shown = format.formatToParts(utcMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
      const [, sign = "+", hours = "0", minutes = "0", seconds = "0"] = /^GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(shown) ?? [];
      const ahead = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
      return sign === "-" ? -ahead : ahead;
    },
  };
}

let listed: ReadonlySet<string> | undefined;

/** In the data base's spelling: the runtime takes any, and offsets and names of ICU's own besides (its `CST` is not China's). */
function isInDataBase(name: string): boolean {
  listed ??= new Set(Intl.supportedValuesOf("timeZone"));
  return unlistedTimeZones.has(name) || listed.has(name);
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    if (!isInDataBase(timeZone)) throw new RangeError("not in the data base");
    return new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" });
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`unknown time zone ${timeZone}`);
    throw error;
  }
}

/** The moment at which the place's clock shows `wallMs`; of two, or where it skips that time, the one that Go's `time.Date` takes. */
export function fromWallTime({ offsetAt }: TimeZone, wallMs: number): number {
  const guessed = offsetAt(wallMs);
  return wallMs - (guessed === 0 ? 0 : offsetAt(wallMs - guessed));
}
