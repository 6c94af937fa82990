import type { TokenIssuer } from "../../auth/token.ts";
import type { Clock } from "../../clock.ts";
import type { StoreOf } from "../../store/store.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";
import type { ApiKeys } from "../api-keys.ts";
import type { Clusters } from "../clusters.ts";
import type { Heartbeats } from "../heartbeats.ts";
import type { JoinTokens } from "../join-tokens.ts";
import type { NodeRegistry } from "../nodes.ts";
import type { Pools } from "../pools.ts";
import type { Tenants } from "../tenants.ts";
import type { Cursors } from "./cursor.ts";

/** Where the installation is reached, and what it serves. */
export interface ServerFacts {
  /** Of the cluster API, without a path: `https://127.0.0.1:7443`. */
  readonly url: string;
  /** Undefined: the server's certificate is one that everybody trusts. */
  readonly caPem: string | undefined;
  /** For example `v1.33.0`. */
  readonly kubernetesVersion: string;
}

/** What the routes call. */
export interface PlatformServices {
  readonly clock: Clock;
  readonly storeOf: StoreOf;
  readonly tenants: Tenants;
  readonly keys: ApiKeys;
  readonly clusters: Clusters;
  readonly pools: Pools;
  readonly nodes: NodeRegistry;
  readonly joinTokens: JoinTokens;
  readonly heartbeats: Heartbeats;
  /** How long a node may be silent before it is shown as unreachable. Absent: 40 s. */
  readonly nodeGraceMs?: number | undefined;
  /** Absent: the host delivers none. */
  readonly webhooks?: Pick<Webhooks, "endpoints" | "deliverer">;
  readonly tokens: Pick<TokenIssuer, "issueClusterToken">;
  readonly cursors: Cursors;
  /** Asked at each request: the port may be known only when the server listens. */
  readonly server: () => ServerFacts;
  /** A cluster was asked to go: the reaper has something to do. */
  readonly wakeReaper: () => void;
  readonly wakeDrainer: () => void;
}

export interface PlatformApiOptions {
  readonly services: PlatformServices;
  readonly storeOf: StoreOf;
  readonly log: Log;
  /** For request ids. */
  readonly uid: () => string;
  /** Of each tenant. */
  readonly rateLimit?: { readonly burst: number; readonly perSecond: number };
  readonly version: string;
}
