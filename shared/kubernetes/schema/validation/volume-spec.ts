import { parseQuantity, wholeValue } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeSpec, SecretReference } from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goResourceList } from "../go-text.ts";
import { checkDnsLabel, checkDnsSubdomain, checkImmutable, checkNoBacksteps, checkSupported, goLiteral } from "./checks.ts";
import { checkAccessModes, checkDriverName, checkStorage, volumeModes } from "./claims.ts";
import { checkDriver } from "./drivers.ts";
import { same } from "./object-meta.ts";
import { checkNodeSelector } from "./selectors.ts";
import { checkHostPath, checkNfs } from "./volumes.ts";

/** The order in which Kubernetes looks at a volume's sources: the first counts, each further one is refused. */
const sources = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const;
/** The two that Kubernetes does not count when it looks for a second source. */
const uncounted = new Set<string>(["flexVolume"]);
const mountable = new Set<string>([
  ...["gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder", "cephfs"],
  ...["azureFile", "vsphereVolume", "azureDisk", "photonPersistentDisk"],
]);
const mountOptions = "volume.beta.kubernetes.io/mount-options";

/** `ValidatePersistentVolume`, but for the metadata. */
export function validateVolume({ metadata, spec = {} }: PersistentVolume): StatusCause[] {
  const causes = checkVolumeSpec(spec, metadata.name ?? "", "spec");
  const takesOptions = sources.some((source) => mountable.has(source) && spec[source] !== undefined);
  if (metadata.annotations?.[mountOptions] === undefined || takesOptions) return causes;
  return [...causes, forbidden(`metadata.annotations.${mountOptions}`, "may not specify mount options for this volume type")];
}

