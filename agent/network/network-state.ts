import type { PodPeer } from "../../shared/api/agent/protocol.ts";
import type { EndpointSlice, Service } from "../../shared/kubernetes/types.ts";

/** Everything the network of a node is made from; the agent core feeds it from each synchronization with the server. */
export interface NetworkState {
  readonly clusters: readonly ClusterNetwork[];
  /** The pods of the pool's other machines; absent until the server has told of them. */
  readonly peers?: readonly PodPeer[];
}

/** One cluster that draws on the node's pool. Service addresses of different clusters may be the same: pods of a cluster see only their own. */
export interface ClusterNetwork {
  readonly id: string;
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** The pods of this cluster on this node that have an address. */
  readonly pods: readonly LocalPod[];
}

export interface LocalPod {
  readonly uid: string;
  readonly ip: string;
  readonly namespace: string;
  readonly name: string;
}
