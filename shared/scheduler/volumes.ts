import { matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { compareQuantities, parseQuantity } from "../kubernetes/quantity.ts";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "../kubernetes/types.ts";
import { type Failure, unresolvable } from "./failure.ts";
import { matchesAnyTerm } from "./node-affinity.ts";
import type { NodeFacts } from "./node-table.ts";
import type { PodInfo } from "./pod-info.ts";
import type { VolumeCheck } from "./static-fit.ts";
import type { Attachment } from "./volume-limits.ts";

/** What the claims of a pod mean for it: no node at all, or a question to ask of each. */
export type VolumeDemand = { readonly kind: "refused"; readonly failure: Failure } | { readonly kind: "asks"; readonly check: VolumeCheck };

/** A claim whose volume is chosen with the node: an existing one, or one to be provisioned there. */
export interface ClaimBinding {
  readonly namespace: string;
  readonly claim: string;
  readonly volume: string | undefined;
}

const noProvisioner = "kubernetes.io/no-provisioner";
const reasons = {
  nodeConflict: "node(s) didn't match PersistentVolume's node affinity",
  noMatch: "node(s) didn't find available persistent volumes to bind",
  volumeGone: "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
} as const;
const zoneConflict = unresolvable("VolumeZone", "node(s) had no available volume zone");
const zoneLabels = [
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
] as const;

interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[];
  /** Of a class that waits for the first consumer. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

/** Volumes, claims and classes as the scheduler sees them: VolumeBinding, VolumeZone and the claims' part of VolumeRestrictions. */
export class VolumeCatalog {
  /** Changes with any volume, claim or class. */
  generation = 1;
  readonly #volumes = new Map<string, PersistentVolume>();
  readonly #claims = new Map<string, PersistentVolumeClaim>();
  readonly #classes = new Map<string, StorageClass>();

  /** Answers whether it is an object of this catalog. */
  set(object: KubernetesObject): boolean {
    return this.#change(object, (map, key) => map.set(key, object));
  }

  remove(object: KubernetesObject): boolean {
    return this.#change(object, (map, key) => map.delete(key));
  }

  isExclusive(claim: string): boolean {
    return this.#claims.get(claim)?.spec?.accessModes?.includes("ReadWriteOncePod") ?? false;
  }

  /** Undefined: the pod mounts no claim. */
  demand(pod: PodInfo): VolumeDemand | undefined {
    if (pod.claims.length === 0) return undefined;
    const claims = this.#claimsOf(pod);
    if ("plugin" in claims) return { kind: "refused", failure: claims };
    return { kind: "asks", check: (node) => this.#check(claims, node) };
  }

  /** What to bind together with the pod when it goes to this node. */
  bindings(pod: PodInfo, node: NodeFacts): ClaimBinding[] {
    if (pod.claims.length === 0) return [];
    const claims = this.#claimsOf(pod);
    if ("plugin" in claims) return [];
    const chosen = this.#choose(claims.delayed, node);
    return claims.delayed.map(({ metadata }, index) => ({
      namespace: metadata.namespace ?? "",
      claim: metadata.name ?? "",
      volume: chosen?.[index]?.metadata.name,
    }));
  }

  /** How a node's CSI driver counts the claim's volume; undefined: it does not, or is not known yet. */
  attachment(key: string): Attachment | undefined {
    const claim = this.#claims.get(key);
    if (claim === undefined) return undefined;
    const name = claim.spec?.volumeName ?? "";
    if (name === "") {
      const driver = this.#classOf(claim)?.provisioner ?? noProvisioner;
      return driver === noProvisioner ? undefined : { driver, handle: key };
    }
    const csi = this.#volumes.get(name)?.spec?.csi;
    return csi && { driver: csi.driver, handle: csi.volumeHandle };
  }

  #change(object: KubernetesObject, act: (map: Map<string, KubernetesObject>, key: string) => void): boolean {
    const { name = "", namespace = "" } = object.metadata;
    if (object.kind === "PersistentVolume") act(this.#volumes as Map<string, KubernetesObject>, name);
    else if (object.kind === "PersistentVolumeClaim") act(this.#claims as Map<string, KubernetesObject>, `${namespace}/${name}`);
    else if (object.kind === "StorageClass") act(this.#classes as Map<string, KubernetesObject>, name);
    else return false;
    this.generation++;
    return true;
  }

  #claimsOf({ pod, namespace, name: podName, claims }: PodInfo): PodClaims | Failure {
    const bound: PersistentVolumeClaim[] = [];
    const delayed: PersistentVolumeClaim[] = [];
    const ephemeral = new Set(
      pod.spec?.volumes?.filter((volume) => volume.ephemeral).map((volume) => `${namespace}/${podName}-${volume.name}`),
    );
    let hasUnbound = false;
    for (const key of claims) {
      const claim = this.#claims.get(key);
      const name = key.slice(namespace.length + 1);
      if (claim === undefined) {
        return ephemeral.has(key)
          ? unresolvable("VolumeBinding", `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`)
          : unresolvable("VolumeRestrictions", `persistentvolumeclaim "${name}" not found`);
      }
      const volume = claim.spec?.volumeName ?? "";
      if (claim.status?.phase === "Lost") {
        return unresolvable("VolumeBinding", `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volume}"`);
      }
      if (claim.metadata.deletionTimestamp !== undefined) {
        return unresolvable("VolumeBinding", `persistentvolumeclaim "${name}" is being deleted`);
      }
      if (ephemeral.has(key) && !claim.metadata.ownerReferences?.some(({ controller, uid }) => controller && uid === pod.metadata.uid)) {
        return unresolvable("VolumeBinding", `PVC ${key} was not created for pod ${namespace}/${podName} (pod is not owner)`);
      }
      if (volume !== "" && isBindingComplete(claim)) bound.push(claim);
      else if (volume === "" && this.#classOf(claim)?.volumeBindingMode === "WaitForFirstConsumer") delayed.push(claim);
      else hasUnbound = true;
    }
    if (hasUnbound) return unresolvable("VolumeBinding", "pod has unbound immediate PersistentVolumeClaims");
    return { bound, delayed };
  }

  #check({ bound, delayed }: PodClaims, node: NodeFacts): Failure | undefined {
    const found = bound.map(({ spec }) => this.#volumes.get(spec?.volumeName ?? ""));
    const failed: string[] = [];
    if (found.some((volume) => volume !== undefined && !reaches(volume, node))) failed.push(reasons.nodeConflict);
    if (delayed.length > 0 && this.#choose(delayed, node) === undefined) failed.push(reasons.noMatch);
    if (found.some((volume) => volume === undefined)) failed.push(reasons.volumeGone);
    if (failed.length > 0) return unresolvable("VolumeBinding", ...failed);
    if (!zoneLabels.some((label) => node.labels[label] !== undefined)) return undefined;
    return found.every((volume) => volume === undefined || isInZone(volume, node)) ? undefined : zoneConflict;
  }

  /** A volume for each claim, undefined where one is to be provisioned; undefined when the node cannot serve them all. */
  #choose(claims: readonly PersistentVolumeClaim[], node: NodeFacts): (PersistentVolume | undefined)[] | undefined {
    const taken = new Set<string>();
    const chosen: (PersistentVolume | undefined)[] = [];
    for (const claim of claims) {
      const selected = claim.metadata.annotations?.["volume.kubernetes.io/selected-node"];
      if (selected !== undefined && selected !== node.name) return undefined;
      const volume = selected === undefined ? this.#match(claim, node, taken) : undefined;
      if (volume === undefined && !this.#canProvision(claim, node)) return undefined;
      if (volume !== undefined) taken.add(volume.metadata.name ?? "");
      chosen.push(volume);
    }
    return chosen;
  }

  /** The smallest volume that satisfies the claim (component-helpers/storage/volume `FindMatchingVolume`). */
  #match(claim: PersistentVolumeClaim, node: NodeFacts, taken: ReadonlySet<string>): PersistentVolume | undefined {
    const wanted = parseQuantity(claim.spec?.resources?.requests?.storage ?? 0);
    let best: PersistentVolume | undefined;
    for (const volume of this.#volumes.values()) {
      const { metadata, spec = {}, status } = volume;
      if (taken.has(metadata.name ?? "") || metadata.deletionTimestamp !== undefined) continue;
      if (
        (spec.storageClassName ?? "") !== classNameOf(claim) ||
        (spec.volumeMode ?? "Filesystem") !== (claim.spec?.volumeMode ?? "Filesystem")
      )
        continue;
      if (!claim.spec?.accessModes?.every((mode) => spec.accessModes?.includes(mode))) continue;
      if (compareQuantities(sizeOf(volume), wanted) < 0 || !reaches(volume, node)) continue;
      if (spec.claimRef) {
        const { namespace, name, uid } = spec.claimRef;
        if (namespace === claim.metadata.namespace && name === claim.metadata.name && (!uid || uid === claim.metadata.uid)) return volume;
        continue;
      }
      if (status?.phase !== undefined && status.phase !== "Available") continue;
      if (claim.spec.selector && !matchesLabels(requirementsOf(claim.spec.selector), metadata.labels)) continue;
      if (best === undefined || compareQuantities(sizeOf(volume), sizeOf(best)) < 0) best = volume;
    }
    return best;
  }

  #canProvision(claim: PersistentVolumeClaim, node: NodeFacts): boolean {
    const storageClass = this.#classOf(claim);
    if (storageClass === undefined || storageClass.provisioner === noProvisioner || storageClass.provisioner === "") return false;
    const { allowedTopologies = [] } = storageClass;
    return (
      allowedTopologies.length === 0 ||
      allowedTopologies.some(({ matchLabelExpressions = [] }) =>
        matchLabelExpressions.every(({ key, values }) => values.includes(node.labels[key] ?? "")),
      )
    );
  }

  #classOf(claim: PersistentVolumeClaim): StorageClass | undefined {
    return this.#classes.get(classNameOf(claim));
  }
}

function classNameOf({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
}

function isBindingComplete({ metadata, status }: PersistentVolumeClaim): boolean {
  return status?.phase === "Bound" || metadata.annotations?.["pv.kubernetes.io/bind-completed"] !== undefined;
}

function sizeOf({ spec }: PersistentVolume): ReturnType<typeof parseQuantity> {
  return parseQuantity(spec?.capacity?.storage ?? 0);
}

function reaches({ spec }: PersistentVolume, node: NodeFacts): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || matchesAnyTerm(required.nodeSelectorTerms, node);
}

/** Values of a volume's zone label are alternatives, joined by `__`. */
function isInZone({ metadata }: PersistentVolume, node: NodeFacts): boolean {
  return zoneLabels.every((label) => {
    const zones = metadata.labels?.[label];
    if (zones === undefined) return true;
    const actual = node.labels[label] ?? node.labels[label.replace("failure-domain.beta.kubernetes.io", "topology.kubernetes.io")];
    return actual !== undefined && zones.split("__").includes(actual);
  });
}
