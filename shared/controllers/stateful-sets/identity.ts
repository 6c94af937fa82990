import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet } from "../../kubernetes/types.ts";
import { controllerReference, type OwnerKind } from "../owners.ts";
import { podFromTemplate } from "../replicas/pod-template.ts";

const podNameLabel = "statefulset.kubernetes.io/pod-name";
const podIndexLabel = "apps.kubernetes.io/pod-index";
export const revisionLabel = "controller-revision-hash";

const largestOrdinal = 2 ** 31 - 1;

/** The set that a pod's name points to and its place there; -1 when that is no ordinal. Undefined for all other names. */
export function memberOf(podName: string): { readonly set: string; readonly ordinal: number } | undefined {
  const [, set, digits] = /^(.*)-([0-9]+)$/s.exec(podName) ?? [];
  if (set === undefined) return undefined;
  const ordinal = Number(digits);
  return { set, ordinal: ordinal <= largestOrdinal ? ordinal : -1 };
}

/** -1 for a pod that has none. */
export const ordinalOf = ({ metadata }: Pod): number => memberOf(metadata.name ?? "")?.ordinal ?? -1;
export const replicasOf = ({ spec }: StatefulSet): number => spec?.replicas ?? 1;
export const firstOrdinal = ({ spec }: StatefulSet): number => spec?.ordinals?.start ?? 0;
export const isMember = (set: StatefulSet, pod: Pod): boolean => memberOf(pod.metadata.name ?? "")?.set === set.metadata.name;
export const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[revisionLabel] ?? "";

/** Its ordinal is one of those that the set keeps; the others are condemned (`podInOrdinalRange`). */
export function isInRange(set: StatefulSet, pod: Pod): boolean {
  const place = ordinalOf(pod) - firstOrdinal(set);
  return place >= 0 && place < replicasOf(set);
}

export function claimName(set: StatefulSet, { metadata }: PersistentVolumeClaim, ordinal: number): string {
  return `${metadata.name ?? ""}-${set.metadata.name}-${ordinal}`;
}

/** `identityMatches` and `storageMatches`: the pod says who it is, and its volumes are the set's claims. */
export function isAsNamed(set: StatefulSet, pod: Pod): boolean {
  const { name = "", labels } = pod.metadata;
  const ordinal = ordinalOf(pod);
  if (name !== `${set.metadata.name}-${ordinal}` || labels?.[podNameLabel] !== name) return false;
  return (set.spec?.volumeClaimTemplates ?? []).every((template) =>
    pod.spec?.volumes?.some(
      (volume) => volume.name === template.metadata.name && volume.persistentVolumeClaim?.claimName === claimName(set, template, ordinal),
    ),
  );
}

/** The pod with the labels and volumes of its place in the set (`updateIdentity`, `updateStorage`). */
export function identified(set: StatefulSet, pod: Pod, ordinal: number): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const claimed = new Set(templates.map(({ metadata }) => metadata.name));
  const volumes = [
    ...templates.map((template) => ({
      name: template.metadata.name ?? "",
      persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
    })),
    ...(pod.spec?.volumes ?? []).filter((volume) => !claimed.has(volume.name)),
  ];
  return {
    ...pod,
    metadata: { ...pod.metadata, name, labels: { ...pod.metadata.labels, [podNameLabel]: name, [podIndexLabel]: String(ordinal) } },
    spec: { containers: [], ...pod.spec, ...(volumes.length > 0 && { volumes }) },
  };
}

/** The pod of one ordinal, made of a revision's template (`newStatefulSetPod`). */
export function podOf(kind: OwnerKind, set: StatefulSet, template: PodTemplateSpec, revision: string, ordinal: number): Pod {
  const { metadata, spec, ...rest } = identified(set, podFromTemplate(template, set, controllerReference(kind, set)), ordinal);
  const { serviceName = "" } = set.spec ?? {};
  return {
    ...rest,
    metadata: { ...metadata, labels: { ...metadata.labels, [revisionLabel]: revision } },
    spec: { containers: [], ...spec, hostname: metadata.name ?? "", ...(serviceName !== "" && { subdomain: serviceName }) },
  };
}
