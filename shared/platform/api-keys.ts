import { type ApiKeyScope, apiKeyScopes, generateApiKey, parseApiKey } from "../auth/api-key.ts";
import type { SecretToken } from "../auth/secret-token.ts";
import { isStoreError } from "../store/store.ts";
import type { PlatformContext } from "./context.ts";
import { PlatformError } from "./problem.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  type ApiKeyRecord,
  apiKeyRecord,
  deleteRecord,
  everyRecord,
  getRecord,
  type Page,
  putRecord,
  queryPage,
  type Versioned,
  writeInChunks,
} from "./records.ts";

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  /** Absent: never. */
  readonly expiresAtMs?: number | undefined;
}

export interface ApiKeys {
  /** `key` is shown here and never again. */
  create(tenant: string, key: NewApiKey): Promise<{ readonly record: Versioned<ApiKeyRecord>; readonly key: string }>;
  /**
   * Takes in the key that was made of an installation's operator secret, once: revoked, it stays revoked, until there is another secret. Repeating it
   * changes nothing.
   */
  adoptOperatorKey(tenant: string, token: SecretToken): Promise<void>;
  /** @throws PlatformError `not-found` */
  get(tenant: string, id: string): Promise<Versioned<ApiKeyRecord>>;
  list(tenant: string, page: { from?: string | undefined; limit: number }): Promise<Page<ApiKeyRecord>>;
  /** From the next request on the key is worth nothing. @throws PlatformError `not-found` */
  revoke(tenant: string, id: string): Promise<void>;
  /** Whose key it is; `undefined` for what is not a key, was revoked or has expired. One consistent read. */
  authenticate(key: string): Promise<ApiKeyRecord | undefined>;
}

export function createApiKeys({ store, storeOf, clock, makeId, randomBytes }: PlatformContext): ApiKeys {
  async function get(tenant: string, id: string): Promise<Versioned<ApiKeyRecord>> {
    const found = await getRecord(storeOf(tenant), apiKeyRecord, recordKeys.apiKey(tenant, id));
    if (!found) throw new PlatformError("not-found", `There is no API key "${id}".`);
    return found;
  }

  function newKey(tenant: string, { prefix, hash }: SecretToken, { name, scopes, expiresAtMs }: NewApiKey) {
    const id = makeId("key");
    const value: ApiKeyRecord = {
      ...{ id, tenant, name, prefix, hash, scopes: [...new Set(scopes)], createdAtMs: clock.now() },
      ...(expiresAtMs !== undefined && { expiresAtMs }),
    };
    const operations = [putRecord(recordKeys.apiKey(tenant, id), 0, value), putRecord(recordKeys.apiKeyByHash(hash), 0, value)];
    return { value, operations };
  }

  return {
    get,
    async create(tenant, key) {
      const made = generateApiKey(randomBytes);
      const { value, operations } = newKey(tenant, made, key);
      const [version = 1] = await storeOf(tenant).writeRecords(operations);
      return { record: { value, version }, key: made.token };
    },
    async adoptOperatorKey(tenant, token) {
      const marker = recordKeys.operatorKey;
      const [known] = await store.getRecords([marker]);
      if (known?.value.hash === token.hash) return;
      const { operations } = newKey(tenant, token, { name: "operator", scopes: apiKeyScopes });
      try {
        await store.writeRecords([...operations, putRecord(marker, known?.version ?? 0, { hash: token.hash })]);
      } catch (error) {
        // Another process was faster.
        if (!isStoreError(error, "RevisionConflict")) throw error;
      }
    },
    list: (tenant, page) => queryPage(storeOf(tenant), apiKeyRecord, partitions.apiKeys(tenant), page),
    async revoke(tenant, id) {
      const { value } = await get(tenant, id);
      const its = storeOf(tenant);
      await its.writeRecords([deleteRecord(recordKeys.apiKey(tenant, id)), deleteRecord(recordKeys.apiKeyByHash(value.hash))]);
      const answers = await Array.fromAsync(everyRecord(its, partitions.idempotency(tenant, id)), ({ partition, sort }) =>
        deleteRecord({ partition, sort }),
      );
      await writeInChunks(its, answers);
    },
    async authenticate(key) {
      const parsed = parseApiKey(key);
      const found = parsed && (await getRecord(store, apiKeyRecord, recordKeys.apiKeyByHash(parsed.hash)));
      if (!found || (found.value.expiresAtMs !== undefined && found.value.expiresAtMs <= clock.now())) return undefined;
      return found.value;
    },
  };
}
