import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { nodes } from "../../kubernetes/known-resources.ts";
import type { Node, Pod } from "../../kubernetes/types.ts";
import { amountOf, podRequests } from "../../scheduler/requests.ts";
import { clusterPartitions } from "../../store/cluster-records.ts";
import type { RecordKey, RecordOperation } from "../../store/store.ts";
import type { ApiCluster } from "../api-cluster.ts";
import type { Companions } from "../registry.ts";

/** The `spec.providerID` of a machine that joined a pool, `coracle://{pool}/{node}`: unlike a label it cannot be changed. */
const providerId = /^coracle:\/\/([^/]+)\//;

type Amounts = Record<string, number>;
const none: Companions = { operations: [], records: [] };

const poolOf = (node: Node | undefined): string | undefined => providerId.exec(node?.spec?.providerID ?? "")?.[1];

/**
 * What is committed on a machine is counted once for all clusters of its pool: one record a machine, changed in the transactions that
 * bind pods and end them. So two schedulers can waste work but never over-commit a node. What is bound to the name of a Node that is no
 * pool's counts for its cluster alone, whether that Node is there or not: so no reader can be too late to see it come or go.
 */
function claimKey({ ref }: ApiCluster, name: string, node: Node | undefined): RecordKey {
  const pool = poolOf(node);
  const partition = pool === undefined ? clusterPartitions.poollessCommitments(ref) : `${ref.tenant}#committed#${pool}`;
  return { partition, sort: name };
}

/** CPU in thousandths, the rest in bytes or pieces. */
export function amountsOf(pod: Pod): Amounts {
  const requests = podRequests(pod);
  const amounts: Amounts = { pods: 1 };
  if (requests.cpuMillis > 0) amounts.cpu = requests.cpuMillis;
  if (requests.memoryBytes > 0) amounts.memory = requests.memoryBytes;
  if (requests.ephemeralStorageBytes > 0) amounts["ephemeral-storage"] = requests.ephemeralStorageBytes;
  for (const [name, amount] of requests.scalars) amounts[name] = amount;
  return amounts;
}

/** The claim of some pods on a node, on the condition that the node, if it is there, still has room for all of them together. */
export function claimOf(cluster: ApiCluster, name: string, node: Node | undefined, pods: readonly Pod[]): RecordOperation {
  const add = sumOf(pods, 1);
  const allocatable = node?.status?.allocatable ?? node?.status?.capacity;
  const atMost: Amounts = {};
  for (const [resource, amount] of Object.entries(add)) {
    const room = allocatable?.[resource];
    if (allocatable) atMost[resource] = (room === undefined ? 0 : amountOf(resource, room)) - amount;
  }
  return { kind: "add", ...claimKey(cluster, name, node), add, atMost };
}

function sumOf(pods: readonly Pod[], sign: number): Amounts {
  const sum: Amounts = {};
  for (const pod of pods) for (const [name, amount] of Object.entries(amountsOf(pod))) sum[name] = (sum[name] ?? 0) + sign * amount;
  return sum;
}

async function change(cluster: ApiCluster, nodeName: string, add: Amounts): Promise<Companions> {
  const node = await nodeNamed(cluster, nodeName);
  return { operations: [], records: [{ kind: "add", ...claimKey(cluster, nodeName, node), add }] };
}

/** Also one that a mirror which is behind does not show yet: what is bound to it counts all the same. */
export async function nodeNamed({ mirror, store, ref }: ApiCluster, name: string): Promise<Node | undefined> {
  const shown = mirror.get(nodes, "", name) ?? (await store.latest(ref, [{ ...nodes, namespace: "", name }]))[0];
  return shown?.object as Node | undefined;
}

/** A pod that is made with its node's name goes past the scheduler: it counts, whether there is room or not. */
export async function claimOfNewPod(cluster: ApiCluster, pod: Pod): Promise<Companions> {
  const nodeName = pod.spec?.nodeName ?? "";
  return nodeName === "" ? none : change(cluster, nodeName, sumOf([pod], 1));
}

/**
 * What is already bound to the name of a Node that comes counts for its pool from then on, and for the cluster alone again when the Node
 * goes. Pods that are bound to the name in the very moment in which a pool's Node comes or goes may be counted on the other side.
 */
async function moveToPool(cluster: ApiCluster, node: Node, sign: 1 | -1): Promise<Companions> {
  if (poolOf(node) === undefined) return none;
  const name = node.metadata.name ?? "";
  await cluster.mirror.reached((await cluster.store.head(cluster.ref)).revision);
  const pods = cluster.mirror.podsOnNode(name).map((stored) => stored.object as Pod);
  const running = pods.filter((pod) => !hasEnded(pod));
  if (running.length === 0) return none;
  const moved = (of: Node | undefined, sign: number): RecordOperation => ({
    kind: "add",
    ...claimKey(cluster, name, of),
    add: sumOf(running, sign),
  });
  return { operations: [], records: [moved(node, sign), moved(undefined, -sign)] };
}

export const claimsOfNewNode = (cluster: ApiCluster, node: Node): Promise<Companions> => moveToPool(cluster, node, 1);
export const releaseOfNode = (cluster: ApiCluster, node: Node): Promise<Companions> => moveToPool(cluster, node, -1);

const hasEnded = (pod: Pod | undefined): boolean =>
  pod === undefined || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Gives back what a bound pod held, once: when it ends or when it goes without having ended. */
export async function releaseOfPod(cluster: ApiCluster, before: Pod, after: Pod | undefined): Promise<Companions> {
  const nodeName = before.spec?.nodeName ?? "";
  if (nodeName === "" || hasEnded(before)) return none;
  if (after !== undefined && !hasEnded(after)) return changeOfPod(cluster, nodeName, before, after);
  return change(cluster, nodeName, sumOf([before], -1));
}

/**
 * What a resize takes or gives back. It is taken when it is asked for, whether there is room or not, and binding looks at what is left: the
 * node puts into effect only what fits, and what never will is not counted any more once the node has said so (KEP-1287).
 */
async function changeOfPod(cluster: ApiCluster, nodeName: string, before: Pod, after: Pod): Promise<Companions> {
  if (!mayAskForOther(before, after)) return none;
  const [old, next] = [amountsOf(before), amountsOf(after)];
  const names = new Set([...Object.keys(old), ...Object.keys(next)]);
  const add: Amounts = {};
  for (const name of names) {
    const difference = (next[name] ?? 0) - (old[name] ?? 0);
    if (difference !== 0) add[name] = difference;
  }
  return Object.keys(add).length === 0 ? none : change(cluster, nodeName, add);
}

/** Of the many updates of a pod few concern what `podRequests` looks at. */
function mayAskForOther(before: Pod, after: Pod): boolean {
  if (before.metadata.generation !== after.metadata.generation) return true;
  const [old, next] = [before.status ?? {}, after.status ?? {}];
  return (
    (["containerStatuses", "initContainerStatuses"] as const).some((field) => {
      const known = old[field] ?? [];
      const statuses = next[field] ?? [];
      return known.length !== statuses.length || statuses.some(({ resources }, index) => !deepEqual(resources, known[index]?.resources));
    }) || isInfeasible(before) !== isInfeasible(after)
  );
}

const isInfeasible = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, reason }) => type === "PodResizePending" && reason === "Infeasible") ?? false;
