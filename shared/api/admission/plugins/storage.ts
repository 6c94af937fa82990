import { newestDefault } from "../../../kubernetes/default-class.ts";
import { storageClasses } from "../../../kubernetes/known-resources.ts";
import { compareQuantities, parseQuantity } from "../../../kubernetes/quantity.ts";
import type { PersistentVolumeClaim, StorageClass } from "../../../kubernetes/types.ts";
import { type AdmissionPlugin, denied } from "../attributes.ts";

const defaultAnnotations = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"] as const;
const oldClassAnnotation = "volume.beta.kubernetes.io/storage-class";

/** DefaultStorageClass: a claim that names no class gets the newest default one. */
export const defaultStorageClass: AdmissionPlugin = {
  mutate({ mirror }, { operation, subresource, object }) {
    if (operation !== "CREATE" || subresource !== "") return;
    const claim = object as PersistentVolumeClaim;
    if (claim.metadata.annotations?.[oldClassAnnotation] !== undefined || claim.spec?.storageClassName !== undefined) return;
    const chosen = newestDefault(mirror.list(storageClasses), defaultAnnotations);
    if (chosen !== undefined) claim.spec = { ...claim.spec, storageClassName: chosen };
  },
};

/** StorageObjectInUseProtection: what is in use does not vanish; controllers take the finalizers away when it no longer is. */
export const inUseProtection = (finalizer: string): AdmissionPlugin => ({
  mutate(_cluster, { operation, subresource, object }) {
    if (operation !== "CREATE" || subresource !== "") return;
    const finalizers = object.metadata.finalizers ?? [];
    if (!finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
  },
});

/** PersistentVolumeClaimResize: a claim grows where it is bound and its class allows it. */
export const claimResize: AdmissionPlugin = {
  validate({ mirror }, attributes) {
    if (attributes.operation !== "UPDATE" || attributes.subresource !== "") return;
    const [next, live] = [attributes.object as PersistentVolumeClaim, attributes.oldObject as PersistentVolumeClaim];
    if (compareQuantities(sizeOf(next), sizeOf(live)) <= 0) return;
    if (live.status?.phase !== "Bound") throw denied(attributes, "Only bound persistent volume claims can be expanded");
    const name = classOf(next);
    const found = name === "" || name !== classOf(live) ? undefined : mirror.get(storageClasses, "", name);
    if ((found?.object as StorageClass | undefined)?.allowVolumeExpansion !== true)
      throw denied(
        attributes,
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
      );
  },
};

const sizeOf = ({ spec }: PersistentVolumeClaim) => parseQuantity(spec?.resources?.requests?.storage ?? 0);
const classOf = ({ metadata, spec }: PersistentVolumeClaim): string =>
  metadata.annotations?.[oldClassAnnotation] ?? spec?.storageClassName ?? "";
