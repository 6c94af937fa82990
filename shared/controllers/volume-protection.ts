import { persistentVolumeClaims, persistentVolumes, pods } from "../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { isOf } from "./same-resource.ts";

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";

/** A claim that is being deleted stays as long as a scheduled pod uses it (pkg/controller/volume/pvcprotection). */
export function createClaimProtectionController(): Controller {
  return {
    name: "persistentvolumeclaim-protection",
    allKeys: (view) => view.list(persistentVolumeClaims).map(({ key }) => `${key.namespace}/${key.name}`),
    keysOf(change, view) {
      const { key } = change;
      if (isOf(persistentVolumeClaims, key)) return needsChange(change.object, claimFinalizer) ? [`${key.namespace}/${key.name}`] : [];
      if (!isOf(pods, key) || view.count(persistentVolumeClaims, key.namespace) === 0) return [];
      return change.type === "DELETED" || isShutDown(change.object as Pod)
        ? claimsOf(change.object as Pod).map((name) => `${key.namespace}/${name}`)
        : [];
    },
    async reconcile(key, { view, client }) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = view.get(persistentVolumeClaims, namespace, name);
      if (!stored) return { kind: "done" };
      const claim = objectOf<PersistentVolumeClaim>(stored);
      if (needsChange(claim, claimFinalizer) && !(isGoing(claim) && isClaimUsed(view, claim)))
        await client.update(persistentVolumeClaims, toggled(claim, claimFinalizer));
      return { kind: "done" };
    },
  };
}

/** A volume that is being deleted stays as long as it is bound (pkg/controller/volume/pvprotection). */
export function createVolumeProtectionController(): Controller {
  return {
    name: "persistentvolume-protection",
    allKeys: (view) => view.list(persistentVolumes).map(({ key }) => key.name),
    keysOf: ({ key, object }) => (isOf(persistentVolumes, key) && needsChange(object, volumeFinalizer) ? [key.name] : []),
    async reconcile(name, { view, client }) {
      const stored = view.get(persistentVolumes, "", name);
      if (!stored) return { kind: "done" };
      const volume = objectOf<PersistentVolume>(stored);
      if (needsChange(volume, volumeFinalizer) && !(isGoing(volume) && volume.status?.phase === "Bound"))
        await client.update(persistentVolumes, toggled(volume, volumeFinalizer));
      return { kind: "done" };
    },
  };
}

const isGoing = ({ metadata }: KubernetesObject): boolean => metadata.deletionTimestamp !== undefined;

/** What stays has the finalizer, what goes will have to lose it. */
const needsChange = (object: KubernetesObject, finalizer: string): boolean =>
  isGoing(object) === (object.metadata.finalizers?.includes(finalizer) ?? false);

function toggled<Protected extends KubernetesObject>(object: Protected, finalizer: string): Protected {
  const finalizers = object.metadata.finalizers ?? [];
  const next = isGoing(object) ? finalizers.filter((each) => each !== finalizer) : [...finalizers, finalizer];
  return { ...object, metadata: { ...object.metadata, finalizers: next } };
}

/** The node is done with it, or it was deleted by force: what was made for it alone may go, even before it has gone itself. */
const isShutDown = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;

const claimsOf = ({ spec, metadata }: Pod): string[] =>
  (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${metadata.name ?? ""}-${name}`] : [];
  });

/** Only scheduled pods count: no node starts one whose claim is being deleted. */
function isClaimUsed(view: ClusterView, { metadata }: PersistentVolumeClaim): boolean {
  return view.list(pods, metadata.namespace ?? "").some((stored) => {
    const pod = objectOf<Pod>(stored);
    if ((pod.spec?.nodeName ?? "") === "") return false;
    return (pod.spec?.volumes ?? []).some(({ name, persistentVolumeClaim, ephemeral }) => {
      if (persistentVolumeClaim) return persistentVolumeClaim.claimName === metadata.name;
      return (
        ephemeral !== undefined && !isShutDown(pod) && `${pod.metadata.name ?? ""}-${name}` === metadata.name && isOwnedBy(metadata, pod)
      );
    });
  });
}

const isOwnedBy = ({ ownerReferences }: PersistentVolumeClaim["metadata"], pod: Pod): boolean =>
  ownerReferences?.some(({ uid, controller }) => controller === true && uid === pod.metadata.uid) === true;
