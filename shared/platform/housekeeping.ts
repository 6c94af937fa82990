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

/** Once an hour deletes what has run out: join tokens, kept answers, marks of removed nodes. Each by itself, and no tenant keeps others waiting. */
export function createHousekeeping(context: PlatformContext): Rounds & { round(): Promise<number> } {
  const { store, storeOf, clock, log } = context;

  const attempt = (what: string, part: Promise<void>, tenant?: string): Promise<void> =>
    part.catch((error: unknown) => log.error("not tidied up", error, { what, tenant }));

  async function sweepAnswers(tenant: string): Promise<void> {
    const its = storeOf(tenant);
    for await (const { sort: keyId } of everyRecord(its, partitions.apiKeys(tenant))) {
      for await (const { partition, sort, version, value } of everyRecord(its, partitions.idempotency(tenant, keyId))) {
        if (idempotencyRecord.parse(value).atMs + retentionMs >= clock.now()) continue;
        await its.writeRecords([deleteRecord({ partition, sort }, version)]);
      }
    }
  }

  async function sweepTokens(tenant: string): Promise<void> {
    for await (const { sort: pool } of everyRecord(storeOf(tenant), partitions.pools(tenant))) await sweepJoinTokens(context, tenant, pool);
  }

  async function round(): Promise<number> {
    await attempt("marks of removed nodes", sweepRemovedNodes(context));
    const tenants = await Array.fromAsync(everyRecord(store, partitions.tenants), ({ sort }) => sort);
    await forEachBounded(tenants, tenantsAtOnce, async (tenant) => {
      await attempt("kept answers", sweepAnswers(tenant), tenant);
      await attempt("join tokens", sweepTokens(tenant), tenant);
    });
    return 0;
  }
  return { ...createRounds({ clock, log, name: "housekeeping", round, retryMs: hourMs, restMs: hourMs }), round };
}
