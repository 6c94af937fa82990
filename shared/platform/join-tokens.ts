import { generateSecretToken, parseSecretToken } from "../auth/secret-token.ts";
import { isStoreError } from "../store/store.ts";
import type { PlatformContext } from "./context.ts";
import type { Pools } from "./pools.ts";
import { PlatformError } from "./problem.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  deleteRecord,
  getRecord,
  type JoinTokenRecord,
  joinTokenRecord,
  type Page,
  putRecord,
  queryPage,
  untilUncontended,
  type Versioned,
} from "./records.ts";

export interface NewJoinToken {
  readonly ttlSeconds: number;
  /** Absent: any number of machines. */
  readonly maxUses?: number | undefined;
}

export type JoinTokenState = "active" | "expired" | "used-up" | "revoked";

export interface JoinTokens {
  /** `token` is shown here and never again. @throws PlatformError `not-found` (the pool) */
  create(
    tenant: string,
    pool: string,
    token: NewJoinToken,
  ): Promise<{ readonly record: Versioned<JoinTokenRecord>; readonly token: string }>;
  list(tenant: string, pool: string, page: { from?: string | undefined; limit: number }): Promise<Page<JoinTokenRecord>>;
  /** No machine joins by it any more; those that did stay. @throws PlatformError `not-found` */
  revoke(tenant: string, pool: string, id: string): Promise<void>;
  /** The token's record, whatever its state; `undefined` for what is no token or was deleted. */
  find(token: string): Promise<Versioned<JoinTokenRecord> | undefined>;
}

const kind = "cj_live";

export function stateOf(token: JoinTokenRecord, nowMs: number): JoinTokenState {
  if (token.revoked > 0) return "revoked";
  if (token.expiresAtMs <= nowMs) return "expired";
  return token.maxUses !== undefined && token.uses >= token.maxUses ? "used-up" : "active";
}

export function createJoinTokens({ store, storeOf, clock, makeId, randomBytes }: PlatformContext, pools: Pools): JoinTokens {
  return {
    async create(tenant, pool, { ttlSeconds, maxUses }) {
      await pools.get(tenant, pool);
      const { token, prefix, hash } = generateSecretToken(kind, randomBytes);
      const now = clock.now();
      const id = makeId("jt");
      const value: JoinTokenRecord = {
        ...{ id, tenant, pool, prefix, hash, createdAtMs: now, expiresAtMs: now + ttlSeconds * 1000, uses: 0, revoked: 0 },
        ...(maxUses !== undefined && { maxUses }),
      };
      await storeOf(tenant).writeRecords([
        putRecord(recordKeys.joinToken(tenant, pool, id), 0, value),
        putRecord(recordKeys.joinTokenByHash(hash), 0, { tenant, pool, id }),
      ]);
      return { record: { value, version: 1 }, token };
    },
    async list(tenant, pool, page) {
      await pools.get(tenant, pool);
      return queryPage(storeOf(tenant), joinTokenRecord, partitions.joinTokens(tenant, pool), page);
    },
    revoke: (tenant, pool, id) =>
      untilUncontended(async () => {
        const key = recordKeys.joinToken(tenant, pool, id);
        const found = await getRecord(storeOf(tenant), joinTokenRecord, key);
        if (!found) throw new PlatformError("not-found", `There is no join token "${id}".`);
        await storeOf(tenant).writeRecords([putRecord(key, found.version, { ...found.value, revoked: 1 })]);
      }),
    async find(token) {
      const parsed = parseSecretToken(kind, token);
      const [pointer] = parsed ? await store.getRecords([recordKeys.joinTokenByHash(parsed.hash)]) : [];
      const { tenant, pool, id } = pointer?.value ?? {};
      if (typeof tenant !== "string" || typeof pool !== "string" || typeof id !== "string") return undefined;
      return getRecord(storeOf(tenant), joinTokenRecord, recordKeys.joinToken(tenant, pool, id));
    },
  };
}

/** Deletes tokens a day after they ended, so that a late machine still learns why it is refused. */
export async function sweepJoinTokens({ storeOf, clock }: PlatformContext, tenant: string, pool: string): Promise<void> {
  const store = storeOf(tenant);
  const dayMs = 86_400_000;
  let from: string | undefined;
  do {
    const page = await queryPage(store, joinTokenRecord, partitions.joinTokens(tenant, pool), { from, limit: 500 });
    for (const { value, version } of page.items) {
      if (value.expiresAtMs + dayMs > clock.now()) continue;
      try {
        await store.writeRecords([
          deleteRecord(recordKeys.joinToken(tenant, pool, value.id), version),
          deleteRecord(recordKeys.joinTokenByHash(value.hash)),
        ]);
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict")) throw error;
      }
    }
    from = page.next;
  } while (from !== undefined);
}
