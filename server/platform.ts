import { randomBytes, randomUUID } from "node:crypto";
import type { TokenIssuer } from "../shared/auth/token.ts";
import type { Clock } from "../shared/clock.ts";
import { createPlatformApi } from "../shared/platform/api/app.ts";
import { createCursors } from "../shared/platform/api/cursor.ts";
import type { ServerFacts } from "../shared/platform/api/services.ts";
import { type ApiKeys, createApiKeys } from "../shared/platform/api-keys.ts";
import { type ClusterReaper, createClusterReaper } from "../shared/platform/cluster-reaper.ts";
import { type Clusters, createClusters } from "../shared/platform/clusters.ts";
import { createHeartbeats, type Heartbeats } from "../shared/platform/heartbeats.ts";
import { createIdentifiers } from "../shared/platform/identifiers.ts";
import { createJoinTokens, type JoinTokens } from "../shared/platform/join-tokens.ts";
import { createPlatformNews, type PlatformNews } from "../shared/platform/news.ts";
import { createNodeDrainer, type NodeDrainer } from "../shared/platform/node-drainer.ts";
import { createNodeRegistry, type NodeRegistry } from "../shared/platform/nodes.ts";
import { createPools, type Pools } from "../shared/platform/pools.ts";
import type { ClusterProvisioner, NodeOperations } from "../shared/platform/provisioner.ts";
import { createTenants, type Tenants } from "../shared/platform/tenants.ts";
import type { Store } from "../shared/store/store.ts";
import type { Log } from "../shared/telemetry/log.ts";

export interface PlatformOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly tokens: TokenIssuer;
  readonly provisioner: ClusterProvisioner;
  readonly operations: NodeOperations;
  readonly cursorKey: Buffer;
  readonly server: () => ServerFacts;
  readonly version: string;
}

/** The platform's services, put together for one process. */
export interface Platform {
  readonly app: ReturnType<typeof createPlatformApi>;
  readonly tenants: Tenants;
  readonly keys: ApiKeys;
  readonly clusters: Clusters;
  readonly pools: Pools;
  readonly nodes: NodeRegistry;
  readonly joinTokens: JoinTokens;
  readonly heartbeats: Heartbeats;
  readonly news: PlatformNews;
  readonly reaper: ClusterReaper;
  readonly drainer: NodeDrainer;
}

export function createPlatform(options: PlatformOptions): Platform {
  const { store, clock, log, tokens, provisioner, operations } = options;
  const context = { store, clock, log, randomBytes, makeId: createIdentifiers(() => clock.now(), randomBytes) };
  const news = createPlatformNews();
  const tenants = createTenants(context);
  const keys = createApiKeys(context);
  const pools = createPools(context, provisioner, news);
  const joinTokens = createJoinTokens(context, pools);
  const heartbeats = createHeartbeats({ store, clock, log });
  const nodes = createNodeRegistry(context, { joinTokens, heartbeats, operations, news });
  const clusters = createClusters(context, { tenants, pools, provisioner, news });
  const reaper = createClusterReaper(context, { provisioner, news, nodes });
  const drainer = createNodeDrainer(context, nodes, operations);
  const app = createPlatformApi({
    services: {
      clock,
      tenants,
      keys,
      clusters,
      pools,
      nodes,
      joinTokens,
      heartbeats,
      tokens,
      cursors: createCursors(options.cursorKey),
      server: options.server,
      wakeReaper: () => reaper.wake(),
      wakeDrainer: () => drainer.wake(),
    },
    store,
    log,
    uid: randomUUID,
    version: options.version,
  });
  return { app, tenants, keys, clusters, pools, nodes, joinTokens, heartbeats, news, reaper, drainer };
}
