import type { DaemonSet, Node, Pod, PodSpec } from "../../kubernetes/types.ts";
import { byCreation } from "../by-creation.ts";
import { controllerReference, type OwnerKind } from "../owners.ts";
import { isPodAvailable, isPodTerminal } from "../pod-state.ts";
import { podFromTemplate } from "../replicas/pod-template.ts";
import { type Placement, pinnedTo, placementOn, targetNode } from "./placement.ts";

export const hashLabel = "controller-revision-hash";
const generationLabel = "pod-template-generation";
const generationAnnotation = "deprecated.daemonset.template.generation";

/** A set and its pods by node, at one time: what its plans are made of. */
export interface DaemonState {
  readonly set: DaemonSet;
  /** Of the revision that its pods shall be of. */
  readonly hash: string;
  /** Of every node there is. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** By the node that they are on or meant for, without those that have ended and are being deleted; none is empty. */
  readonly podsByNode: ReadonlyMap<string, readonly Pod[]>;
  readonly nowMs: number;
}

export function placementsOf(spec: PodSpec, nodes: readonly Node[]): Map<string, Placement> {
  return new Map(nodes.map((node) => [node.metadata.name ?? "", placementOn(spec, node)]));
}

export function byNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const counted = pods.filter((pod) => targetNode(pod) !== undefined && !(isPodTerminal(pod) && isTerminating(pod)));
  return Map.groupBy(counted, (pod) => targetNode(pod) ?? "");
}

export const isTerminating = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

export function isAvailable({ set, nowMs }: DaemonState, pod: Pod): boolean {
  return isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
}

function generationOf({ metadata }: DaemonSet): string | undefined {
  const text = metadata.annotations?.[generationAnnotation];
  return text !== undefined && /^-?[0-9]{1,19}$/.test(text) ? String(BigInt(text)) : undefined;
}

/** It is of the set's template, by hash or by the generation that old clusters count (`IsPodUpdated`). */
export function isUpdated({ set, hash }: Pick<DaemonState, "set" | "hash">, { metadata: { labels } }: Pod): boolean {
  const generation = generationOf(set);
  return (hash !== "" && labels?.[hashLabel] === hash) || (generation !== undefined && labels?.[generationLabel] === generation);
}

/** Those on a node first, then the oldest (`podByCreationTimestampAndPhase`). */
export function byAge(a: Pod, b: Pod): number {
  const isOnNode = ({ spec }: Pod): boolean => (spec?.nodeName ?? "") !== "";
  return Number(isOnNode(b)) - Number(isOnNode(a)) || byCreation(a, b);
}

/** The pod for a node (`CreatePodTemplate`); `spec` is that of `daemonPodSpec`. */
export function podFor(nodeName: string, kind: OwnerKind, set: DaemonSet, spec: PodSpec, hash: string): Pod {
  const { metadata } = set.spec?.template ?? {};
  const generation = generationOf(set);
  const labels = { ...metadata?.labels, ...(generation !== undefined && { [generationLabel]: generation }), [hashLabel]: hash };
  return podFromTemplate({ metadata: { ...metadata, labels }, spec: pinnedTo(nodeName, spec) }, set, controllerReference(kind, set));
}
