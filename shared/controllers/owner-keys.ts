import { matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { oncePer } from "../kubernetes/once-per.ts";
import type { LabelSelector } from "../kubernetes/types.ts";
import type { Change, ClusterView } from "../store/view.ts";
import { controllerOf, type OwnerKind, resolveController } from "./owners.ts";

const requirementsOfOwner = oncePer((owner: KubernetesObject & { spec?: { selector?: LabelSelector } }) =>
  requirementsOf(owner.spec?.selector ?? {}),
);

/** Whether the label selector in an owner's spec selects the object; one that is empty or absent selects nothing. */
export function selectsByLabels(owner: KubernetesObject, object: KubernetesObject): boolean {
  const requirements = requirementsOfOwner(owner);
  return requirements.length > 0 && matchesLabels(requirements, object.metadata.labels);
}

/**
 * The keys (`namespace/name`) of the owners of one kind that a change of an object of theirs concerns: who controls it, who did before,
 * and for an orphan everybody who might adopt it, when its labels or its being an orphan is news (`addPod`, `updatePod`, `deletePod` of
 * kube-controller-manager's controllers).
 */
export function keysOfOwners(
  change: Change,
  view: ClusterView,
  kind: OwnerKind,
  selects: (owner: KubernetesObject, object: KubernetesObject) => boolean,
): string[] {
  const { namespace } = change.key;
  const reference = controllerOf(change.object);
  const before = change.previous && controllerOf(change.previous.object);
  const keys = [reference, ...(before && before.uid !== reference?.uid ? [before] : [])]
    .map((owner) => resolveController(view, kind, namespace, owner))
    .filter((stored) => stored !== undefined)
    .map(({ key }) => `${namespace}/${key.name}`);
  if (reference || change.type === "DELETED") return keys;
  const isNews = !change.previous || before !== undefined || !sameLabels(change.previous.object, change.object);
  if (!isNews) return keys;
  for (const { key, object } of view.list(kind.resource, namespace))
    if (selects(object, change.object)) keys.push(`${namespace}/${key.name}`);
  return keys;
}

function sameLabels(a: KubernetesObject, b: KubernetesObject): boolean {
  const [before, after] = [a.metadata.labels ?? {}, b.metadata.labels ?? {}];
  const names = Object.keys(before);
  return names.length === Object.keys(after).length && names.every((name) => before[name] === after[name]);
}
