/** Hours and days in UTC, named so that their order is that of time: `2026-11-26T17`, `2026-11-26`. */
export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

export const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);
export const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10);
export const dayOfHour = (hour: string): string => hour.slice(0, 10);
export const startOfHour = (hour: string): number => Date.parse(`${hour}:00:00Z`);
export const startOfDay = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** A stretch of time as parts of hours. */
export function* splitByHour(fromMs: number, toMs: number): Generator<{ readonly hour: string; readonly seconds: number }> {
  for (let at = fromMs; at < toMs; ) {
    const end = Math.min(toMs, (Math.floor(at / hourMs) + 1) * hourMs);
    yield { hour: hourOf(at), seconds: (end - at) / 1000 };
    at = end;
  }
}
