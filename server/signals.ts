import type { Log } from "../shared/telemetry/log.ts";

/** Ends the process in good order when it is told to; told again, at once. */
export function endBySignal(close: () => Promise<void>, log: Log): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("shutdown failed", error);
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}
