import type { NodePool, PoolCluster, PoolPeer } from "../../../../shared/api/agent/ports.ts";
import type { NodeDescription } from "../../../../shared/api/agent/protocol.ts";

/** One pool in memory: a join token `good`, credentials `cred-<name>`. */
export interface FakePool extends NodePool {
  readonly clusters: PoolCluster[];
  readonly removed: Set<string>;
  readonly heartbeats: string[];
  /** What `peersOf` answers; replace it to change it. */
  peers: readonly PoolPeer[];
  changed(): void;
  peersChanged(): void;
}

export function createFakePool(clusters: PoolCluster[]): FakePool {
  const listeners = new Set<(pool: string) => void>();
  const peerListeners = new Set<(pool: string) => void>();
  const removed = new Set<string>();
  const heartbeats: string[] = [];
  return {
    clusters,
    removed,
    heartbeats,
    async join(token, description) {
      if (token === "spent") return { kind: "refused", reason: "used-up" };
      if (token === "late") return { kind: "refused", reason: "expired" };
      if (token !== "good") return { kind: "refused", reason: "unknown" };
      return {
        kind: "joined",
        node: { tenant: "local", pool: "p1", nodeName: description.name },
        credential: `cred-${description.name}`,
      };
    },
    async authenticate(credential) {
      const nodeName = /^cred-(.+)$/.exec(credential)?.[1];
      if (nodeName === undefined) return { kind: "unknown" };
      return removed.has(nodeName) ? { kind: "removed" } : { kind: "node", node: { tenant: "local", pool: "p1", nodeName } };
    },
    peers: [],
    async settleNetwork(_, { podCidr }) {
      return podCidr === "10.244.66.0/24" ? undefined : podCidr;
    },
    async peersOf() {
      return this.peers;
    },
    onPeersChange(listener) {
      peerListeners.add(listener);
      return () => peerListeners.delete(listener);
    },
    peersChanged: () => {
      for (const listener of peerListeners) listener("p1");
    },
    clustersOf: async () => ({ labels: { zone: "z1" }, taints: [], clusters }),
    seen: (node) => heartbeats.push(node.nodeName),
    usage() {},
    onPoolChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changed: () => {
      for (const listener of listeners) listener("p1");
    },
  };
}

export function describedNode(name: string, runtime: NodeDescription["runtime"] = "process"): NodeDescription {
  return {
    name,
    machineId: `machine-${name}`,
    labels: {},
    taints: [],
    capacity: { cpu: "2", memory: "4Gi", pods: "110" },
    allocatable: { cpu: "2", memory: "4Gi", pods: "110" },
    addresses: [
      { type: "InternalIP", address: "10.0.0.1" },
      { type: "Hostname", address: name },
    ],
    info: {
      architecture: "amd64",
      bootID: "b",
      containerRuntimeVersion: "process://1",
      kernelVersion: "6",
      kubeProxyVersion: "",
      kubeletVersion: "v1.33.0",
      machineID: "m",
      operatingSystem: "linux",
      osImage: "Debian",
      systemUUID: "u",
    },
    runtime,
    conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }],
  };
}
