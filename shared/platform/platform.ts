import type { TokenIssuer } from "../auth/token.ts";
import type { Clock } from "../clock.ts";
import { createUsageMetering } from "../metering/usage-metering.ts";
import type { Store, StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import type { WebhookSettings } from "../webhooks/webhooks.ts";
import { createPlatformApi } from "./api/app.ts";
import { createCursors } from "./api/cursor.ts";
import type { RateLimit } from "./api/rate-limit.ts";
import type { ServerFacts } from "./api/services.ts";
import { createPlatformServices } from "./platform-services.ts";
import type { ClusterProvisioner, NodeOperations } from "./provisioner.ts";

export interface PlatformOptions {
  readonly store: Store;
  /** As `PlatformContext` has it. */
  readonly storeOf: StoreOf;
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
  /** How long a node may be silent before it is shown as unreachable. Absent: 40 s. */
  readonly nodeGraceMs?: number;
  /** Of this program, for the OpenAPI document. */
  readonly version: string;
}

export type Platform = ReturnType<typeof createPlatform>;

/** Every service of the platform over the store, its HTTP API, and the loops that finish what requests begin. */
export function createPlatform(options: PlatformOptions) {
  const { store, storeOf, clock, log, randomBytes, provisioner, operations, uid } = options;
  const services = createPlatformServices({
    ...{ store, storeOf, clock, log, randomBytes, provisioner, operations, version: options.version },
    ...(options.webhooks && { webhooks: options.webhooks }),
  });
  const { webhooks, heartbeats, reaper, drainer, housekeeping } = services;
  const metering = createUsageMetering({ store, storeOf, clock, log, writerId: uid(), onDayClosed: services.onDayClosed });
  const { tenants, keys, pools, clusters, joinTokens, nodes } = services;
  const app = createPlatformApi({
    services: {
      ...{ tenants, keys, pools, clusters, joinTokens, nodes, heartbeats },
      ...{ clock, storeOf, tokens: options.tokens },
      cursors: createCursors(options.cursorKey),
      server: options.server,
      nodeGraceMs: options.nodeGraceMs,
      wakeReaper: reaper.wake,
      wakeDrainer: drainer.wake,
      ...(webhooks && { webhooks }),
    },
    ...{ storeOf, log, uid, version: options.version },
    ...(options.rateLimit && { rateLimit: options.rateLimit }),
  });
  const loops = [reaper, drainer, housekeeping, metering, ...(webhooks ? [webhooks.deliverer] : [])];
  return {
    ...services,
    ...{ app, metering, meter: metering.meter },
    start(): void {
      for (const loop of loops) loop.start();
    },
    async stop(): Promise<void> {
      await Promise.all(loops.map((loop) => loop.stop()));
      await heartbeats.flush();
    },
  };
}