function checkVolumeSpec(spec: PersistentVolumeSpec, name: string, path: string): StatusCause[] {
  const { accessModes = [], nodeAffinity, storageClassName = "" } = spec;
  const causes = accessModes.length === 0 ? [required(`${path}.accessModes`)] : [];
  causes.push(...checkAccessModes(accessModes, `${path}.accessModes`), ...checkCapacity(spec.capacity, `${path}.capacity`));
  const policy = spec.persistentVolumeReclaimPolicy;
  causes.push(...checkSupported(policy, ["Delete", "Recycle", "Retain"], `${path}.persistentVolumeReclaimPolicy`));
  if (nodeAffinity !== undefined) {
    const at = `${path}.nodeAffinity.required`;
    if (nodeAffinity.required === undefined) causes.push(required(at, "must specify required node constraints"));
    else causes.push(...checkNodeSelector(nodeAffinity.required, at));
  }
  causes.push(...checkSources(spec, name, path));
  if (/^\/+\.?$/.test(spec.hostPath?.path ?? "") && policy === "Recycle")
    causes.push(forbidden(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'"));
  if (storageClassName !== "") causes.push(...checkDnsSubdomain(storageClassName, `${path}.storageClassName`));
  return [...causes, ...checkSupported(spec.volumeMode, volumeModes, `${path}.volumeMode`)];
}

/** A volume that stands in a VolumeAttachment: only a CSI source, and nothing that belongs to an object of its own. */
export function checkInlineVolume(spec: PersistentVolumeSpec, path: string): StatusCause[] {
  const context = "may not be specified in the context of inline volumes";
  const causes: StatusCause[] = [];
  if (spec.claimRef !== undefined) causes.push(forbidden(`${path}.claimRef`, context));
  if (Object.keys(spec.capacity ?? {}).length > 0) causes.push(forbidden(`${path}.capacity`, context));
  if (spec.csi === undefined) causes.push(required(`${path}.csi`, "has to be specified in the context of inline volumes"));
  if ((spec.accessModes?.length ?? 0) === 0) causes.push(required(`${path}.accessModes`));
  causes.push(...checkAccessModes(spec.accessModes ?? [], `${path}.accessModes`));
  if ((spec.persistentVolumeReclaimPolicy ?? "Retain") !== "Retain")
    causes.push(forbidden(`${path}.persistentVolumeReclaimPolicy`, "may only be Retain in the context of inline volumes"));
  if (spec.nodeAffinity !== undefined) causes.push(forbidden(`${path}.nodeAffinity`, context));
  causes.push(...checkSources(spec, "", path));
  if ((spec.storageClassName ?? "") !== "") causes.push(forbidden(`${path}.storageClassName`, context));
  if ((spec.volumeMode ?? "Filesystem") !== "Filesystem") {
    const text = "may not specify volumeMode other than Filesystem in the context of inline volumes";
    causes.push(forbidden(`${path}.volumeMode`, text));
  }
  return causes;
}

function checkCapacity(capacity: PersistentVolumeSpec["capacity"], path: string): StatusCause[] {
  const names = Object.keys(capacity ?? {});
  const causes = names.length === 0 ? [required(path)] : [];
  if (capacity?.storage === undefined || names.length > 1) {
    const printed = capacity && Object.fromEntries(Object.entries(capacity).map(([name, amount]) => [name, String(amount)]));
    causes.push(notSupported(path, { go: goResourceList(printed) }, ["storage"]));
  }
  for (const name of names) {
    const amount = wholeValue(parseQuantity(capacity?.[name] ?? "0"));
    if (amount < 0) causes.push(invalid(`${path}[${name}]`, amount, "must be a valid resource quantity"));
    causes.push(...checkStorage(capacity?.[name], `${path}[${name}]`));
  }
  return causes;
}

function checkSources(spec: PersistentVolumeSpec, name: string, path: string): StatusCause[] {
  let counted = 0;
  const causes: StatusCause[] = [];
  for (const source of sources) {
    if (spec[source] === undefined) continue;
    if (counted > 0 && !uncounted.has(source)) {
      causes.push(forbidden(`${path}.${source}`, "may not specify more than 1 volume type"));
      continue;
    }
    counted++;
    causes.push(...checkSource(source, spec, name, path));
  }
  return counted === 0 ? [required(path, "must specify a volume type")] : causes;
}

function checkSource(source: (typeof sources)[number], spec: PersistentVolumeSpec, name: string, path: string): StatusCause[] {
  const { hostPath, nfs, csi, local } = spec;
  if (source === "hostPath" && hostPath !== undefined) return checkHostPath(hostPath, `${path}.hostPath`);
  if (source === "nfs" && nfs !== undefined) return checkNfs(nfs, `${path}.nfs`);
  if (source === "csi" && csi !== undefined) return checkCsi(csi, `${path}.csi`);
  if (source === "local" && local !== undefined) {
    const at = `${path}.local.path`;
    const causes = local.path === "" ? [required(at)] : checkNoBacksteps(local.path, at);
    if ((spec.nodeAffinity?.required?.nodeSelectorTerms?.length ?? 0) > 0) return causes;
    return [...causes, required(`${path}.nodeAffinity`, "Local volume requires node affinity")];
  }
  return checkDriver(source, spec, `${path}.${source === "gcePersistentDisk" ? "persistentDisk" : source}`, name);
}

function checkCsi(source: CSIPersistentVolumeSource, path: string): StatusCause[] {
  const causes = checkDriverName(source.driver, `${path}.driver`);
  if (source.volumeHandle === "") causes.push(required(`${path}.volumeHandle`));
  for (const field of ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"] as const) {
    const reference = source[field];
    if (reference !== undefined) causes.push(...checkSecretReference(reference, `${path}.${field}`));
  }
  return causes;
}

function checkSecretReference({ name = "", namespace = "" }: SecretReference, path: string): StatusCause[] {
  return [
    ...(name === "" ? [required(`${path}.name`)] : checkDnsSubdomain(name, `${path}.name`)),
    ...(namespace === "" ? [required(`${path}.namespace`)] : checkDnsLabel(namespace, `${path}.namespace`)),
  ];
}

export function validateVolumeUpdate(next: PersistentVolume, live: PersistentVolume): StatusCause[] {
  const causes = validateVolume(next);
  if (!same(sourceOf(next, live), sourceOf(live, live))) {
    causes.push(forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n"));
  }
  causes.push(...checkImmutable(next.spec?.volumeMode, live.spec?.volumeMode, "volumeMode"));
  const before = live.spec?.nodeAffinity;
  if (before !== undefined && !same(next.spec?.nodeAffinity, before)) {
    const text = "field is immutable, except for updating from beta label to GA";
    causes.push(invalid("nodeAffinity", { go: goLiteral(next.spec?.nodeAffinity) }, text));
  }
  if (next.spec?.volumeAttributesClassName !== live.spec?.volumeAttributesClassName) {
    const text = "update is forbidden when the VolumeAttributesClass feature gate is disabled";
    causes.push(forbidden("spec.volumeAttributesClassName", text));
  }
  return causes;
}

/** The source of a volume; the secret for expanding it may be added later. */
function sourceOf({ spec = {} }: PersistentVolume, live: PersistentVolume): object {
  const source = Object.fromEntries(sources.map((name) => [name, spec[name]]).filter(([, value]) => value !== undefined));
  if (spec.csi === undefined || live.spec?.csi?.controllerExpandSecretRef !== undefined) return source;
  const { controllerExpandSecretRef: _, ...csi } = spec.csi;
  return { ...source, csi };
}
