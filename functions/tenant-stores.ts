import { createHostBase } from "../shared/host/base.ts";
import type { Installation } from "../shared/host/installation.ts";
import { DynamoStore } from "../shared/store/dynamo/dynamo-store.ts";
import { objectPath } from "../shared/store/dynamo/keys.ts";
import type { Table } from "../shared/store/dynamo/table.ts";
import type { Store } from "../shared/store/store.ts";
import type { FunctionPorts } from "./ports.ts";

/** The store over a table that other processes write to as well. */
export type SharedStore = Store & Pick<DynamoStore, "wake">;

export interface TenantStores {
  /** What is no tenant's: look-ups, and the operator's lists. */
  readonly store: SharedStore;
  /** What serves one tenant goes through this: it reads that tenant's clusters and records alone, and writes no others but together with them. */
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
  const store = around(storeOn(table));
  const stores = new WeakMap<Table, SharedStore>([[table, store]]);
  const storeOf = (tenant: string): SharedStore => {
    const its = tableOf(tenant);
    const known = stores.get(its) ?? around(storeOn(its));
    stores.set(its, known);
    return known;
  };
  return { store, storeOf };
}
