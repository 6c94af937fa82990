import type { RecordKey } from "../store/store.ts";

/**
 * Where every record of the platform lies. What belongs to a tenant begins with its id; `platform#…` is the operator's, and the
 * look-ups by a secret or a cluster's id (`api-key#…`, `cluster#…`) have a partition each, so that none of them grows hot.
 */
export const partitions = {
  tenants: "platform#tenants",
  /** Clusters on their way out, of all tenants; sort `tenant/cluster`. Empty nearly always. */
  deletingClusters: "platform#deleting",
  /** Nodes being drained, of all tenants; sort `tenant/pool/node`. */
  drainingNodes: "platform#draining",
  /** Nodes that were removed and may still be in clusters, of all tenants; sort `tenant/pool/node/hash of its credential`. */
  removingNodes: "platform#removing",
  /** Credentials of nodes that were removed, by the time of it. */
  removedNodes: "platform#removed-nodes",
  apiKeys: (tenant: string) => `${tenant}#keys`,
  clusters: (tenant: string) => `${tenant}#clusters`,
  pools: (tenant: string) => `${tenant}#pools`,
  /** The clusters that draw on a pool. */
  poolClusters: (tenant: string, pool: string) => `${tenant}#pool-clusters#${pool}`,
  nodes: (tenant: string, pool: string) => `${tenant}#nodes#${pool}`,
  heartbeats: (tenant: string, pool: string) => `${tenant}#heartbeats#${pool}`,
  commitments: (tenant: string, pool: string) => `${tenant}#committed#${pool}`,
  /** How often something changed that a node has to be told: a node's name, or `*` for what concerns all of them. */
  marks: (tenant: string, pool: string) => `${tenant}#marks#${pool}`,
  /** What each machine's pods have of the pool's addresses; sort: the first address in hexadecimal. */
  podRanges: (tenant: string, pool: string) => `${tenant}#pod-ranges#${pool}`,
  joinTokens: (tenant: string, pool: string) => `${tenant}#join-tokens#${pool}`,
  /** Answers kept for a repeated request, of one API key. */
  idempotency: (tenant: string, keyId: string) => `${tenant}#idempotency#${keyId}`,
} as const;

/** What partitions begin with that are no tenant's: no tenant may be called so. */
export const reservedTenants: readonly string[] = ["platform", "api-key", "cluster", "join-token", "node-credential"];

export const recordKeys = {
  tenant: (tenant: string): RecordKey => ({ partition: partitions.tenants, sort: tenant }),
  /** Counters that are checked against the tenant's limits. */
  tenantUsage: (tenant: string): RecordKey => ({ partition: `${tenant}#usage`, sort: "counts" }),
  apiKey: (tenant: string, id: string): RecordKey => ({ partition: partitions.apiKeys(tenant), sort: id }),
  /** The hash of the operator's first key. */
  operatorKey: { partition: "platform#installation", sort: "operator-key" },
  apiKeyByHash: (hash: string): RecordKey => ({ partition: `api-key#${hash.slice(0, 4)}`, sort: hash }),
  cluster: (tenant: string, cluster: string): RecordKey => ({ partition: partitions.clusters(tenant), sort: cluster }),
  clusterName: (tenant: string, name: string): RecordKey => ({ partition: `${tenant}#cluster-names`, sort: name }),
  clusterTenant: (cluster: string): RecordKey => ({ partition: `cluster#${cluster}`, sort: "tenant" }),
  deletingCluster: (tenant: string, cluster: string): RecordKey => ({
    partition: partitions.deletingClusters,
    sort: `${tenant}/${cluster}`,
  }),
  pool: (tenant: string, pool: string): RecordKey => ({ partition: partitions.pools(tenant), sort: pool }),
  poolName: (tenant: string, name: string): RecordKey => ({ partition: `${tenant}#pool-names`, sort: name }),
  poolCluster: (tenant: string, pool: string, cluster: string): RecordKey => ({
    partition: partitions.poolClusters(tenant, pool),
    sort: cluster,
  }),
  node: (tenant: string, pool: string, node: string): RecordKey => ({ partition: partitions.nodes(tenant, pool), sort: node }),
  heartbeat: (tenant: string, pool: string, node: string): RecordKey => ({ partition: partitions.heartbeats(tenant, pool), sort: node }),
  /** What the pods of every cluster have taken of a node: the scheduler's commits are conditional on it. */
  nodeCommitments: (tenant: string, pool: string, node: string): RecordKey => ({
    partition: partitions.commitments(tenant, pool),
    sort: node,
  }),
  mark: (tenant: string, pool: string, node: string): RecordKey => ({ partition: partitions.marks(tenant, pool), sort: node }),
  poolMark: (tenant: string, pool: string): RecordKey => ({ partition: partitions.marks(tenant, pool), sort: "*" }),
  podRange: (tenant: string, pool: string, block: string): RecordKey => ({ partition: partitions.podRanges(tenant, pool), sort: block }),
  /** Where the search for the next free range begins. */
  podRangeCursor: (tenant: string, pool: string): RecordKey => ({ partition: `${tenant}#pod-range-cursors`, sort: pool }),
  drainingNode: (tenant: string, pool: string, node: string): RecordKey => ({
    partition: partitions.drainingNodes,
    sort: `${tenant}/${pool}/${node}`,
  }),
  removingNode: (tenant: string, pool: string, node: string, hash: string): RecordKey => ({
    partition: partitions.removingNodes,
    sort: `${tenant}/${pool}/${node}/${hash}`,
  }),
  nodeCredential: (hash: string): RecordKey => ({ partition: `node-credential#${hash.slice(0, 4)}`, sort: hash }),
  removedNode: (removedAtMs: number, hash: string): RecordKey => ({
    partition: partitions.removedNodes,
    sort: `${String(removedAtMs).padStart(15, "0")}/${hash}`,
  }),
  joinToken: (tenant: string, pool: string, id: string): RecordKey => ({ partition: partitions.joinTokens(tenant, pool), sort: id }),
  joinTokenByHash: (hash: string): RecordKey => ({ partition: `join-token#${hash.slice(0, 4)}`, sort: hash }),
  idempotency: (tenant: string, keyId: string, hash: string): RecordKey => ({
    partition: partitions.idempotency(tenant, keyId),
    sort: hash,
  }),
} as const;
