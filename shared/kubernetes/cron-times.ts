import type { CronSchedule } from "./cron-schedule.ts";
import { fromWallTime } from "./time-zone.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/**
 * The first time after `afterMs` that the schedule names, in milliseconds since 1970; undefined when there is none within five years
 * (the 31st of February). Days on which the clock is changed are treated as robfig/cron v3 does: a time that is skipped is left out,
 * one that comes twice is named twice.
 */
export function nextScheduledTime(schedule: CronSchedule, afterMs: number): number | undefined {
  const wholeMs = Math.floor(afterMs / secondMs) * secondMs;
  if (schedule.everySeconds !== undefined) return wholeMs + schedule.everySeconds * secondMs;
  const { timeZone, months, hours, minutes } = schedule;
  const wall = (ms: number): Date => new Date(ms + timeZone.offsetAt(ms));
  const at = (date: Date, change: { month?: number; day?: number; hour?: number }): number => {
    const { month = date.getUTCMonth(), day = date.getUTCDate(), hour = date.getUTCHours() } = change;
    return fromWallTime(timeZone, Date.UTC(date.getUTCFullYear(), month, day, hour));
  };
  let ms = wholeMs + secondMs;
  let now = wall(ms);
  const move = (toMs: number): void => {
    ms = toMs;
    now = wall(ms);
  };
  const lastYear = now.getUTCFullYear() + 5;
  /** Whether the smaller fields have been set back to their first values. */
  let isRounded = false;
  const round = (toMs: () => number): void => {
    if (!isRounded) move(toMs());
    isRounded = true;
  };

  search: while (now.getUTCFullYear() <= lastYear) {
    while (!months.has(now.getUTCMonth() + 1)) {
      round(() => at(now, { day: 1, hour: 0 }));
      move(at(now, { month: now.getUTCMonth() + 1 }));
      if (now.getUTCMonth() === 0) continue search;
    }
    while (!isDay(schedule, now)) {
      round(() => at(now, { hour: 0 }));
      move(at(now, { day: now.getUTCDate() + 1 }));
      const hour = now.getUTCHours();
      // Midnight was skipped or came an hour early.
      if (hour !== 0) move(ms + (hour > 12 ? 24 - hour : -hour) * hourMs);
      if (now.getUTCDate() === 1) continue search;
    }
    while (!hours.has(now.getUTCHours())) {
      round(() => at(now, {}));
      move(ms + hourMs);
      if (now.getUTCHours() === 0) continue search;
    }
    while (!minutes.has(now.getUTCMinutes())) {
      round(() => Math.floor(ms / minuteMs) * minuteMs);
      move(ms + minuteMs);
      if (now.getUTCMinutes() === 0) continue search;
    }
    const second = now.getUTCSeconds();
    if (second === 0) return ms;
    isRounded = true;
    move(ms + minuteMs - second * secondMs);
  }
  return undefined;
}

/** A day must be named by both fields where one of them is a star, else by either. */
function isDay({ daysOfMonth, daysOfWeek, everyDay, everyWeekday }: CronSchedule, date: Date): boolean {
  const [byMonth, byWeek] = [daysOfMonth.has(date.getUTCDate()), daysOfWeek.has(date.getUTCDay())];
  return everyDay || everyWeekday ? byMonth && byWeek : byMonth || byWeek;
}
