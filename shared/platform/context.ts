import type { Clock } from "../clock.ts";
import type { Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import type { MakeId } from "./identifiers.ts";

/** What every service of the platform stands on. */
export interface PlatformContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly makeId: MakeId;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Buffer;
}
