import type { Clock } from "../clock.ts";
import type { Store, StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import type { MakeId } from "./identifiers.ts";

/** What every service of the platform stands on. */
export interface PlatformContext {
  /** For what is no tenant's: look-ups by a secret or an id, before it is known whose it is, and the operator's lists. */
  readonly store: Store;
  /**
   * For all that is one tenant's, with what is written together with it. The tenant is the caller that was authenticated, or the one that the look-up by
   * its secret found, or whose work the operator's list names: never one that was read out of the key to be reached.
   */
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly log: Log;
  readonly makeId: MakeId;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Buffer;
}
