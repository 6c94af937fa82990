import type { ApiKey, Cluster, JoinToken, Pool, PoolNode, Usage } from "./api-client.ts";
import { age, pairs, until, type View } from "./output.ts";

export const clusterView = (nowMs: number): View<Cluster> => ({
  kind: "cluster",
  name: ({ name }) => name,
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "STATE", cell: ({ state }) => state },
    { title: "NODES", cell: ({ nodes }) => String(nodes) },
    { title: "VERSION", cell: ({ kubernetesVersion }) => kubernetesVersion },
    { title: "AGE", cell: ({ createdAt }) => age(createdAt, nowMs) },
    { title: "ID", cell: ({ id }) => id, wide: true },
    { title: "POOL", cell: ({ pool }) => pool, wide: true },
    { title: "LABELS", cell: ({ labels }) => pairs(labels), wide: true },
    { title: "ENDPOINT", cell: ({ endpoint }) => endpoint, wide: true },
  ],
});

export const poolView = (nowMs: number): View<Pool> => ({
  kind: "pool",
  name: ({ name }) => name,
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "SIZE", cell: ({ size }) => String(size) },
    { title: "RUNTIME", cell: ({ runtime }) => runtime },
    { title: "CLUSTER", cell: ({ cluster }) => cluster ?? "<shared>" },
    { title: "AGE", cell: ({ createdAt }) => age(createdAt, nowMs) },
    { title: "ID", cell: ({ id }) => id, wide: true },
    { title: "LABELS", cell: ({ labels }) => pairs(labels), wide: true },
    {
      title: "TAINTS",
      cell: ({ taints }) => taints.map(({ key, value, effect }) => `${key}${value ? `=${value}` : ""}:${effect}`).join(",") || "<none>",
      wide: true,
    },
  ],
});

export const nodeView = (nowMs: number): View<PoolNode> => ({
  kind: "node",
  name: ({ name }) => name,
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "STATE", cell: ({ state }) => state },
    { title: "RUNTIME", cell: ({ runtime }) => runtime },
    { title: "LAST SEEN", cell: ({ lastSeenAt }) => age(lastSeenAt, nowMs) },
    { title: "AGE", cell: ({ joinedAt }) => age(joinedAt, nowMs) },
    { title: "POOL", cell: ({ pool }) => pool, wide: true },
    { title: "MACHINE", cell: ({ machineId }) => machineId, wide: true },
  ],
});

export const joinTokenView = (nowMs: number): View<JoinToken> => ({
  kind: "join-token",
  name: ({ id }) => id,
  columns: [
    { title: "ID", cell: ({ id }) => id },
    { title: "PREFIX", cell: ({ prefix }) => `cj_live_${prefix}` },
    { title: "STATE", cell: ({ state }) => state },
    { title: "USES", cell: ({ uses, maxUses }) => `${uses}/${maxUses ?? "∞"}` },
    { title: "EXPIRES", cell: ({ expiresAt }) => until(expiresAt, nowMs) },
    { title: "AGE", cell: ({ createdAt }) => age(createdAt, nowMs) },
    { title: "POOL", cell: ({ pool }) => pool, wide: true },
  ],
});

export const apiKeyView = (nowMs: number): View<ApiKey> => ({
  kind: "api-key",
  name: ({ id }) => id,
  columns: [
    { title: "ID", cell: ({ id }) => id },
    { title: "NAME", cell: ({ name }) => name },
    { title: "PREFIX", cell: ({ prefix }) => `ck_live_${prefix}` },
    { title: "SCOPES", cell: ({ scopes }) => scopes.join(",") },
    { title: "EXPIRES", cell: ({ expiresAt }) => until(expiresAt, nowMs) },
    { title: "AGE", cell: ({ createdAt }) => age(createdAt, nowMs) },
  ],
});

const hours = (seconds: number): string => (seconds / 3600).toFixed(2);

/** Hours are what people reckon in; the exact seconds and bytes are in `-o json`. */
export const usageView: View<Usage> = {
  kind: "period",
  name: ({ start }) => start,
  columns: [
    { title: "START", cell: ({ start }) => start.replace(/:00\.000Z$/, "Z") },
    { title: "CLUSTER", cell: ({ cluster }) => cluster ?? "-" },
    { title: "POOL", cell: ({ pool }) => pool ?? "-", wide: true },
    { title: "NODE-HOURS", cell: ({ nodeSeconds }) => hours(nodeSeconds) },
    { title: "POD-HOURS", cell: ({ podSeconds }) => hours(podSeconds) },
    { title: "CPU-HOURS", cell: ({ cpuMilliSeconds }) => hours(cpuMilliSeconds / 1000) },
    { title: "GIB-HOURS", cell: ({ memoryByteSeconds }) => hours(memoryByteSeconds / 2 ** 30) },
    { title: "READS", cell: ({ apiReads }) => String(apiReads) },
    { title: "WRITES", cell: ({ apiWrites }) => String(apiWrites) },
    { title: "WATCH-HOURS", cell: ({ watchSeconds }) => hours(watchSeconds) },
    { title: "STORED-GIB-HOURS", cell: ({ storedByteSeconds }) => (storedByteSeconds / 2 ** 30 / 3600).toFixed(6), wide: true },
  ],
};
