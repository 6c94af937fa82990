import type { Duplex } from "node:stream";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { NodeTunnels, TunnelSession } from "./node-tunnels.ts";
import type { Polling } from "./polling.ts";
import type { NodeIdentity, NodePool, PodTokenIssuer } from "./ports.ts";
import type { CertificateResponse } from "./protocol.ts";
import type { StreamBroker } from "./stream-broker.ts";

export interface AgentApiPorts {
  readonly pool: NodePool;
  readonly tokens: PodTokenIssuer;
  readonly streams: StreamBroker;
  /** For hosts that agents can open tunnels to. */
  readonly tunnels?: TunnelPorts;
  /** For hosts that do not hold calls: how a call learns without looking that nothing is new. */
  readonly changes?: NodeChanges;
  /** For hosts whose own certificate does not name the cluster's API server. @throws StatusError `BadRequest` */
  readonly certify?: (publicKeyPem: string) => Promise<CertificateResponse>;
  readonly clock: Clock;
  readonly log: Log;
  /** A fresh unique text: marks of another server process are told apart by it. */
  readonly newId: () => string;
}

export interface TunnelPorts {
  readonly tunnels: Pick<NodeTunnels, "accept" | "isOf">;
  createSession(connection: Duplex): TunnelSession;
}

export interface NodeChanges {
  /** A word that stays the same while there is nothing new for the node. Reading it costs next to nothing. */
  state(node: NodeIdentity): Promise<string>;
  /** Brings what this process has of the node's clusters up to date, at the least to what `state` stands for. */
  follow(node: NodeIdentity, state: string): Promise<void>;
}

export interface AgentApiOptions extends Polling {
  /** Longest hold of a sync; 0 on functions, where waiting costs. */
  readonly holdSeconds: number;
  /** How old a node condition's heartbeat time may grow (kubelet: 300). */
  readonly statusRefreshSeconds: number;
}
