import type { TokenIssuer } from "../auth/token.ts";
import type { Clock } from "../clock.ts";
import type { OnDayClosed } from "../metering/usage-days.ts";
import { createUsageMetering } from "../metering/usage-metering.ts";
import type { Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { noOutbox } from "../webhooks/outbox.ts";
import { createWebhooks, type WebhookSettings } from "../webhooks/webhooks.ts";
import { createPlatformApi } from "./api/app.ts";
import { createCursors } from "./api/cursor.ts";
import type { RateLimit } from "./api/rate-limit.ts";
import type { ServerFacts } from "./api/services.ts";
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

export interface PlatformOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Buffer;
  readonly uid: () => string;
  readonly tokens: Pick<TokenIssuer, "issueClusterToken">;
  readonly provisioner: ClusterProvisioner;
  readonly operations: NodeOperations;
  readonly server: () => ServerFacts;
  /** 32 bytes that stay the same over restarts: page cursors are signed with it. */
  readonly cursorKey: Buffer;
  readonly rateLimit?: RateLimit;
  /** Absent: there are no webhooks in this installation. */
  readonly webhooks?: WebhookSettings;
  /** Of this program, for the OpenAPI document. */
  readonly version: string;
}

export type Platform = ReturnType<typeof createPlatform>;

/** Every service of the platform over one store, its HTTP API, and the loops that finish what requests begin. */
export function createPlatform(options: PlatformOptions) {
  const { store, clock, log, randomBytes, provisioner, operations, uid } = options;
  const context = { store, clock, log, randomBytes, makeId: createIdentifiers(clock.now, randomBytes) };
  const news = createPlatformNews();
  const webhooks = options.webhooks && createWebhooks({ ...context, version: options.version }, options.webhooks);
  const outbox = webhooks?.outbox ?? noOutbox;
  const tenants = createTenants(context);
  const keys = createApiKeys(context);
  const pools = createPools(context, { provisioner, news, outbox });
  const clusters = createClusters(context, { tenants, pools, provisioner, news, outbox });
  const heartbeats = createHeartbeats({ store, clock, log });
  const joinTokens = createJoinTokens(context, pools);
  const nodes = createNodeRegistry(context, { joinTokens, heartbeats, operations, news, outbox });
  const reaper = createClusterReaper(context, { provisioner, news, nodes, outbox });
  const drainer = createNodeDrainer(context, nodes, operations);
  const housekeeping = createHousekeeping(context);
  const onDayClosed: OnDayClosed = (tenant, day, total) => outbox.operationsFor(tenant, [{ type: "usage.daily", data: { day, ...total } }]);
  const metering = createUsageMetering({ store, clock, log, writerId: uid(), onDayClosed });
  const app = createPlatformApi({
    services: {
      ...{ clock, store, tenants, keys, clusters, pools, nodes, joinTokens, heartbeats, tokens: options.tokens },
      cursors: createCursors(options.cursorKey),
      server: options.server,
      wakeReaper: reaper.wake,
      wakeDrainer: drainer.wake,
      ...(webhooks && { webhooks }),
    },
    ...{ store, log, uid, version: options.version },
    ...(options.rateLimit && { rateLimit: options.rateLimit }),
  });
  const loops = [reaper, drainer, housekeeping, metering, ...(webhooks ? [webhooks.deliverer] : [])];
  return {
    ...{ tenants, keys, pools, clusters, heartbeats, joinTokens, nodes, news, reaper, drainer, housekeeping, app },
    ...{ metering, meter: metering.meter, webhooks },
    start(): void {
      for (const loop of loops) loop.start();
    },
    async stop(): Promise<void> {
      await Promise.all(loops.map((loop) => loop.stop()));
      await heartbeats.flush();
    },
  };
}
