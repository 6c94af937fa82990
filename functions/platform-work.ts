import type { Turning } from "./turning.ts";

const againMs = 1000;
/** Longer than this nobody waits for pods to end within one wake-up: the schedule comes again. */
const patienceMs = 20_000;

/** Goes on with clusters being deleted and nodes being drained, until nothing is pending or time is up: the schedule looks at what is left. */
export async function finishPlatformWork({ services, dependencies }: Turning, untilMs: number): Promise<void> {
  const { clock } = dependencies;
  const endMs = Math.min(untilMs, clock.now() + patienceMs);
  for (;;) {
    const pending = (await services.reaper.round()) + (await services.drainer.round());
    if (pending === 0 || clock.now() + againMs >= endMs) return;
    await new Promise<void>((resolve) => void clock.after(againMs, resolve));
  }
}
