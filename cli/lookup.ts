import type { ApiClient, Cluster, Pool } from "./api-client.ts";
import { CliError, isCliError } from "./exit-codes.ts";

/** People name things by name or by id; a name wins. @throws CliError `notFound` */
export const findCluster = (api: ApiClient, nameOrId: string): Promise<Cluster> => find(api, "clusters", "cluster", nameOrId);
export const findPool = (api: ApiClient, nameOrId: string): Promise<Pool> => find(api, "pools", "pool", nameOrId);

async function find<T>(api: ApiClient, collection: string, kind: string, nameOrId: string): Promise<T> {
  const missing = new CliError("notFound", `there is no ${kind} "${nameOrId}"`);
  if (!/^[a-z0-9][-a-z0-9]{0,62}$/.test(nameOrId)) throw missing;
  const { items } = await api.get<{ items: T[] }>(`/v1/${collection}?name=${nameOrId}`);
  const [found] = items;
  if (found !== undefined) return found;
  try {
    return await api.get<T>(`/v1/${collection}/${nameOrId}`);
  } catch (error) {
    throw isCliError(error, "notFound") ? missing : error;
  }
}

/** The pool that is meant: named itself, or that of a cluster, or the only one there is. @throws CliError `usage`, `notFound` */
export async function choosePool(api: ApiClient, { pool, cluster }: { pool?: string; cluster?: string }): Promise<Pool> {
  if (pool !== undefined) return findPool(api, pool);
  if (cluster !== undefined) return findPool(api, (await findCluster(api, cluster)).pool);
  const { items } = await api.get<{ items: Pool[] }>("/v1/pools?limit=2");
  const [only] = items;
  if (only === undefined) throw new CliError("notFound", "there is no pool yet: create a cluster or a pool first");
  if (items.length > 1) throw new CliError("usage", "there are several pools: say --pool or --cluster");
  return only;
}
