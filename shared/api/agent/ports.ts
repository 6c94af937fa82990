import type { ClusterView } from "../../store/view.ts";
import type { ObjectClient } from "../object-client.ts";
import type { NodeDescription } from "./protocol.ts";

/** A machine in a pool, as its credential names it. */
export interface NodeIdentity {
  readonly tenant: string;
  readonly pool: string;
  readonly nodeName: string;
}

/** A cluster that draws on a pool. The same object for as long as the cluster is served: what is learnt of its view is kept by it. */
export interface PoolCluster {
  readonly id: string;
  /** Where its API lies below the server's URL, e.g. `/clusters/c1`. */
  readonly apiPath: string;
  /** It is being deleted: its pods are to end, and nodes are made in it no more. */
  readonly draining: boolean;
  readonly view: ClusterView;
  readonly client: ObjectClient;
}

/** Why a join is refused: an unknown token (401), a revoked one (403), one that ran out or is used up (410), a name that another machine has (409). */
export type JoinRefusal = "unknown" | "revoked" | "expired" | "used-up" | "name-taken";

export type JoinOutcome =
  | { readonly kind: "joined"; readonly node: NodeIdentity; readonly credential: string; readonly podCidr?: string }
  | { readonly kind: "refused"; readonly reason: JoinRefusal };

/** `removed`: the node was taken out of its pool; it ends its pods and stops (410). `unknown`: 401. */
export type CredentialCheck =
  | { readonly kind: "node"; readonly node: NodeIdentity }
  | { readonly kind: "removed" }
  | { readonly kind: "unknown" };

/** The platform's side of nodes: who they are and which clusters they serve. */
export interface NodePool {
  /** Takes one use of the token. The same machine (`machineId`) joins again under its name with a fresh credential. */
  join(token: string, machine: NodeDescription & { readonly networks?: readonly string[] | undefined }): Promise<JoinOutcome>;
  authenticate(credential: string): Promise<CredentialCheck>;
  /** Labels and taints that the pool gives to each of its nodes, and the clusters that draw on it. Called for each poll: it must be cheap. */
  clustersOf(node: NodeIdentity): Promise<PoolClusters>;
  /**
   * A node says the range of its pods' addresses and where it is reached. Answers the range that the pool gives it: another than `description.podCidr`
   * where that one is another machine's; undefined: none.
   */
  settleNetwork(node: NodeIdentity, description: NodeDescription): Promise<string | undefined>;
  /** The machines of the node's pool whose pods have addresses of their own, itself included. The same array until something changed. */
  peersOf(node: NodeIdentity): Promise<readonly PoolPeer[]>;
  /** Calls when the answer of `peersOf` changed for a pool; returns the unsubscriber. */
  onPeersChange(listener: (pool: string) => void): () => void;
  /** The node spoke at this time. May be written seldomer than it is called. */
  seen(node: NodeIdentity, atMs: number): void;
  /** Usage, for whoever meters or shows it. */
  usage(node: NodeIdentity, usage: { readonly cpuMillis: number; readonly memoryBytes: number }): void;
  /** Calls when a pool's clusters, labels or taints changed; returns the unsubscriber. Missing a call costs only delay. */
  onPoolChange(listener: (pool: string) => void): () => void;
}

/** The pods of a machine, as the other machines of the pool must know them. */
export interface PoolPeer {
  readonly podCidr: string;
  /** Several where agents share a machine's containerd. */
  readonly nodeNames: readonly string[];
  readonly internalIps: readonly string[];
}

export interface PoolClusters {
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: NodeDescription["taints"];
  readonly clusters: readonly PoolCluster[];
}

/** Issues ServiceAccount tokens bound to a pod. */
export interface PodTokenIssuer {
  /** @throws StatusError when it may not be issued. */
  issue(request: PodTokenRequest): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
}

export interface PodTokenRequest {
  readonly tenant: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly pod: { readonly name: string; readonly uid: string };
  readonly node: { readonly name: string; readonly uid: string | undefined };
  /** Empty: the API server's own. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
}
