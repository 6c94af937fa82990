import type { Clock } from "../clock.ts";
import type { OnDayClosed } from "../metering/usage-days.ts";
import type { Store, StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { noOutbox } from "../webhooks/outbox.ts";
import { createWebhooks, type WebhookSettings } from "../webhooks/webhooks.ts";
import { createApiKeys } from "./api-keys.ts";
import { createClusterReaper } from "./cluster-reaper.ts";
import { createClusters } from "./clusters.ts";
import { createHeartbeats } from "./heartbeats.ts";
import { createHousekeeping } from "./housekeeping.ts";
import { createIdentifiers } from "./identifiers.ts";
import { createJoinTokens } from "./join-tokens.ts";
import { createPlatformNews } from "./news.ts";
import { createNodeDrainer } from "./node-drainer.ts";
import { createNodeRegistry } from "./nodes.ts";
import { createPools } from "./pools.ts";
import type { ClusterProvisioner, NodeOperations } from "./provisioner.ts";
import { createTenants } from "./tenants.ts";

export interface PlatformServicesOptions {
  readonly store: Store;
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly log: Log;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Buffer;
  readonly provisioner: ClusterProvisioner;
  readonly operations: NodeOperations;
  /** Absent: there are no webhooks in this installation. */
  readonly webhooks?: WebhookSettings;
  /** Of this program. */
  readonly version: string;
}

export type DomainServices = ReturnType<typeof createPlatformServices>;

/** Every service of the platform over the store, and the rounds that finish what requests begin; no HTTP. */
export function createPlatformServices(options: PlatformServicesOptions) {
  const { store, storeOf, clock, log, randomBytes, provisioner, operations, version } = options;
  const context = { store, storeOf, clock, log, randomBytes, makeId: createIdentifiers(clock.now, randomBytes) };
  const news = createPlatformNews();
  const webhooks = options.webhooks && createWebhooks({ ...context, version }, options.webhooks);
  const outbox = webhooks?.outbox ?? noOutbox;
  const tenants = createTenants(context);
  const keys = createApiKeys(context);
  const pools = createPools(context, { provisioner, news, outbox });
  const clusters = createClusters(context, { tenants, pools, provisioner, news, outbox });
  const heartbeats = createHeartbeats({ storeOf, clock, log });
  const joinTokens = createJoinTokens(context, pools);
  const nodes = createNodeRegistry(context, { joinTokens, heartbeats, operations, news, outbox });
  const reaper = createClusterReaper(context, { provisioner, news, nodes, outbox });
  const drainer = createNodeDrainer(context, nodes, operations);
  const housekeeping = createHousekeeping(context);
  const onDayClosed: OnDayClosed = (tenant, day, total) => outbox.operationsFor(tenant, [{ type: "usage.daily", data: { day, ...total } }]);
  return { tenants, keys, pools, clusters, heartbeats, joinTokens, nodes, news, reaper, drainer, housekeeping, webhooks, onDayClosed };
}
