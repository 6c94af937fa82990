import type { Pod } from "../kubernetes/types.ts";
import { type PodTerms, podTerms } from "./affinity-terms.ts";
import { mountsDisks } from "./disk-conflicts.ts";
import { type PodRequests, podRequests } from "./requests.ts";

export interface HostPort {
  /** `0.0.0.0`: every address. */
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** What scheduling knows of a pod, worked out once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `spec.nodeName`, empty while it is pending. */
  readonly nodeName: string;
  readonly nominatedNodeName: string;
  readonly priority: number;
  readonly isTerminating: boolean;
  /** Pods with the same key are the same to every label selector. */
  readonly groupKey: string;
  readonly requests: PodRequests;
  readonly hostPorts: readonly HostPort[];
  /** `namespace/name` of the claims it mounts. */
  readonly claims: readonly string[];
  readonly terms: PodTerms | undefined;
}

/** A pod that waits for a node. Pods with the same shape are the same to every filter and score. */
export interface PendingPod extends PodInfo {
  readonly shape: string;
}

export function readPod(pod: Pod): PodInfo {
  const { namespace = "", name = "", labels = {}, deletionTimestamp } = pod.metadata;
  const isTerminating = deletionTimestamp !== undefined;
  return {
    pod,
    uid: uidOf(pod),
    namespace,
    name,
    labels,
    nodeName: pod.spec?.nodeName ?? "",
    nominatedNodeName: pod.status?.nominatedNodeName ?? "",
    priority: pod.spec?.priority ?? 0,
    isTerminating,
    groupKey: JSON.stringify([namespace, isTerminating, labels]),
    requests: podRequests(pod),
    hostPorts: hostPorts(pod),
    claims: claimNames(pod).map((claim) => `${namespace}/${claim}`),
    terms: podTerms(pod),
  };
}

export function readPendingPod(pod: Pod): PendingPod {
  const info = readPod(pod);
  return { ...info, shape: shapeOf(info) };
}

/** `metadata.uid`, or namespace and name where there is none. */
export function uidOf({ metadata }: Pod): string {
  return metadata.uid ?? `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
}

/** Whether a pod's containers have ended for good: it takes nothing of its node any more. */
export function isFinished({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** The claims of `persistentVolumeClaim` and `ephemeral` volumes; the latter's are named after pod and volume (KEP-1698). */
function claimNames({ metadata, spec }: Pod): string[] {
  const claims: string[] = [];
  for (const { name, persistentVolumeClaim, ephemeral } of spec?.volumes ?? []) {
    if (persistentVolumeClaim) claims.push(persistentVolumeClaim.claimName);
    else if (ephemeral) claims.push(`${metadata.name ?? ""}-${name}`);
  }
  return claims;
}

function hostPorts({ spec }: Pod): HostPort[] {
  const ports: HostPort[] = [];
  const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always") ?? [];
  for (const { ports: declared } of [...(spec?.containers ?? []), ...sidecars]) {
    for (const { hostPort = 0, hostIP, protocol } of declared ?? []) {
      if (hostPort > 0) ports.push({ ip: hostIP || "0.0.0.0", protocol: protocol ?? "TCP", port: hostPort });
    }
  }
  return ports;
}

function shapeOf({ pod, namespace, labels, priority, requests, hostPorts, claims }: PodInfo): string {
  const { nodeName, nodeSelector, affinity, tolerations, topologySpreadConstraints, containers = [], initContainers = [] } = pod.spec ?? {};
  const controller = pod.metadata.ownerReferences?.find((owner) => owner.controller);

  return JSON.stringify([
    namespace,
    labels,
    priority,
    requests,
    hostPorts,
    claims,
    nodeName,
    nodeSelector,
    affinity,
    tolerations,
    topologySpreadConstraints,
    controller && [controller.apiVersion, controller.kind, controller.name],
    [...initContainers, ...containers].map(({ image }) => image),
    mountsDisks(pod) && pod.spec?.volumes,
  ]);
}
