import { deepEqual } from "../../deep-equal.ts";
import { parseQuantity, wholeValue } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { CSIDriver, CSINode, PersistentVolume, PersistentVolumeSpec, StorageClass, TopologySelectorTerm } from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required, tooLong } from "../field-error.ts";
import {
  checkDnsSubdomain,
  checkImmutable,
  checkNoBacksteps,
  checkNonnegative,
  checkOneOf,
  checkQualifiedName,
  checkSupported,
  goLiteral,
} from "./checks.ts";
import { checkAccessModes, checkDriverName, checkStorage, volumeModes } from "./claims.ts";
import { same } from "./object-meta.ts";
import { checkNodeSelector } from "./selectors.ts";
import { checkNfs } from "./volumes.ts";

const maximumParameters = 512;
const maximumParameterBytes = 256 * 1024;
const maximumNodeId = 256;
const notSources = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

export function validateStorageClass(storageClass: StorageClass): StatusCause[] {
  const { provisioner, parameters = {}, reclaimPolicy, volumeBindingMode, allowedTopologies = [] } = storageClass;
  const causes = provisioner === "" ? [required("provisioner")] : checkQualifiedName(provisioner.toLowerCase(), "provisioner");
  causes.push(...checkParameters(parameters), ...checkOneOf(reclaimPolicy, ["Delete", "Retain"], "reclaimPolicy"));
  causes.push(...checkOneOf(volumeBindingMode, ["Immediate", "WaitForFirstConsumer"], "volumeBindingMode"));
  return [...causes, ...allowedTopologies.flatMap((term, index) => checkTopology(term, `allowedTopologies[${index}]`))];
}

function checkParameters(parameters: Readonly<Record<string, string>>): StatusCause[] {
  const entries = Object.entries(parameters);
  if (entries.length > maximumParameters) return [tooLong("parameters", maximumParameters)];
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const causes: StatusCause[] = entries.filter(([key]) => key === "").map(([key]) => invalid("parameters", key, "field can not be empty."));
  return bytes > maximumParameterBytes ? [...causes, tooLong("parameters", maximumParameterBytes)] : causes;
}

function checkTopology({ matchLabelExpressions = [] }: TopologySelectorTerm, path: string): StatusCause[] {
  return matchLabelExpressions.flatMap(({ key, values }, index) => {
    const at = `${path}.matchLabelExpressions[${index}]`;
    const list = values ?? [];
    const repeated = list.flatMap((value, number) => (list.indexOf(value) < number ? [duplicate(`${at}.values[${number}]`, value)] : []));
    const again = matchLabelExpressions.findIndex((expression) => expression.key === key) < index;
    return [
      ...(list.length === 0 ? [required(`${at}.values`)] : []),
      ...repeated,
      ...checkQualifiedName(key, `${at}.key`),
      ...(again ? [duplicate(`${at}.key`, key)] : []),
    ];
  });
}

export function validateStorageClassUpdate(next: StorageClass, live: StorageClass): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!deepEqual(next.parameters ?? {}, live.parameters ?? {}))
    causes.push(forbidden("parameters", "updates to parameters are forbidden."));
  for (const field of ["provisioner", "reclaimPolicy"] as const) {
    if (next[field] !== live[field]) causes.push(forbidden(field, `updates to ${field} are forbidden.`));
  }
  return [...causes, ...checkImmutable(next.volumeBindingMode, live.volumeBindingMode, "volumeBindingMode")];
}

export function validateVolume({ spec = {} }: PersistentVolume): StatusCause[] {
  const { accessModes = [], capacity = {}, nodeAffinity, storageClassName = "" } = spec;
  const causes = accessModes.length === 0 ? [required("spec.accessModes")] : [];
  causes.push(...checkAccessModes(accessModes, "spec.accessModes"));
  const names = Object.keys(capacity);
  if (names.length === 0) causes.push(required("spec.capacity"));
  if (capacity.storage === undefined || names.length > 1)
    causes.push(notSupported("spec.capacity", { go: goLiteral(capacity) }, ["storage"]));
  for (const name of names) {
    const amount = wholeValue(parseQuantity(capacity[name] ?? "0"));
    if (amount < 0) causes.push(invalid(`spec.capacity[${name}]`, amount, "must be a valid resource quantity"));
    causes.push(...checkStorage(capacity[name], `spec.capacity[${name}]`));
  }
  causes.push(...checkSupported(spec.persistentVolumeReclaimPolicy, ["Delete", "Recycle", "Retain"], "spec.persistentVolumeReclaimPolicy"));
  if (nodeAffinity !== undefined) {
    if (nodeAffinity.required === undefined) causes.push(required("spec.nodeAffinity.required", "must specify required node constraints"));
    else causes.push(...checkNodeSelector(nodeAffinity.required, "spec.nodeAffinity.required"));
  }
  causes.push(...checkVolumeSource(spec));
  if (storageClassName !== "") causes.push(...checkDnsSubdomain(storageClassName, "spec.storageClassName"));
  return [...causes, ...checkSupported(spec.volumeMode, volumeModes, "spec.volumeMode")];
}

