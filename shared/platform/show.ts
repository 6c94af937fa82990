import type { z } from "zod";
import { type UsageField, usageFields } from "../metering/amounts.ts";
import { dayMs, hourMs, startOfDay, startOfHour } from "../metering/periods.ts";
import type { UsageGranularity, UsageSum } from "../metering/usage-reader.ts";
import type { DeliveryRecord, EndpointRecord } from "../webhooks/records.ts";
import { toTimestamp } from "./fields.ts";
import { stateOf } from "./join-tokens.ts";
import type { ApiKeyRecord, ClusterRecord, JoinTokenRecord, NodeRecord, PoolRecord, TenantRecord } from "./records.ts";
import type {
  apiKeyResource,
  clusterResource,
  deliveryResource,
  joinTokenResource,
  nodeResource,
  poolResource,
  tenantResource,
  usageResource,
  webhookResource,
} from "./resources.ts";

/** A node that was silent for this long is shown as unreachable: the node controller's grace period (kube-controller-manager, 40 s). */
const unreachableMs = 40_000;
const optionalTime = (ms: number | undefined) => (ms === undefined ? null : toTimestamp(ms));

export const showTenant = ({ id, name, limits, createdAtMs }: TenantRecord): z.infer<typeof tenantResource> => ({
  id,
  name,
  maxClusters: limits.clusters,
  createdAt: toTimestamp(createdAtMs),
});

export const showApiKey = ({ id, name, prefix, scopes, createdAtMs, expiresAtMs }: ApiKeyRecord): z.infer<typeof apiKeyResource> => ({
  id,
  name,
  prefix,
  scopes,
  createdAt: toTimestamp(createdAtMs),
  expiresAt: optionalTime(expiresAtMs),
});

export const showCluster = (
  cluster: ClusterRecord,
  pool: PoolRecord | undefined,
  server: { readonly url: string; readonly kubernetesVersion: string },
): z.infer<typeof clusterResource> => ({
  id: cluster.id,
  name: cluster.name,
  state: cluster.state,
  kubernetesVersion: server.kubernetesVersion,
  endpoint: endpointOf(cluster.id, server.url),
  nodes: pool?.size ?? 0,
  pool: cluster.pool,
  ownsPool: cluster.ownsPool,
  schedulingPaused: cluster.schedulingPaused ?? false,
  labels: cluster.labels,
  createdAt: toTimestamp(cluster.createdAtMs),
  updatedAt: toTimestamp(cluster.updatedAtMs),
});

export const endpointOf = (cluster: string, serverUrl: string): string => `${serverUrl.replace(/\/$/, "")}/clusters/${cluster}`;

export const showPool = (pool: PoolRecord): z.infer<typeof poolResource> => ({
  id: pool.id,
  name: pool.name,
  size: pool.size,
  runtime: pool.runtime,
  labels: pool.labels,
  taints: pool.taints,
  cluster: pool.ownerCluster ?? null,
  createdAt: toTimestamp(pool.createdAtMs),
  updatedAt: toTimestamp(pool.updatedAtMs),
});

export const showNode = (
  node: NodeRecord,
  lastSeenMs: number | undefined,
  nowMs: number,
  graceMs = unreachableMs,
): z.infer<typeof nodeResource> => ({
  name: node.name,
  pool: node.pool,
  state: node.drain !== "none" ? node.drain : lastSeenMs !== undefined && nowMs - lastSeenMs < graceMs ? "ready" : "unreachable",
  runtime: node.runtime,
  machineId: node.machineId,
  joinedAt: toTimestamp(node.joinedAtMs),
  lastSeenAt: optionalTime(lastSeenMs),
});

export const showJoinToken = (token: JoinTokenRecord, nowMs: number): z.infer<typeof joinTokenResource> => ({
  id: token.id,
  pool: token.pool,
  prefix: token.prefix,
  state: stateOf(token, nowMs),
  uses: token.uses,
  maxUses: token.maxUses ?? null,
  createdAt: toTimestamp(token.createdAtMs),
  expiresAt: toTimestamp(token.expiresAtMs),
});

export function showUsage({ period, cluster, pool, amounts }: UsageSum, granularity: UsageGranularity): z.infer<typeof usageResource> {
  const startMs = granularity === "hour" ? startOfHour(period) : startOfDay(period);
  const endMs = startMs + (granularity === "hour" ? hourMs : dayMs);
  const all = Object.fromEntries(usageFields.map((field) => [field, amounts[field] ?? 0])) as Record<UsageField, number>;
  return { start: toTimestamp(startMs), end: toTimestamp(endMs), cluster: cluster || null, pool: pool || null, ...all };
}

export const showWebhook = (endpoint: EndpointRecord): z.infer<typeof webhookResource> => ({
  id: endpoint.id,
  url: endpoint.url,
  events: endpoint.events,
  description: endpoint.description,
  enabled: endpoint.enabled,
  createdAt: toTimestamp(endpoint.createdAtMs),
  updatedAt: toTimestamp(endpoint.updatedAtMs),
});

export const showDelivery = (delivery: DeliveryRecord): z.infer<typeof deliveryResource> => ({
  message: delivery.message,
  type: delivery.type,
  state: delivery.state,
  attempts: delivery.attempts,
  createdAt: toTimestamp(delivery.createdAtMs),
  lastAttemptAt: optionalTime(delivery.lastAttemptMs),
  nextAttemptAt: delivery.state === "pending" ? toTimestamp(delivery.dueMs) : null,
  lastOutcome: delivery.lastOutcome ?? null,
});
