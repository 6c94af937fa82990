import { pods } from "../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "../../kubernetes/types.ts";
import { controllerReference, type OwnerKind } from "../owners.ts";
import { claimName, isInRange, ordinalOf } from "./identity.ts";

const podKind: OwnerKind = { resource: pods, apiVersion: "v1", kind: "Pod" };

/** A claim as the view has it, by name, in the namespace of the set. */
export type FindClaim = (name: string) => PersistentVolumeClaim | undefined;

/** A pod, the set it belongs to, and what the two are as owners. */
export interface Membership {
  readonly kind: OwnerKind;
  readonly set: StatefulSet;
  readonly pod: Pod;
}

/** The claims that the pod of a set has, as the set would make them (`getPersistentVolumeClaims`). */
export function claimsOf(set: StatefulSet, pod: Pod): PersistentVolumeClaim[] {
  const { namespace = "" } = set.metadata;
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      ...template.metadata,
      namespace,
      name: claimName(set, template, ordinalOf(pod)),
      labels: { ...template.metadata.labels, ...set.spec?.selector.matchLabels },
    },
    ...(template.spec && { spec: template.spec }),
  }));
}

/** Some claim of the pod is missing, on its way out, or owned by others than the retention policy says. */
export function needsClaims(membership: Membership, find: FindClaim): boolean {
  return claimsOf(membership.set, membership.pod).some(({ metadata: { name = "" } }) => {
    const claim = find(name);
    return !claim || claim.metadata.deletionTimestamp !== undefined || !isOwnedAsWanted(membership, claim);
  });
}

/** Every claim of the pod that is there has the owners that it should have (`ClaimsMatchRetentionPolicy`). */
export function areClaimsOwned(membership: Membership, find: FindClaim): boolean {
  return claimsOf(membership.set, membership.pod).every(({ metadata: { name = "" } }) => {
    const claim = find(name);
    return !claim || isOwnedAsWanted(membership, claim);
  });
}

/** A claim still belongs to a pod of that name that is gone: it goes too, and the new pod waits for that (`PodClaimIsStale`). */
export function hasStaleClaim({ set, pod }: Membership, find: FindClaim): boolean {
  if (policyOf(set).whenScaled !== "Delete") return false;
  return claimsOf(set, pod).some(({ metadata: { name = "" } }) => {
    const claim = find(name);
    return claim !== undefined && isStale(claim, podKind, pod);
  });
}

function policyOf(set: StatefulSet): { readonly whenScaled: string; readonly whenDeleted: string } {
  return { whenScaled: "Retain", whenDeleted: "Retain", ...set.spec?.persistentVolumeClaimRetentionPolicy };
}

const references = (reference: OwnerReference, { apiVersion, kind }: OwnerKind, { metadata }: KubernetesObject): boolean =>
  reference.apiVersion === apiVersion && reference.kind === kind && reference.name === metadata.name;
const ownersOf = ({ metadata }: PersistentVolumeClaim): readonly OwnerReference[] => metadata.ownerReferences ?? [];
const isOwnedBy = (claim: PersistentVolumeClaim, { metadata }: KubernetesObject): boolean =>
  ownersOf(claim).some(({ uid }) => uid === metadata.uid);
const isStale = (claim: PersistentVolumeClaim, kind: OwnerKind, object: KubernetesObject): boolean =>
  ownersOf(claim).some((reference) => references(reference, kind, object) && reference.uid !== object.metadata.uid);

/** With a policy that deletes, somebody else controls the claim: then nobody of ours shall (`hasUnexpectedController`). */
export function hasForeignController({ kind, set, pod }: Membership, claim: PersistentVolumeClaim): boolean {
  const { whenScaled, whenDeleted } = policyOf(set);
  if (whenScaled === "Retain" && whenDeleted === "Retain") return false;
  return ownersOf(claim).some((reference) => {
    if (references(reference, kind, set)) return reference.uid !== set.metadata.uid;
    if (references(reference, podKind, pod)) return reference.uid !== pod.metadata.uid;
    return reference.controller === true;
  });
}

/** What the policy has go takes the claim along: the pod when the set shrinks below it, else the set when it is deleted. */
function wantedOwners({ set, pod }: Membership): { readonly byPod: boolean; readonly bySet: boolean } {
  const { whenScaled, whenDeleted } = policyOf(set);
  const byPod = whenScaled === "Delete" && !isInRange(set, pod);
  return { byPod, bySet: whenDeleted === "Delete" && !byPod };
}

/** `isClaimOwnerUpToDate`. A claim of an earlier set or pod of that name is the garbage collector's, and is left alone. */
export function isOwnedAsWanted(membership: Membership, claim: PersistentVolumeClaim): boolean {
  const { kind, set, pod } = membership;
  if (isStale(claim, kind, set) || isStale(claim, podKind, pod)) return true;
  const [bySet, byPod] = [isOwnedBy(claim, set), isOwnedBy(claim, pod)];
  if (hasForeignController(membership, claim)) return !bySet && !byPod;
  const ours = ownersOf(claim).filter(({ uid }) => uid === set.metadata.uid || uid === pod.metadata.uid);
  const wanted = wantedOwners(membership);
  return ours.every(({ controller }) => controller === true) && bySet === wanted.bySet && byPod === wanted.byPod;
}

/** `updateClaimOwnerRefForSetAndPod`: others' references stay. */
export function ownersWanted(membership: Membership, claim: PersistentVolumeClaim): OwnerReference[] {
  const { kind, set, pod } = membership;
  const others = ownersOf(claim).filter((reference) => !references(reference, kind, set) && !references(reference, podKind, pod));
  if (hasForeignController(membership, claim)) return others;
  const { byPod, bySet } = wantedOwners(membership);
  return [...others, ...(byPod ? [controllerReference(podKind, pod)] : []), ...(bySet ? [controllerReference(kind, set)] : [])];
}
