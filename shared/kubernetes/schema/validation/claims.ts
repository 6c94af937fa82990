import { deepEqual } from "../../deep-equal.ts";
import { labelSelectorProblems } from "../../label-selector.ts";
import { dnsLabelProblems, dnsSubdomainProblems } from "../../names.ts";
import { compareQuantities, formatQuantity, parseQuantity, wholeValue } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../types.ts";
import { forbidden, invalid, notSupported, required, tooLong } from "../field-error.ts";
import { checkImmutable, checkSupported, invalidEach, positiveMessage, sorted } from "./checks.ts";
import { specDifference } from "./spec-difference.ts";

const accessModes = sorted(["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]);
export const volumeModes = ["Block", "Filesystem"];
const zero = parseQuantity("0");
const maximumDriverName = 63;

/** Access modes of a claim or a volume. */
export function checkAccessModes(modes: readonly string[], path: string): StatusCause[] {
  const causes = modes.flatMap((mode) => checkSupported(mode, accessModes, path));
  const others = modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode));
  if (modes.includes("ReadWriteOncePod") && others) causes.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  return causes;
}

export function checkDriverName(name: string, path: string): StatusCause[] {
  return [
    ...(name === "" ? [required(path)] : []),
    ...(name.length > maximumDriverName ? [tooLong(path, maximumDriverName)] : []),
    ...invalidEach(path, name, dnsSubdomainProblems(name.toLowerCase())),
  ];
}

/** The spec of a PersistentVolumeClaim, also inside templates (`ValidatePersistentVolumeClaimSpec`). */
export function checkClaimSpec(spec: PersistentVolumeClaimSpec | undefined, path: string): StatusCause[] {
  const { accessModes: modes = [], selector, resources, storageClassName = "", volumeMode, dataSource, dataSourceRef } = spec ?? {};
  const causes: StatusCause[] = modes.length === 0 ? [required(`${path}.accessModes`, "at least 1 access mode is required")] : [];
  causes.push(...labelSelectorProblems(selector, `${path}.selector`));
  causes.push(...checkAccessModes(modes, `${path}.accessModes`));
  causes.push(...checkStorage(resources?.requests?.storage, `${path}.resources[storage]`));
  if (storageClassName !== "")
    causes.push(...invalidEach(`${path}.storageClassName`, storageClassName, dnsSubdomainProblems(storageClassName)));
  causes.push(...checkSupported(volumeMode, volumeModes, `${path}.volumeMode`));
  if (dataSource !== undefined) causes.push(...checkDataSource(dataSource, `${path}.dataSource`));
  if (dataSourceRef !== undefined) causes.push(...checkDataSource(dataSourceRef, `${path}.dataSourceRef`));
  if (dataSource === undefined || dataSourceRef === undefined) return causes;
  if ((dataSourceRef.namespace ?? "") !== "")
    causes.push(invalid(path, goPath("dataSource"), "may not be specified when dataSourceRef.namespace is specified"));
  else if (!sameReference(dataSource, dataSourceRef)) causes.push(invalid(path, goPath("dataSource"), "must match dataSourceRef"));
  return causes;
}

/** Kubernetes gives a path where it means a value: Go prints the structure. */
const goPath = (name: string) => ({ go: `field.Path{name:"${name}", index:"", parent:(*field.Path)(0xc000000000)}` });

