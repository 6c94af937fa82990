import { dnsLabelProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { PersistentVolumeSpec, Volume } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { checkDescendingPath, checkDnsLabel, invalidEach } from "./checks.ts";
import { checkIscsiName } from "./iscsi.ts";

/** The sources that a pod's volume and a PersistentVolume share in name; what differs between the two is marked by `persistent`. */
type Driver = keyof Volume & keyof PersistentVolumeSpec;
type Source<K extends Driver> = NonNullable<Volume[K]> & NonNullable<PersistentVolumeSpec[K]>;

interface Reference {
  readonly name?: string;
  readonly namespace?: string;
}

const byteRange = "must be between 0 and 255, inclusive";
const partitionRange = "must be between 1 and 255, inclusive";
const registryMessage = "must be a host:port pair or multiple pairs separated by commas";
const managedDisk = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const blobDisk = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

/** Fields that may not be empty. */
function checkFilled<T extends object>(source: T, fields: readonly (keyof T & string)[], path: string): StatusCause[] {
  return fields.flatMap((field) => {
    const value: unknown = source[field];
    const empty = value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
    return empty ? [required(`${path}.${field}`)] : [];
  });
}

function checkReference(reference: Reference | undefined, fields: readonly (keyof Reference)[], path: string): StatusCause[] {
  return reference === undefined ? [] : checkFilled(reference, fields, path);
}

const referenceFields = (persistent: boolean): readonly (keyof Reference)[] => (persistent ? ["name", "namespace"] : ["name"]);

function checkIscsi(source: Source<"iscsi">, path: string, volumeName: string | undefined): StatusCause[] {
  const { targetPortal, iqn, lun, initiatorName, secretRef } = source;
  const causes = checkFilled(source, ["targetPortal"], path);
  if (volumeName !== undefined && initiatorName !== undefined && `${volumeName}:${targetPortal}`.length > 64) {
    const text = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
    causes.push(invalid(`${path}.targetportal`, targetPortal, text));
  }
  causes.push(...(iqn === "" ? [required(`${path}.iqn`)] : checkIscsiName(iqn, `${path}.iqn`, volumeName === undefined)));
  if (lun < 0 || lun > 255) causes.push(invalid(`${path}.lun`, lun, byteRange));
  if ((source.chapAuthDiscovery === true || source.chapAuthSession === true) && secretRef === undefined)
    causes.push(required(`${path}.secretRef`));
  if (volumeName !== undefined) causes.push(...checkReference(secretRef, ["name"], `${path}.secretRef`));
  return initiatorName === undefined
    ? causes
    : [...causes, ...checkIscsiName(initiatorName, `${path}.initiatorname`, volumeName === undefined)];
}

function checkFibreChannel({ targetWWNs = [], wwids = [], lun }: Source<"fc">, path: string): StatusCause[] {
  const at = `${path}.targetWWNs`;
  if (targetWWNs.length === 0) {
    return wwids.length === 0 ? [required(at, "must specify either targetWWNs or wwids, but not both")] : [];
  }
  const causes: StatusCause[] = [];
  if (wwids.length > 0)
    causes.push(invalid(at, { go: goStringList(targetWWNs) }, "targetWWNs and wwids can not be specified simultaneously"));
  if (lun === undefined) causes.push(required(`${path}.lun`, "lun is required if targetWWNs is specified"));
  else if (lun < 0 || lun > 255) causes.push(invalid(`${path}.lun`, lun, byteRange));
  return causes;
}

function checkQuobyte(source: Source<"quobyte">, path: string): StatusCause[] {
  const { registry, tenant = "" } = source;
  const causes: StatusCause[] = [];
  if (registry === "") causes.push(required(`${path}.registry`, registryMessage));
  else if (tenant.length >= 65) causes.push(required(`${path}.tenant`, "must be a UUID and may not exceed a length of 64 characters"));
  else
    for (const pair of registry.split(","))
      if (!/^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)) causes.push(invalid(`${path}.registry`, registry, registryMessage));
  return [...causes, ...checkFilled(source, ["volume"], path)];
}

