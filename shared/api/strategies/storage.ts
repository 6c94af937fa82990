import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../kubernetes/types.ts";
import type { Body, Preparing } from "../strategy.ts";
import { dropDisabledClaimFields } from "./disabled-fields.ts";

/** A new claim is pending; its two names for a source say the same (pkg/registry/core/persistentvolumeclaim). */
export function prepareClaim(object: Body): void {
  object.status = { phase: "Pending" };
  prepareClaimSpec(object, undefined);
}

export function prepareClaimSpec(next: Body, live: Body | undefined): void {
  const [object, old]: (KubernetesObject | undefined)[] = [next, live];
  const { spec } = object as PersistentVolumeClaim;
  const before = (old as PersistentVolumeClaim | undefined)?.spec;
  if (spec === undefined) return;
  dropDisabledClaimFields(spec, before);
  const inUse = before?.dataSource !== undefined || before?.dataSourceRef !== undefined;
  // What was never supported there has always been dropped without a word.
  if (!inUse && spec.dataSourceRef === undefined && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource;
  normalizeSources(spec);
}

function isClaimOrSnapshot(source: PersistentVolumeClaimSpec["dataSource"]): boolean {
  if (source === undefined) return true;
  const group = source.apiGroup ?? "";
  if (source.kind === "PersistentVolumeClaim" && group === "") return true;
  return source.kind === "VolumeSnapshot" && group === "snapshot.storage.k8s.io";
}

function normalizeSources(spec: PersistentVolumeClaimSpec): void {
  const { dataSource, dataSourceRef } = spec;
  if ((dataSourceRef?.namespace ?? "") !== "") return;
  if (dataSource !== undefined && dataSourceRef === undefined) spec.dataSourceRef = { ...dataSource };
  else if (dataSource === undefined && dataSourceRef !== undefined) {
    const { namespace: _, ...reference } = dataSourceRef;
    spec.dataSource = reference;
  }
}

export function prepareVolume(object: Body, { nowIso }: Preparing): void {
  object.status = { phase: "Pending", lastPhaseTransitionTime: nowIso };
  dropVolumeAttributes(object, undefined);
}

/** When the phase began: kept while it lasts, now when it changed and the client does not say. */
export function dateVolumePhase(next: Body, live: Body, { nowIso }: Preparing): void {
  const [object, old]: KubernetesObject[] = [next, live];
  const volume = object as PersistentVolume;
  const before = (old as PersistentVolume).status;
  const { phase, lastPhaseTransitionTime } = volume.status ?? {};
  if (phase === before?.phase) {
    if (lastPhaseTransitionTime !== undefined || before?.lastPhaseTransitionTime === undefined) return;
    volume.status = { ...volume.status, lastPhaseTransitionTime: before.lastPhaseTransitionTime };
  } else if (lastPhaseTransitionTime === undefined || lastPhaseTransitionTime === before?.lastPhaseTransitionTime) {
    volume.status = { ...volume.status, lastPhaseTransitionTime: nowIso };
  }
}

export function dropVolumeAttributes(next: Body, live: Body | undefined): void {
  const [object, old]: (KubernetesObject | undefined)[] = [next, live];
  const { spec } = object as PersistentVolume;
  if (spec?.volumeAttributesClassName !== undefined && (old as PersistentVolume | undefined)?.spec?.volumeAttributesClassName === undefined)
    delete spec.volumeAttributesClassName;
}
