import type { Clock } from "../clock.ts";
import type { Mirror } from "../store/mirror.ts";
import type { ClusterRef, Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import type { WebhookCaller } from "./admission/webhooks/caller.ts";
import type { ResourceCatalog } from "./resource-catalog.ts";

/** Tells that a cluster leaves this process: who holds an answer open ends it in good order, and its client goes on with another process. */
export interface Ending {
  /** Also where it has left already. Returns the unsubscriber. */
  onEnd(listener: () => void): () => void;
}

/** One cluster as the API machinery works on it. */
export interface ApiCluster {
  readonly ref: ClusterRef;
  readonly store: Store;
  readonly mirror: Mirror;
  /** What it serves: the built-in resources and its own. */
  readonly resources: ResourceCatalog;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A fresh UUID. */
  readonly uid: () => string;
  /** The service CIDR, e.g. 10.96.0.0/12, as the first address and the number of addresses. */
  readonly serviceCidr: { readonly first: number; readonly size: number };
  /** Asks admission webhooks. Absent: none can be asked, and their failure policy decides. */
  readonly webhooks?: WebhookCaller;
  /** Absent: it stays. */
  readonly ending?: Ending;
}

let latest = { second: Number.NaN, text: "" };

/** Kubernetes' `metav1.Time`: RFC 3339 in UTC without fractions. Made once a second: each write asks for it twice or more. */
export function timestamp(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== latest.second) latest = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return latest.text;
}
