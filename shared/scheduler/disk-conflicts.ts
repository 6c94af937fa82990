import type { Pod, Volume } from "../kubernetes/types.ts";

/** Whether a pod mounts a disk directly that another pod's mount rules out on the same node (VolumeRestrictions: GCE PD, EBS, iSCSI, RBD). */
export function conflictsOverDisks(pod: Pod, others: Iterable<Pod>): boolean {
  const disks = (pod.spec?.volumes ?? []).filter(isRestricted);
  if (disks.length === 0) return false;
  for (const other of others) {
    for (const volume of other.spec?.volumes ?? []) if (disks.some((disk) => areExclusive(disk, volume))) return true;
  }
  return false;
}

export function mountsDisks({ spec }: Pod): boolean {
  return spec?.volumes?.some(isRestricted) ?? false;
}

function isRestricted({ gcePersistentDisk, awsElasticBlockStore, iscsi, rbd }: Volume): boolean {
  return (gcePersistentDisk ?? awsElasticBlockStore ?? iscsi ?? rbd) !== undefined;
}

function areExclusive(a: Volume, b: Volume): boolean {
  const canShare = (x: { readOnly?: boolean }, y: { readOnly?: boolean }): boolean => x.readOnly === true && y.readOnly === true;
  if (a.gcePersistentDisk && b.gcePersistentDisk) {
    if (a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName && !canShare(a.gcePersistentDisk, b.gcePersistentDisk)) return true;
  }
  if (a.awsElasticBlockStore && a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore?.volumeID) return true;
  if (a.iscsi && b.iscsi && a.iscsi.iqn === b.iscsi.iqn && !canShare(a.iscsi, b.iscsi)) return true;
  if (a.rbd && b.rbd) {
    const [mine, theirs] = [a.rbd, b.rbd];
    const isSameImage = (mine.pool ?? "rbd") === (theirs.pool ?? "rbd") && mine.image === theirs.image;
    const shareMonitor = mine.monitors.some((monitor) => theirs.monitors.includes(monitor));
    if (isSameImage && shareMonitor && !canShare(mine, theirs)) return true;
  }
  return false;
}