interface DataSource {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

function sameReference(a: DataSource, b: DataSource): boolean {
  return a.apiGroup === b.apiGroup && a.kind === b.kind && a.name === b.name;
}

function checkDataSource({ apiGroup = "", kind, name, namespace = "" }: DataSource, path: string): StatusCause[] {
  return [
    ...(name === "" ? [required(`${path}.name`)] : []),
    ...(kind === "" ? [required(`${path}.kind`)] : []),
    ...(apiGroup === "" && kind !== "PersistentVolumeClaim"
      ? [invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")]
      : []),
    ...(apiGroup === "" ? [] : invalidEach(`${path}.apiGroup`, apiGroup, dnsSubdomainProblems(apiGroup))),
    ...(namespace === "" ? [] : invalidEach(`${path}.namespace`, namespace, dnsLabelProblems(namespace))),
  ];
}

/** An amount of storage that must be there and be more than nothing. */
export function checkStorage(amount: string | number | undefined, path: string): StatusCause[] {
  if (amount === undefined) return [required(path)];
  const quantity = parseQuantity(amount);
  return compareQuantities(quantity, zero) <= 0 ? [invalid(path, formatQuantity(quantity), positiveMessage)] : [];
}

export function validateClaim(claim: PersistentVolumeClaim): StatusCause[] {
  return checkClaimSpec(claim.spec, "spec");
}

/** A bound claim may grow; everything else of its spec stays (`ValidatePersistentVolumeClaimUpdate`). */
export function validateClaimUpdate(next: PersistentVolumeClaim, live: PersistentVolumeClaim): StatusCause[] {
  const causes = validateClaim(next);
  const before: PersistentVolumeClaimSpec = { ...live.spec };
  const after: PersistentVolumeClaimSpec = { ...next.spec };
  const annotation = "volume.beta.kubernetes.io/storage-class";
  if ((next.metadata.annotations?.[annotation] ?? "") !== (live.metadata.annotations?.[annotation] ?? "")) {
    causes.push(invalid(`metadata.annotations.${annotation}`, next.metadata.annotations?.[annotation] ?? "", "field is immutable"));
  }
  if ((before.volumeName ?? "") === "" && after.volumeName !== undefined) before.volumeName = after.volumeName;
  if (before.storageClassName === undefined && after.storageClassName !== undefined) delete after.storageClassName;
  const bound = next.status?.phase === "Bound";
  const storage = before.resources?.requests?.storage;
  if (bound && after.resources?.requests !== undefined && storage !== undefined) {
    after.resources = { ...after.resources, requests: { ...after.resources.requests, storage } };
  }
  if (!deepEqual(after, before)) {
    const text = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    causes.push(forbidden("spec", `${text}\n${specDifference("core.PersistentVolumeClaimSpec", before, after)}`));
  }
  const grown = next.spec?.resources?.requests?.storage;
  if (grown !== undefined && storage !== undefined && compareQuantities(parseQuantity(grown), parseQuantity(storage)) < 0) {
    const capacity = parseQuantity(live.status?.capacity?.storage ?? "0");
    if (compareQuantities(parseQuantity(grown), capacity) <= 0) {
      causes.push(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
    }
  }
  return [...causes, ...checkImmutable(next.spec?.volumeMode, live.spec?.volumeMode, "volumeMode")];
}

const isClaimed = (name: string): boolean => name === "storage" || name.includes("/");

export function validateClaimStatus({ spec, status = {} }: PersistentVolumeClaim): StatusCause[] {
  const missing = (spec?.accessModes?.length ?? 0) === 0 ? [required("Spec.accessModes")] : [];
  const resizing = Object.keys(status.allocatedResourceStatuses ?? {}).filter((name) => !isClaimed(name));
  return [
    ...missing,
    ...checkAmounts(status.capacity, "status.capacity", () => true),
    ...resizing.map((name) => notSupported("status.allocatedResourceStatus", name, ["storage"])),
    ...checkAmounts(status.allocatedResources, "status.allocatedResources", isClaimed),
  ];
}

function checkAmounts(
  amounts: Readonly<Record<string, string | number>> | undefined,
  path: string,
  isKnown: (name: string) => boolean,
): StatusCause[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    if (!isKnown(name)) return [notSupported(path, name, ["storage"])];
    const value = wholeValue(parseQuantity(amount));
    return value < 0 ? [invalid(`${path}[${name}]`, value, "must be a valid resource quantity")] : [];
  });
}
