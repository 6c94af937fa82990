import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { same } from "../../kubernetes/schema/validation/object-meta.ts";
import { visitContainers } from "../../kubernetes/schema/validation/visit-containers.ts";
import type {
  EndpointSlice,
  HorizontalPodAutoscaler,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  Pod,
  PodSpec,
  VolumeAttachment,
} from "../../kubernetes/types.ts";

/**
 * Fields behind feature gates that Kubernetes 1.33 leaves off: a client's value vanishes without a word, unless the object has the field
 * already (pkg/api/pod `DropDisabledTemplateFields`). In order: ContainerStopSignals, DynamicResourceAllocation, ClusterTrustBundleProjection, ImageVolume,
 * PodLevelResources.
 */
export function dropDisabledPodFields(spec: PodSpec | undefined, live: PodSpec | undefined): void {
  if (spec === undefined) return;
  if (spec.resources !== undefined && live?.resources === undefined) delete spec.resources;
  dropResourceClaims(spec, live);
  if (spec.volumes !== undefined) dropVolumes(spec, live);
  if (!usesStopSignals(live)) dropStopSignals(spec);
}

/** In order: DynamicResourceAllocation, PodObservedGenerationTracking, ResourceHealthStatus (`dropDisabledPodStatusFields`). */
export function dropDisabledPodStatusFields({ status }: Pod, live: Pod): void {
  if (status === undefined) return;
  if ((live.spec?.resourceClaims?.length ?? 0) === 0) delete status.resourceClaimStatuses;
  const before = live.status;
  if (!before?.observedGeneration && !before?.conditions?.some(({ observedGeneration }) => observedGeneration)) {
    delete status.observedGeneration;
    for (const condition of status.conditions ?? []) delete condition.observedGeneration;
  }
  for (const containers of [status.containerStatuses, status.initContainerStatuses, status.ephemeralContainerStatuses])
    for (const container of containers ?? []) delete container.allocatedResourcesStatus;
}

const usesStopSignals = (spec: PodSpec | undefined): boolean =>
  spec !== undefined && [...visitContainers(spec, "")].some(([{ lifecycle }]) => lifecycle?.stopSignal !== undefined);

function dropStopSignals(spec: PodSpec): void {
  for (const [container] of visitContainers(spec, "")) {
    if (container.lifecycle?.stopSignal === undefined) continue;
    delete container.lifecycle.stopSignal;
    if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle;
  }
}

function dropResourceClaims(spec: PodSpec, live: PodSpec | undefined): void {
  if ((live?.resourceClaims?.length ?? 0) > 0) return;
  if (spec.resourceClaims !== undefined) delete spec.resourceClaims;
  for (const [container] of visitContainers(spec, "")) if (container.resources?.claims !== undefined) delete container.resources.claims;
}

function dropVolumes(spec: PodSpec, live: PodSpec | undefined): void {
  const usesBundles = live?.volumes?.some(({ projected }) => projected?.sources?.some(({ clusterTrustBundle }) => clusterTrustBundle));
  for (const { projected, ephemeral } of spec.volumes ?? []) {
    if (usesBundles !== true)
      for (const source of projected?.sources ?? []) if (source.clusterTrustBundle !== undefined) delete source.clusterTrustBundle;
    dropDisabledClaimFields(ephemeral?.volumeClaimTemplate?.spec, undefined);
  }
  if (live?.volumes?.some(({ image }) => image) === true) return;
  const images = new Set((spec.volumes ?? []).filter(({ image }) => image !== undefined).map(({ name }) => name));
  if (images.size === 0) return;
  const kept = (spec.volumes ?? []).filter(({ image }) => image === undefined);
  if (kept.length > 0) spec.volumes = kept;
  else delete spec.volumes;
  for (const [container] of visitContainers(spec, "")) {
    const mounts = container.volumeMounts?.filter(({ name }) => !images.has(name)) ?? [];
    if (mounts.length > 0) container.volumeMounts = mounts;
    else delete container.volumeMounts;
  }
}

/** VolumeAttributesClass and CrossNamespaceVolumeDataSource (pkg/api/persistentvolumeclaim `DropDisabledFields`). */
export function dropDisabledClaimFields(spec: PersistentVolumeClaimSpec | undefined, live: PersistentVolumeClaimSpec | undefined): void {
  if (spec === undefined) return;
  if (spec.volumeAttributesClassName !== undefined && live?.volumeAttributesClassName === undefined) delete spec.volumeAttributesClassName;
  if ((spec.dataSourceRef?.namespace ?? "") !== "" && live?.dataSourceRef?.namespace === undefined) delete spec.dataSourceRef;
}

/** VolumeAttributesClass again, in what a driver reports (`DropDisabledFieldsFromStatus`). */
export function dropDisabledClaimStatus(next: KubernetesObject, live: KubernetesObject): void {
  const { status } = next as PersistentVolumeClaim;
  const before = (live as PersistentVolumeClaim).status;
  for (const field of ["currentVolumeAttributesClassName", "modifyVolumeStatus"] as const)
    if (before?.[field] === undefined) delete status?.[field];
}

/** MutableCSINodeAllocatableCount. */
export function dropAttachmentErrorCodes(next: KubernetesObject, live: KubernetesObject): void {
  const { status } = next as VolumeAttachment;
  const before = (live as VolumeAttachment).status;
  for (const field of ["attachError", "detachError"] as const)
    if (before?.[field]?.errorCode === undefined) delete status?.[field]?.errorCode;
}

/** PreferSameTrafficDistribution; and `deprecatedTopology`, which v1 does not let anybody set. */
export function dropSliceFields(next: KubernetesObject, live: KubernetesObject | undefined): void {
  const before = (live as EndpointSlice | undefined)?.endpoints ?? [];
  const changed = live === undefined || !deepEqual((next as EndpointSlice).endpoints, before);
  const hinted = before.some(({ hints }) => hints?.forNodes !== undefined);
  for (const endpoint of (next as EndpointSlice).endpoints ?? []) {
    if (!hinted && endpoint.hints?.forNodes !== undefined) delete endpoint.hints.forNodes;
    if (changed && endpoint.deprecatedTopology !== undefined) delete endpoint.deprecatedTopology;
  }
}

/** A slice counts changes of its labels too, and of what a client asked for and does not get (pkg/registry/discovery/endpointslice). */
export function countAndDropSliceFields(next: KubernetesObject, live: KubernetesObject): void {
  const { metadata, ...desired } = next;
  const { metadata: before, ...was } = live;
  if (!deepEqual(desired, was) || !same(metadata.labels, before.labels)) metadata.generation = (before.generation ?? 0) + 1;
  dropSliceFields(next, live);
}

/** HPAConfigurableTolerance. */
export function dropTolerance(next: KubernetesObject, live: KubernetesObject | undefined): void {
  const before = (live as HorizontalPodAutoscaler | undefined)?.spec?.behavior;
  const behavior = (next as HorizontalPodAutoscaler).spec?.behavior;
  if (behavior === undefined || before?.scaleUp?.tolerance !== undefined || before?.scaleDown?.tolerance !== undefined) return;
  for (const rules of [behavior.scaleUp, behavior.scaleDown]) if (rules?.tolerance !== undefined) delete rules.tolerance;
}
