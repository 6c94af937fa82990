import type { CSIDriver, CSINode, PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment } from "../types.ts";
import { age, type Printer } from "./format.ts";

const betaStorageClass = "volume.beta.kubernetes.io/storage-class";
const defaultClass = "storageclass.kubernetes.io/is-default-class";
const betaDefaultClass = "storageclass.beta.kubernetes.io/is-default-class";

const accessModeOrder = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
] as const;

function accessModes(modes: readonly string[] | undefined): string {
  return accessModeOrder
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(",");
}

export const persistentVolumeCells: Printer = (object, nowMs) => {
  const volume = object as PersistentVolume;
  const { metadata, spec, status } = volume;
  return [
    metadata.name,
    String(spec?.capacity?.storage ?? "0"),
    accessModes(spec?.accessModes),
    spec?.persistentVolumeReclaimPolicy ?? "",
    metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
    spec?.claimRef ? `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}` : "",
    metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "",
    spec?.volumeAttributesClassName ?? "<unset>",
    status?.reason ?? "",
    age(volume, nowMs),
    spec?.volumeMode ?? "<unset>",
  ];
};

export const persistentVolumeClaimCells: Printer = (object, nowMs) => {
  const claim = object as PersistentVolumeClaim;
  const { metadata, spec, status } = claim;
  const bound = Boolean(spec?.volumeName);
  return [
    metadata.name,
    metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
    spec?.volumeName ?? "",
    bound ? String(status?.capacity?.storage ?? "0") : "",
    bound ? accessModes(status?.accessModes) : "",
    metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "",
    spec?.volumeAttributesClassName ?? "<unset>",
    age(claim, nowMs),
    spec?.volumeMode ?? "<unset>",
  ];
};

export const storageClassCells: Printer = (object, nowMs) => {
  const storageClass = object as StorageClass;
  const { metadata, provisioner, reclaimPolicy, volumeBindingMode, allowVolumeExpansion } = storageClass;
  const isDefault = metadata.annotations?.[defaultClass] === "true" || metadata.annotations?.[betaDefaultClass] === "true";
  return [
    isDefault ? `${metadata.name} (default)` : metadata.name,
    provisioner,
    reclaimPolicy ?? "Delete",
    volumeBindingMode ?? "Immediate",
    allowVolumeExpansion ?? false,
    age(storageClass, nowMs),
  ];
};

export const csiDriverCells: Printer = (object, nowMs) => {
  const driver = object as CSIDriver;
  const { spec } = driver;
  return [
    driver.metadata.name,
    spec?.attachRequired ?? true,
    spec?.podInfoOnMount ?? false,
    spec?.storageCapacity ?? false,
    spec?.tokenRequests?.map(({ audience }) => audience).join(",") ?? "<unset>",
    spec?.requiresRepublish ?? false,
    spec?.volumeLifecycleModes?.join(",") || "<none>",
    age(driver, nowMs),
  ];
};

export const csiNodeCells: Printer = (object, nowMs) => {
  const node = object as CSINode;
  return [node.metadata.name, (node.spec?.drivers ?? []).length, age(node, nowMs)];
};

export const volumeAttachmentCells: Printer = (object, nowMs) => {
  const attachment = object as VolumeAttachment;
  const { metadata, spec, status } = attachment;
  return [
    metadata.name,
    spec?.attacher ?? "",
    spec?.source?.persistentVolumeName ?? "",
    spec?.nodeName ?? "",
    status?.attached ?? false,
    age(attachment, nowMs),
  ];
};