function checkVolumeSource(spec: PersistentVolumeSpec): StatusCause[] {
  const [first, ...rest] = Object.keys(spec).filter((field) => !notSources.has(field));
  if (first === undefined) return [required("spec", "must specify a volume type")];
  const { hostPath, nfs, csi, local } = spec;
  const causes: StatusCause[] = [];
  if (hostPath !== undefined)
    causes.push(...(hostPath.path === "" ? [required("spec.hostPath.path")] : checkNoBacksteps(hostPath.path, "spec.hostPath.path")));
  if (nfs !== undefined) causes.push(...checkNfs(nfs, "spec.nfs"));
  if (csi !== undefined) {
    causes.push(...checkDriverName(csi.driver, "spec.csi.driver"));
    if (csi.volumeHandle === "") causes.push(required("spec.csi.volumeHandle"));
  }
  if (local !== undefined) {
    causes.push(...(local.path === "" ? [required("spec.local.path")] : checkNoBacksteps(local.path, "spec.local.path")));
    if (spec.nodeAffinity === undefined) causes.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
  }
  if (hostPath !== undefined && /^\/+\.?$/.test(hostPath.path) && spec.persistentVolumeReclaimPolicy === "Recycle") {
    causes.push(forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  }
  return [...causes, ...rest.map((field) => forbidden(`spec.${field}`, "may not specify more than 1 volume type"))];
}

export function validateVolumeUpdate(next: PersistentVolume, live: PersistentVolume): StatusCause[] {
  const causes = validateVolume(next);
  const sourceOf = ({ spec = {} }: PersistentVolume) =>
    Object.fromEntries(Object.entries(spec).filter(([field]) => !notSources.has(field)));
  if (!same(sourceOf(next), sourceOf(live))) {
    causes.push(forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n"));
  }
  causes.push(...checkImmutable(next.spec?.volumeMode, live.spec?.volumeMode, "volumeMode"));
  const before = live.spec?.nodeAffinity;
  if (before !== undefined && !same(next.spec?.nodeAffinity, before)) {
    causes.push(
      invalid("nodeAffinity", { go: goLiteral(next.spec?.nodeAffinity) }, "field is immutable, except for updating from beta label to GA"),
    );
  }
  return causes;
}

export function validateCsiDriver({ spec }: CSIDriver): StatusCause[] {
  const period = spec?.nodeAllocatableUpdatePeriodSeconds;
  const causes: StatusCause[] = [];
  causes.push(...checkOneOf(spec?.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"], "spec.fsGroupPolicy"));
  causes.push(
    ...(spec?.volumeLifecycleModes ?? []).flatMap((mode) => checkSupported(mode, ["Ephemeral", "Persistent"], "spec.volumeLifecycleModes")),
  );
  if (period !== undefined && period < 10)
    causes.push(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"));
  return causes;
}

export function validateCsiNode({ spec }: CSINode): StatusCause[] {
  const drivers = spec?.drivers ?? [];
  return drivers.flatMap((driver, index) => {
    const at = `spec.drivers[${index}]`;
    const causes = checkDriverName(driver.name, `${at}.name`);
    if (driver.nodeID === "") causes.push(required(`${at}.nodeID`));
    if (driver.nodeID.length > maximumNodeId)
      causes.push(invalid(`${at}.nodeID`, driver.nodeID, `must be ${maximumNodeId} characters or less`));
    causes.push(...checkNonnegative(driver.allocatable?.count, `${at}.allocatable.count`));
    if (drivers.findIndex((other) => other.name === driver.name) < index) causes.push(duplicate(`${at}.name`, driver.name));
    return [...causes, ...(driver.topologyKeys ?? []).flatMap((key) => (key === "" ? [required(at)] : checkQualifiedName(key, at)))];
  });
}
