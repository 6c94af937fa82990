import { leases, nodes, pods } from "../kubernetes/known-resources.ts";
import type { Lease, Node, NodeCondition, Pod } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { unlessMissing } from "./failures.ts";
import { followConditions, isOutage } from "./nodes/taints.ts";
import { decideOutage, type OutageDecision, zoneOf } from "./nodes/zone-health.ts";
import { podCondition } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";
import { formatTime, parseTime } from "./timestamp.ts";

/** When a node's agent was last heard of. Its polls are records of the host, not entries of the cluster's log. */
export interface NodeHeartbeats {
  /** Milliseconds since 1970; undefined for a node that no agent keeps. */
  lastSeen(nodeName: string): number | undefined;
}

export interface NodeLifecycleOptions {
  /** Called once for each silence that this controller notes, after the node's conditions say so; again when it failed, and by each process. */
  readonly onSilence?: (nodeName: string, lastSeenMs: number) => Promise<void>;
  readonly heartbeats: NodeHeartbeats;
  readonly events: Pick<EventRecorder, "event">;
  /** The host looks after heartbeats and tells of a node that has fallen silent by its key: this controller waits for no silence of theirs. */
  readonly silenceIsTold?: boolean;
  /** Since when this host hears heartbeats (milliseconds since 1970): silence before does not count. Absent: all silence counts. */
  readonly listeningSinceMs?: number;
  /** How long a node may be silent. Default: `--node-monitor-grace-period`. */
  readonly graceMs?: number;
}

/** `--node-monitor-grace-period` */
export const nodeMonitorGraceMs = 40_000;
export const nodeLifecycleName = "node-lifecycle";
const leaseNamespace = "kube-node-lease";
const unknownConditions = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;
/** Labels that older clients read, and those they copy (`labelReconcileInfo`). */
const labelCopies: readonly (readonly [string, string])[] = [
  ["kubernetes.io/os", "beta.kubernetes.io/os"],
  ["kubernetes.io/arch", "beta.kubernetes.io/arch"],
];
const parallelPods = 20;

/**
 * Gives up nodes that fell silent: their conditions become Unknown, taints follow the conditions, and their pods are no longer ready.
 * A node that has neither heartbeats nor a Lease is taken as its status says. `events` tells as `node-controller`.
 */
export function createNodeLifecycleController(options: NodeLifecycleOptions): Controller {
  const { heartbeats, events, onSilence, silenceIsTold = false, listeningSinceMs = 0, graceMs = nodeMonitorGraceMs } = options;
  const noted = new Map<string, number>();
  const note = async (name: string, lastSeenMs: number): Promise<void> => {
    if (!onSilence || noted.get(name) === lastSeenMs) return;
    await onSilence(name, lastSeenMs);
    noted.set(name, lastSeenMs);
  };
  const lastSeen = (view: ClusterView, name: string): number | undefined => {
    const lease = view.get(leases, leaseNamespace, name);
    const seen = [heartbeats.lastSeen(name), lease && parseTime(objectOf<Lease>(lease).spec?.renewTime)].filter(
      (each) => each !== undefined,
    );
    return seen.length === 0 ? undefined : Math.max(listeningSinceMs, ...seen);
  };
  /** By zone. */
  const lastGivenUpMs = new Map<string, number>();
  return {
    name: nodeLifecycleName,
    allKeys: (view) => view.list(nodes).map(({ key }) => key.name),
    keysOf({ key, type }) {
      if (isOf(nodes, key)) return type === "DELETED" ? [] : [key.name];
      return isOf(leases, key) && key.namespace === leaseNamespace ? [key.name] : [];
    },
    async reconcile(name, context) {
      const { view, clock } = context;
      const seenMs = lastSeen(view, name);
      const silentAtMs = seenMs === undefined ? undefined : seenMs + graceMs;
      const stored = view.get(nodes, "", name);
      if (!stored) {
        noted.delete(name);
        return { kind: "done" };
      }
      let node = objectOf<Node>(stored);
      if (seenMs !== undefined && silentAtMs !== undefined && silentAtMs <= clock.now()) {
        node = await giveUp(node, context, events);
        await note(name, seenMs);
      }
      const dueMs = [await settleTaints(node, lastGivenUpMs, context), await markPods(node, context, events)];
      const isTold = silenceIsTold && seenMs === heartbeats.lastSeen(name);
      if (silentAtMs !== undefined && silentAtMs > clock.now() && !isTold) dueMs.push(silentAtMs);
      return nextOf(dueMs, clock.now());
    },
  };
}

