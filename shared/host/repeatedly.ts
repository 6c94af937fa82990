import type { Clock } from "../clock.ts";
import type { Log } from "../telemetry/log.ts";

/** Runs again so long after each end, never twice at once. Returns what stops it. */
export function repeatedly({ clock, log }: { clock: Clock; log: Log }, everyMs: number, run: () => Promise<void>): () => void {
  let stopped = false;
  let cancel = (): void => {};
  const again = (): void => {
    cancel = clock.after(everyMs, () => {
      run()
        .catch((error: unknown) => log.error("something was left unfinished", error))
        .finally(() => {
          if (!stopped) again();
        });
    });
  };
  again();
  return () => {
    stopped = true;
    cancel();
  };
}
