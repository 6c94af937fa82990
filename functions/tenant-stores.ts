import { createHostBase } from "../shared/host/base.ts";
import type { Installation } from "../shared/host/installation.ts";
import { overStore } from "../shared/host/over-store.ts";
import { DynamoStore } from "../shared/store/dynamo/dynamo-store.ts";
import { objectPath } from "../shared/store/dynamo/keys.ts";
import type { Table } from "../shared/store/dynamo/table.ts";
import type { Store } from "../shared/store/store.ts";
import type { FunctionPorts } from "./ports.ts";

/** The store over a table that other processes write to as well. */
export type SharedStore = Store & Pick<DynamoStore, "wake">;

export interface TenantStores {
  /** Everything: the platform's records, and the clusters of all tenants. */
  readonly store: SharedStore;
  /** What serves one tenant goes through this: it reaches that tenant's clusters and records alone. */
  readonly storeOf: (tenant: string) => SharedStore;
}

/** `around`: what a host puts between a store and those who use it. */
export function openStores(
  { clock, random, uid, table, tableOf }: FunctionPorts,
  { sealer, caPem }: Installation,
  around: (store: SharedStore) => SharedStore,
): TenantStores {
  const base = createHostBase(caPem, objectPath);
  const storeOn = (its: Table): SharedStore => new DynamoStore({ clock, random, makeId: uid, table: its, sealer, base });
  const store: SharedStore = around(dropsByTenant(storeOn(table), (tenant) => (tableOf(tenant) === table ? undefined : storeOf(tenant))));
  const stores = new WeakMap<Table, SharedStore>([[table, store]]);
  const storeOf = (tenant: string): SharedStore => {
    const its = tableOf(tenant);
    const known = stores.get(its) ?? around(storeOn(its));
    stores.set(its, known);
    return known;
  };
  return { store, storeOf };
}

/** What is in a cluster goes in its tenant's name, where there are such. */
const dropsByTenant = (own: SharedStore, storeOf: (tenant: string) => SharedStore | undefined): SharedStore => ({
  ...overStore(own, { dropCluster: (ref) => (storeOf(ref.tenant) ?? own).dropCluster(ref) }),
  wake: (ref) => own.wake(ref),
});
