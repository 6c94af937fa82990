import type { ObjectClient } from "../api/object-client.ts";
import type { Clock } from "../clock.ts";
import type { Change, ClusterView } from "../store/view.ts";
import type { Log } from "../telemetry/log.ts";

/** What a controller is given. No other input: no globals, no clock of its own, no store. */
export interface ControllerContext {
  readonly view: ClusterView;
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1): names and jitter. */
  readonly random: () => number;
}

/**
 * Level-triggered: what changed only says which keys to look at; `reconcile` compares the view with what should be and writes the difference.
 * Waking twice, late or in another order is harmless. One key is never reconciled twice at the same time.
 * What a controller remembers may be old: others may have turned the cluster since, and all that they saw reaches `keysOf`, late, as one look.
 */
export interface Controller {
  /** Kebab-case, as kube-controller-manager names it: `replicaset`, `endpointslice`. */
  readonly name: string;
  /** The keys that a change concerns, in the controller's own spelling (usually `namespace/name`). Synchronous, cheap, never throws. */
  keysOf(change: Change, view: ClusterView): Iterable<string>;
  /** Every key worth a look when the loop starts without knowing what changed. */
  allKeys(view: ClusterView): Iterable<string>;
  /** A thrown error is retried with exponential back-off (5 ms doubling to 1,000 s, as workqueue does); `Conflict` at once. */
  reconcile(key: string, context: ControllerContext): Promise<ReconcileOutcome>;
}

/** `again`: look once more after so many milliseconds even if nothing changes (it becomes an agenda item on the serverless host). */
export type ReconcileOutcome = { readonly kind: "done" } | { readonly kind: "again"; readonly afterMs: number };