function checkFlocker({ datasetName = "", datasetUUID = "" }: Source<"flocker">, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (datasetName === "" && datasetUUID === "") causes.push(required(path, "one of datasetName and datasetUUID is required"));
  if (datasetName !== "" && datasetUUID !== "") {
    causes.push(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
  }
  if (datasetName.includes("/")) causes.push(invalid(`${path}.datasetName`, datasetName, "must not contain '/'"));
  return causes;
}

function checkFlexVolume(source: Source<"flexVolume">, path: string): StatusCause[] {
  const reserved = Object.keys(source.options ?? {}).filter((key) => {
    const slash = key.indexOf("/");
    const namespace = `.${(slash === -1 ? key : key.slice(0, slash)).toLowerCase()}`;
    return namespace.endsWith(".kubernetes.io") || namespace.endsWith(".k8s.io");
  });
  return [
    ...checkFilled(source, ["driver"], path),
    ...reserved.map((key) => invalid(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved")),
  ];
}

function checkAzureDisk(source: Source<"azureDisk">, path: string): StatusCause[] {
  const { kind, cachingMode, diskURI } = source;
  const causes = checkFilled(source, ["diskName", "diskURI"], path);
  const cachingModes = ["None", "ReadOnly", "ReadWrite"];
  const kinds = ["Dedicated", "Managed", "Shared"];
  if (cachingMode !== undefined && !cachingModes.includes(cachingMode))
    causes.push(notSupported(`${path}.cachingMode`, cachingMode, cachingModes));
  if (kind === undefined) return causes;
  if (!kinds.includes(kind)) causes.push(notSupported(`${path}.kind`, kind, kinds));
  const [prefix, form] = kind === "Managed" ? ["/subscriptions/", managedDisk] : ["https://", blobDisk];
  return diskURI.startsWith(prefix) ? causes : [...causes, notSupported(`${path}.diskURI`, diskURI, [form])];
}

function checkStorageOs(source: Source<"storageos">, persistent: boolean, path: string): StatusCause[] {
  const { volumeName = "", volumeNamespace = "", secretRef } = source;
  return [
    ...(volumeName === "" ? [required(`${path}.volumeName`)] : checkDnsLabel(volumeName, `${path}.volumeName`)),
    ...(volumeNamespace === "" ? [] : checkDnsLabel(volumeNamespace, `${path}.volumeNamespace`)),
    ...checkReference(secretRef, referenceFields(persistent), `${path}.secretRef`),
  ];
}

function checkPartition(source: { partition?: number }, path: string): StatusCause[] {
  const { partition = 0 } = source;
  return partition < 0 || partition > 255 ? [invalid(`${path}.partition`, partition, partitionRange)] : [];
}

function checkEndpointsNamespace(namespace: string | undefined, path: string): StatusCause[] {
  if (namespace === undefined) return [];
  if (namespace === "") return [invalid(path, namespace, "if the endpointnamespace is set, it must be a valid namespace name")];
  return invalidEach(path, namespace, dnsLabelProblems(namespace));
}

/**
 * What the drivers that were once part of Kubernetes ask of a volume. `volumeName` is given for a PersistentVolume, whose references name
 * namespaces. `path` is the source's own. Nothing for sources that need more context (pkg/apis/core/validation `validateVolumeSource`).
 */
export function checkDriver(source: string, volume: Volume | PersistentVolumeSpec, path: string, volumeName?: string): StatusCause[] {
  const persistent = volumeName !== undefined;
  const given = volume as { readonly [K in Driver]?: Source<K> };
  const { gcePersistentDisk, awsElasticBlockStore, iscsi, glusterfs, flocker, rbd, cinder, cephfs, quobyte, fc } = given;
  const { flexVolume, azureFile, vsphereVolume, photonPersistentDisk, portworxVolume, azureDisk, storageos, scaleIO } = given;
  switch (source) {
    case "gcePersistentDisk":
      return gcePersistentDisk ? [...checkFilled(gcePersistentDisk, ["pdName"], path), ...checkPartition(gcePersistentDisk, path)] : [];
    case "awsElasticBlockStore":
      return awsElasticBlockStore
        ? [...checkFilled(awsElasticBlockStore, ["volumeID"], path), ...checkPartition(awsElasticBlockStore, path)]
        : [];
    case "iscsi":
      return iscsi ? checkIscsi(iscsi, path, volumeName) : [];
    case "glusterfs":
      return glusterfs
        ? [
            ...checkFilled(glusterfs, ["endpoints", "path"], path),
            ...checkEndpointsNamespace(persistent ? glusterfs.endpointsNamespace : undefined, `${path}.endpointsNamespace`),
          ]
        : [];
    case "flocker":
      return flocker ? checkFlocker(flocker, path) : [];
    case "rbd":
      return rbd ? checkFilled(rbd, ["monitors", "image"], path) : [];
    case "cinder":
      return cinder
        ? [
            ...checkFilled(cinder, ["volumeID"], path),
            ...checkReference(cinder.secretRef, referenceFields(persistent), `${path}.secretRef`),
          ]
        : [];
    case "cephfs":
      return cephfs ? checkFilled(cephfs, ["monitors"], path) : [];
    case "quobyte":
      return quobyte ? checkQuobyte(quobyte, path) : [];
    case "fc":
      return fc ? checkFibreChannel(fc, path) : [];
    case "flexVolume":
      return flexVolume ? checkFlexVolume(flexVolume, path) : [];
    case "azureFile":
      return azureFile
        ? [
            ...checkFilled(azureFile, ["secretName", "shareName"], path),
            ...(persistent && azureFile.secretNamespace === "" ? [required(`${path}.secretNamespace`)] : []),
          ]
        : [];
    case "vsphereVolume":
      return vsphereVolume ? checkFilled(vsphereVolume, ["volumePath"], path) : [];
    case "photonPersistentDisk":
      return photonPersistentDisk ? checkFilled(photonPersistentDisk, ["pdID"], path) : [];
    case "portworxVolume":
      return portworxVolume ? checkFilled(portworxVolume, ["volumeID"], path) : [];
    case "azureDisk":
      return azureDisk ? checkAzureDisk(azureDisk, path) : [];
    case "storageos":
      return storageos ? checkStorageOs(storageos, persistent, path) : [];
    case "scaleIO":
      return scaleIO ? checkFilled(scaleIO, ["gateway", "system", "volumeName"], path) : [];
    default:
      return [];
  }
}

export function checkGitRepo(source: NonNullable<Volume["gitRepo"]>, path: string): StatusCause[] {
  return [...checkFilled(source, ["repository"], path), ...checkDescendingPath(source.directory ?? "", `${path}.directory`)];
}
