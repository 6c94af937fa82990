import type { Node, Pod } from "../kubernetes/types.ts";
import { isStoreError, type Operation, type RecordOperation, type StoredObject } from "../store/store.ts";
import { type ApiCluster, timestamp } from "./api-cluster.ts";
import { claimOf, nodeNamed } from "./companions/node-claims.ts";
import type { Binding, BindOutcome } from "./object-client.ts";

interface Candidate {
  readonly index: number;
  readonly live: StoredObject;
  readonly pod: Pod;
  readonly node: Node | undefined;
  readonly binding: Binding;
}

/** Binds what can be bound, in as few transactions as the store's limit allows. Outcomes come in the order of the bindings. */
export async function bindPods(cluster: ApiCluster, bindings: readonly Binding[]): Promise<BindOutcome[]> {
  const outcomes: BindOutcome[] = bindings.map(() => ({ kind: "stale" }));
  const keys = bindings.map(({ namespace, name }) => ({ group: "", resource: "pods", namespace, name }));
  const found = await cluster.store.latest(cluster.ref, keys, (key) => cluster.mirror.get(key, key.namespace, key.name));
  const candidates: Candidate[] = [];
  const named = new Map<string, Node | undefined>();
  for (const [index, binding] of bindings.entries()) {
    const live = found[index];
    if (!live || !isBindable(live, binding)) continue;
    const { nodeName } = binding;
    if (!named.has(nodeName)) named.set(nodeName, await nodeNamed(cluster, nodeName));
    candidates.push({ index, live, pod: live.object as Pod, node: named.get(nodeName), binding });
  }
  const size = Math.max(1, Math.floor((cluster.store.limits.operations * 2) / 3));
  for (let at = 0; at < candidates.length; at += size) await bindChunk(cluster, candidates.slice(at, at + size), outcomes);
  return outcomes;
}

function isBindable(live: StoredObject, { uid, resourceVersion }: Binding): boolean {
  const pod = live.object as Pod;
  if (pod.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined) return false;
  if (resourceVersion !== undefined && resourceVersion !== String(live.revision)) return false;
  return (pod.spec?.nodeName ?? "") === "" && (pod.spec?.schedulingGates?.length ?? 0) === 0;
}

async function bindChunk(cluster: ApiCluster, chunk: readonly Candidate[], outcomes: BindOutcome[]): Promise<void> {
  let left = [...chunk];
  while (left.length > 0) {
    const { records, owners } = claims(cluster, left);
    try {
      const entries = await cluster.store.commit(
        cluster.ref,
        left.map((candidate) => toOperation(cluster, candidate)),
        records,
      );
      await cluster.mirror.reached(entries.at(-1)?.revision ?? 0);
      for (const { index } of left) outcomes[index] = { kind: "bound" };
      return;
    } catch (error) {
      if (!isStoreError(error, "RevisionConflict") || error.index === undefined) throw error;
      const failed = error.index < left.length ? [left[error.index]] : shed(owners[error.index - left.length] ?? []);
      if (failed.length === 0) throw error;
      for (const candidate of failed) if (candidate) outcomes[candidate.index] = { kind: error.index < left.length ? "stale" : "full" };
      left = left.filter((candidate) => !failed.includes(candidate));
    }
  }
}

/** Of the pods that together do not fit a node, the last has to look elsewhere. It happens only when another cluster of the pool was faster. */
const shed = (candidates: readonly Candidate[]): Candidate[] => candidates.slice(-1);

function claims(cluster: ApiCluster, candidates: readonly Candidate[]): { records: RecordOperation[]; owners: Candidate[][] } {
  const byNode = Map.groupBy(candidates, ({ binding }) => binding.nodeName);
  const records = [...byNode].map(([nodeName, of]) =>
    claimOf(
      cluster,
      nodeName,
      of[0]?.node,
      of.map(({ pod }) => pod),
    ),
  );
  return { records, owners: [...byNode.values()] };
}

/** `assignPod` of pkg/registry/core/pod: the node's name and the condition that says so. */
function toOperation(cluster: ApiCluster, { live, pod, binding }: Candidate): Operation {
  const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: timestamp(cluster.clock.now()) };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  const object = {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(binding.annotations && { annotations: { ...pod.metadata.annotations, ...binding.annotations } }),
    },
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: binding.nodeName },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
  return { kind: "put", key: live.key, expected: live.revision, object, previous: live };
}
