import { describe, expect, it } from "vitest";
import { parseCronSchedule } from "../../../shared/kubernetes/cron-schedule.ts";
import { nextScheduledTime } from "../../../shared/kubernetes/cron-times.ts";
import { createTimeZone } from "../../../shared/kubernetes/time-zone.ts";
import { unlistedTimeZones } from "../../../shared/kubernetes/unlisted-time-zones.ts";

/** The next times after one, as UTC. */
function times(schedule: string, after: string, count = 1, timeZone = "UTC"): string[] {
  const parsed = parseCronSchedule(schedule, createTimeZone(timeZone));
  const found: string[] = [];
  let ms: number | undefined = Date.parse(after);
  while (found.length < count) {
    ms = nextScheduledTime(parsed, ms);
    if (ms === undefined) break;
    found.push(new Date(ms).toISOString().replace(".000Z", "Z"));
  }
  return found;
}

describe("next time of a schedule", () => {
  // The first ones are of robfig/cron v3's own tests (spec_test.go), without their seconds.
  it.each([
    ["0/15 * * * *", "2012-07-09T14:45:00Z", "2012-07-09T15:00:00Z"],
    ["0/15 * * * *", "2012-07-09T14:59:59Z", "2012-07-09T15:00:00Z"],
    ["20-35/15 * * * *", "2012-07-09T15:45:00Z", "2012-07-09T16:20:00Z"],
    ["*/15 * * * *", "2012-07-09T23:46:00Z", "2012-07-10T00:00:00Z"],
    ["20-35/15 * * * *", "2012-07-09T23:45:00Z", "2012-07-10T00:20:00Z"],
    ["0 0 9 Apr-Oct ?", "2012-07-09T23:35:00Z", "2012-08-09T00:00:00Z"],
    ["0 0 */5 Apr,Aug,Oct Mon", "2012-07-09T23:35:00Z", "2012-08-01T00:00:00Z"],
    ["0 0 */5 Oct Mon", "2012-07-09T23:35:00Z", "2012-10-01T00:00:00Z"],
    ["0 0 * Feb Mon", "2012-07-09T23:35:00Z", "2013-02-04T00:00:00Z"],
    ["0 0 * Feb Mon/2", "2012-07-09T23:35:00Z", "2013-02-01T00:00:00Z"],
    ["@monthly", "2012-11-04T00:00:00Z", "2012-12-01T00:00:00Z"],
    ["@every 90s", "2012-11-04T00:00:00.500Z", "2012-11-04T00:01:30Z"],
    ["0 0 29 2 *", "2013-01-01T00:00:00Z", "2016-02-29T00:00:00Z"],
    ["0 0 30 Feb ?", "2012-07-09T23:35:00Z", undefined],
    ["0 0 31 Apr ?", "2012-07-09T23:35:00Z", undefined],
  ])("of %s after %s is %s", (schedule, after, expected) => {
    expect(times(schedule, after)).toEqual(expected === undefined ? [] : [expected]);
  });

  it("leaves out what spring skips", () => {
    const days = times("30 2 * * *", "2026-03-07T12:00:00Z", 2, "America/New_York");
    expect(days).toEqual(["2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]);
    expect(times("0 * * * *", "2026-03-08T06:00:00Z", 2, "America/New_York")).toEqual(["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"]);
  });

  it("names twice what autumn repeats", () => {
    const nights = times("30 1 * * *", "2026-10-31T12:00:00Z", 3, "America/New_York");
    expect(nights).toEqual(["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"]);
  });

  it("finds the day where midnight is skipped", () => {
    expect(times("0 12 * * 0", "2018-11-03T12:00:00Z", 1, "America/Sao_Paulo")).toEqual(["2018-11-04T14:00:00Z"]);
  });

  it("is that of the place, east and west of Greenwich, and by quarters of an hour", () => {
    expect(times("0 9 * * *", "2026-07-01T00:00:00Z", 1, "Asia/Kathmandu")).toEqual(["2026-07-01T03:15:00Z"]);
    expect(times("0 9 * * 1", "2026-07-01T00:00:00Z", 1, "Pacific/Auckland")).toEqual(["2026-07-05T21:00:00Z"]);
    expect(times("CRON_TZ=America/Los_Angeles 0 9 * * *", "2026-07-01T00:00:00Z", 1, "Asia/Tokyo")).toEqual(["2026-07-01T16:00:00Z"]);
  });

  it.each(["Nowhere/Land", "CST", "pst", "+05", "+0530", "SystemV/EST5", "europe/berlin", "utc", "us/Pacific", "ETC/UTC", "cet"])(
    "has no place %s, which does not exist",
    (name) => {
      const message = `unknown time zone ${name}`;
      expect(() => createTimeZone(name)).toThrow(new RangeError(message));
      expect(() => parseCronSchedule(`TZ=${name} 0 0 * * *`)).toThrow(new RangeError(`provided bad location ${name}: ${message}`));
    },
  );

  it.each(["CET", "EST5EDT", "GB", "Etc/GMT+3", "US/Eastern", "Asia/Kathmandu", "GMT0", "Etc/UTC", "Asia/Calcutta"])(
    "has %s, which the data base does",
    (name) => {
      expect(createTimeZone(name).offsetAt(0)).toBeTypeOf("number");
    },
  );

  it("has every place that the runtime lists, and each by the one spelling", () => {
    const names = [...Intl.supportedValuesOf("timeZone"), ...unlistedTimeZones].filter((name) => name !== "UTC");
    expect(names.length).toBeGreaterThan(500);
    for (const name of names) {
      expect(() => createTimeZone(name)).not.toThrow();
      expect(() => createTimeZone(name.toLowerCase())).toThrow(new RangeError(`unknown time zone ${name.toLowerCase()}`));
    }
  });
});
