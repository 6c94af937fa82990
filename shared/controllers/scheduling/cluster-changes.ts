import {
  csiNodes,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  services,
  statefulSets,
  storageClasses,
} from "../../kubernetes/known-resources.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import type { Node, Pod } from "../../kubernetes/types.ts";
import type { FilterPlugin } from "../../scheduler/failure.ts";
import { isFinished, uidOf } from "../../scheduler/pod-info.ts";
import { podRequests } from "../../scheduler/requests.ts";
import type { ClusterSnapshot } from "../../scheduler/snapshot.ts";
import { type Change, type ClusterView, objectOf } from "../../store/view.ts";
import { isOf } from "../same-resource.ts";
import type { Hint } from "./scheduling-queue.ts";

/** What may have become possible where a pod has left its node, or does not come to one that was decided on. */
export const podGone: Hint = new Set<FilterPlugin>([
  "NodePorts",
  "NodeResourcesFit",
  "VolumeRestrictions",
  "NodeVolumeLimits",
  "PodTopologySpread",
  "InterPodAffinity",
]);

const hints = {
  podCame: new Set<FilterPlugin>(["PodTopologySpread", "InterPodAffinity"]),
  podShrank: new Set<FilterPlugin>(["NodeResourcesFit"]),
  volumes: new Set<FilterPlugin>(["VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone"]),
  namespaces: new Set<FilterPlugin>(["InterPodAffinity"]),
} as const;

const others = [
  namespaces,
  services,
  replicationControllers,
  replicaSets,
  statefulSets,
  persistentVolumes,
  persistentVolumeClaims,
  storageClasses,
  csiNodes,
  podDisruptionBudgets,
] as const;
const hintOf = new Map<string, Hint>([
  [collectionOf(namespaces), hints.namespaces],
  [collectionOf(persistentVolumes), hints.volumes],
  [collectionOf(persistentVolumeClaims), hints.volumes],
  [collectionOf(storageClasses), hints.volumes],
  [collectionOf(csiNodes), hints.volumes],
]);
const otherCollections = new Set(others.map(collectionOf));

/** Fills an empty snapshot with all that a view holds; pods last, so that their nodes and namespaces are there. */
export function load(snapshot: ClusterSnapshot, view: ClusterView): void {
  for (const resource of others) for (const stored of view.list(resource)) snapshot.applyObject(stored.object);
  for (const stored of view.list(nodes)) snapshot.applyNode(objectOf<Node>(stored));
  for (const stored of view.list(pods)) snapshot.applyPod(objectOf<Pod>(stored));
}

/** Brings the snapshot up to date with one change; answers which refused pods it may help (QueueingHints, KEP-4247). */
export function follow(snapshot: ClusterSnapshot, change: Change): Hint | undefined {
  if (isOf(pods, change.key)) return followPod(snapshot, change);
  if (isOf(nodes, change.key)) return followNode(snapshot, change);
  const collection = collectionOf(change.key);
  if (!otherCollections.has(collection)) return undefined;
  if (change.type === "DELETED") snapshot.removeObject(change.object);
  else snapshot.applyObject(change.object);
  return hintOf.get(collection);
}

export function isPodChange(change: Change): boolean {
  return isOf(pods, change.key);
}

function followPod(snapshot: ClusterSnapshot, change: Change): Hint | undefined {
  const pod = objectOf<Pod>(change);
  const before = change.previous && objectOf<Pod>(change.previous);
  const wasOnNode = before !== undefined && isOnNode(before);
  if (change.type === "DELETED") {
    const wasToCome = snapshot.isAssumed(uidOf(pod));
    snapshot.removePod(uidOf(pod));
    return wasToCome || wasOnNode || isOnNode(pod) ? podGone : undefined;
  }
  snapshot.applyPod(pod);
  const isNowOnNode = isOnNode(pod);
  if (!wasOnNode) return isNowOnNode ? hints.podCame : undefined;
  if (!isNowOnNode || (pod.metadata.deletionTimestamp !== undefined && before.metadata.deletionTimestamp === undefined)) return podGone;
  if (!same(pod.metadata.labels, before.metadata.labels)) return hints.podCame;
  return mayHaveShrunk(before, pod) ? hints.podShrank : undefined;
}

function isOnNode(pod: Pod): boolean {
  return (pod.spec?.nodeName ?? "") !== "" && !isFinished(pod);
}

function mayHaveShrunk(before: Pod, pod: Pod): boolean {
  const asked = ({ spec }: Pod): unknown => spec?.containers.map(({ resources }) => resources?.requests);
  const given = ({ status }: Pod): unknown => status?.containerStatuses?.map(({ resources }) => resources?.requests);
  if (same(asked(before), asked(pod)) && same(given(before), given(pod))) return false;
  const [old, now] = [podRequests(before), podRequests(pod)];
  return now.cpuMillis < old.cpuMillis || now.memoryBytes < old.memoryBytes || !same(now.scalars, old.scalars);
}

function followNode(snapshot: ClusterSnapshot, change: Change): Hint | undefined {
  const node = objectOf<Node>(change);
  if (change.type === "DELETED") {
    snapshot.removeNode(change.key.name);
    return new Set<FilterPlugin>(["PodTopologySpread"]);
  }
  snapshot.applyNode(node);
  if (change.previous === undefined || change.type === "ADDED") return "any";
  const before = objectOf<Node>(change.previous);
  const plugins = new Set<FilterPlugin>();
  if (!same(node.metadata.labels, before.metadata.labels)) {
    for (const plugin of ["NodeAffinity", "PodTopologySpread", "InterPodAffinity", "VolumeBinding", "VolumeZone"] as const)
      plugins.add(plugin);
  }
  if (!same(node.spec?.taints, before.spec?.taints)) plugins.add("TaintToleration").add("PodTopologySpread");
  if (node.spec?.unschedulable !== before.spec?.unschedulable) plugins.add("NodeUnschedulable");
  if (!same(node.status?.allocatable, before.status?.allocatable)) plugins.add("NodeResourcesFit");
  return plugins.size === 0 ? undefined : plugins;
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
