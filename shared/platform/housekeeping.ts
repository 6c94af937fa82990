import { forEachBounded } from "../controllers/bounded.ts";
import { idempotencyRecord, retentionMs } from "./api/idempotency.ts";
import type { PlatformContext } from "./context.ts";
import { sweepJoinTokens } from "./join-tokens.ts";
import { sweepRemovedNodes } from "./nodes.ts";
import { partitions } from "./record-keys.ts";
import { deleteRecord, everyRecord } from "./records.ts";
import { createRounds, type Rounds } from "./rounds.ts";

const hourMs = 3_600_000;
const tenantsAtOnce = 8;

/** Once an hour deletes what has run out: join tokens, kept answers, marks of removed nodes. No tenant keeps others waiting. */
export function createHousekeeping(context: PlatformContext): Rounds & { round(): Promise<number> } {
  const { store, storeOf, clock, log } = context;

  async function sweepAnswers(tenant: string, keyId: string): Promise<void> {
    for await (const { partition, sort, version, value } of everyRecord(storeOf(tenant), partitions.idempotency(tenant, keyId))) {
      if (idempotencyRecord.parse(value).atMs + retentionMs < clock.now()) {
        await storeOf(tenant).writeRecords([deleteRecord({ partition, sort }, version)]);
      }
    }
  }

  async function sweepTenant(tenant: string): Promise<void> {
    for await (const { sort: keyId } of everyRecord(storeOf(tenant), partitions.apiKeys(tenant))) await sweepAnswers(tenant, keyId);
    for await (const { sort: pool } of everyRecord(storeOf(tenant), partitions.pools(tenant))) await sweepJoinTokens(context, tenant, pool);
  }

  async function round(): Promise<number> {
    await sweepRemovedNodes(context);
    const tenants = await Array.fromAsync(everyRecord(store, partitions.tenants), ({ sort }) => sort);
    await forEachBounded(tenants, tenantsAtOnce, (tenant) =>
      sweepTenant(tenant).catch((error: unknown) => log.error("a tenant's records were not tidied up", error, { tenant })),
    );
    return 0;
  }
  return { ...createRounds({ clock, log, name: "housekeeping", round, retryMs: hourMs, restMs: hourMs }), round };
}