function nextOf(dueMs: readonly (number | undefined)[], nowMs: number): ReconcileOutcome {
  const due = dueMs.filter((each) => each !== undefined);
  return due.length === 0 ? { kind: "done" } : { kind: "again", afterMs: Math.max(0, Math.min(...due) - nowMs) };
}

async function giveUp(node: Node, { client, clock }: ControllerContext, events: Pick<EventRecorder, "event">): Promise<Node> {
  const current = node.status?.conditions ?? [];
  const now = formatTime(clock.now());
  const isToChange = (type: string): boolean => current.find((each) => each.type === type)?.status !== "Unknown";
  if (!unknownConditions.some(isToChange)) return node;
  const conditions = current.map((each): NodeCondition => {
    if (!unknownConditions.some((type) => type === each.type) || each.status === "Unknown") return each;
    const [reason, message] = ["NodeStatusUnknown", "Kubelet stopped posting node status."];
    return { ...each, status: "Unknown", reason, message, lastTransitionTime: now };
  });
  for (const type of unknownConditions) {
    if (current.some((each) => each.type === type)) continue;
    const [reason, message] = ["NodeStatusNeverUpdated", "Kubelet never posted node status."];
    const { creationTimestamp = now } = node.metadata;
    conditions.push({ type, status: "Unknown", reason, message, lastHeartbeatTime: creationTimestamp, lastTransitionTime: now });
  }
  const next: Node = { ...node, status: { ...node.status, conditions } };
  const updated = objectOf<Node>(await client.update(nodes, next, { subresource: "status" }));
  if (current.some(({ type, status }) => type === "Ready" && status === "True")) {
    events.event(node, "Normal", "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`);
  }
  return updated;
}

/** Writes taints and copied labels where they differ. Answers when the taint that ends pods may be set, if it may not yet. */
async function settleTaints(
  node: Node,
  lastGivenUpMs: Map<string, number>,
  { view, client, clock }: ControllerContext,
): Promise<number | undefined> {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  let decision: OutageDecision | undefined;
  if (ready && ready.status !== "True") {
    const all = view.list(nodes).map((stored) => objectOf<Node>(stored));
    decision = decideOutage(node, all, clock.now(), lastGivenUpMs.get(zoneOf(node)));
    if (decision.kind === "set" && !node.spec?.taints?.some(isOutage)) lastGivenUpMs.set(zoneOf(node), clock.now());
  }
  const taints = followConditions(node, decision?.kind ?? "clear", clock.now());
  const labels = copiedLabels(node);
  if (taints || labels) {
    const spec = { ...node.spec, ...(taints && { taints }) };
    if (taints?.length === 0) delete spec.taints;
    await client.update(nodes, { ...node, metadata: { ...node.metadata, ...(labels && { labels }) }, spec } as Node);
  }
  return decision?.kind === "keep" ? decision.againAtMs : undefined;
}

function copiedLabels({ metadata: { labels = {} } }: Node): Record<string, string> | undefined {
  const next = { ...labels };
  for (const [from, to] of labelCopies) if (labels[from] !== undefined) next[to] = labels[from];
  return labelCopies.some(([, to]) => next[to] !== labels[to]) ? next : undefined;
}

/**
 * Pods that count as ready on a node that is not: as of the moment the node stopped being ready they are not either
 * (`MarkPodsNotReady`). What became ready after that moment was said by a kubelet that still speaks.
 */
async function markPods(node: Node, { view, client, clock }: ControllerContext, events: Pick<EventRecorder, "event">): Promise<undefined> {
  const down = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (!down || down.status === "True") return;
  const downMs = parseTime(down.lastTransitionTime) ?? clock.now();
  const isToMark = (pod: Pod): boolean => {
    const ready = podCondition(pod, "Ready");
    return ready?.status === "True" && (parseTime(ready.lastTransitionTime) ?? 0) <= downMs;
  };
  const marked = view
    .podsOnNode(node.metadata.name ?? "")
    .map((stored) => objectOf<Pod>(stored))
    .filter(isToMark);
  const failures = await forEachBounded(marked, parallelPods, async (pod) => {
    const conditions = (pod.status?.conditions ?? []).map((each) =>
      each.type === "Ready" ? { ...each, status: "False", lastTransitionTime: formatTime(clock.now()) } : each,
    );
    events.event(pod, "Warning", "NodeNotReady", "Node is not ready");
    await unlessMissing(client.update(pods, { ...pod, status: { ...pod.status, conditions } } as Pod, { subresource: "status" }));
  });
  if (failures.length > 0) throw failures[0];
}
