import { isStoreError } from "../store/store.ts";
import type { PlatformContext } from "./context.ts";
import { PlatformError } from "./problem.ts";
import { partitions, recordKeys, reservedTenants } from "./record-keys.ts";
import { getRecord, type Page, putRecord, queryPage, type TenantRecord, tenantRecord, type Versioned } from "./records.ts";

export interface NewTenant {
  readonly name: string;
  /** Default: a fresh one. */
  readonly id?: string | undefined;
  /** How many clusters it may have. */
  readonly maxClusters?: number | undefined;
}

export interface Tenants {
  /** @throws PlatformError `name-taken` when the id is, or is reserved. */
  create(tenant: NewTenant): Promise<Versioned<TenantRecord>>;
  /** @throws PlatformError `not-found` */
  get(id: string): Promise<Versioned<TenantRecord>>;
  list(page: { from?: string | undefined; limit: number }): Promise<Page<TenantRecord>>;
}

const defaultMaxClusters = 20_000;

export function createTenants({ store, clock, makeId }: PlatformContext): Tenants {
  return {
    async create({ name, id = makeId("tn"), maxClusters = defaultMaxClusters }) {
      if (reservedTenants.includes(id)) throw new PlatformError("name-taken", `No tenant may have the id "${id}".`);
      const value: TenantRecord = { id, name, limits: { clusters: maxClusters }, createdAtMs: clock.now() };
      try {
        const [version = 1] = await store.writeRecords([putRecord(recordKeys.tenant(id), 0, value)]);
        return { value, version };
      } catch (error) {
        if (isStoreError(error, "RevisionConflict")) throw new PlatformError("name-taken", `There is a tenant with the id "${id}".`);
        throw error;
      }
    },
    async get(id) {
      const found = await getRecord(store, tenantRecord, recordKeys.tenant(id));
      if (!found) throw new PlatformError("not-found", `There is no tenant "${id}".`);
      return found;
    },
    list: (page) => queryPage(store, tenantRecord, partitions.tenants, page),
  };
}
