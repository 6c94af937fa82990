import { dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  CSIVolumeSource,
  DownwardAPIVolumeFile,
  EphemeralVolumeSource,
  HostPathVolumeSource,
  KeyToPath,
  NFSVolumeSource,
  ObjectMeta,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { checkDnsLabel, checkNoBacksteps, checkNonReservedPath, invalidEach, sorted } from "./checks.ts";
import { checkClaimSpec, checkDriverName } from "./claims.ts";
import { checkDriver, checkGitRepo } from "./drivers.ts";
import { checkObjectField, checkResourceField, volumeFields } from "./environment.ts";
import { validateAnnotations, validateLabels } from "./object-meta.ts";
import { checkNonnegativeQuantity } from "./resources.ts";

const fileModeMessage = "must be a number between 0 and 0777 (octal), both inclusive";
const minimumTokenSeconds = 600;
const maximumTokenSeconds = 2 ** 32;
const hostPathTypes = sorted(["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"]);
/** The order in which Kubernetes looks at volume sources: the first counts, each further one is refused. */
const sources = [
  "emptyDir",
  "hostPath",
  "gitRepo",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "secret",
  "nfs",
  "iscsi",
  "glusterfs",
  "flocker",
  "persistentVolumeClaim",
  "rbd",
  "cinder",
  "cephfs",
  "quobyte",
  "downwardAPI",
  "fc",
  "flexVolume",
  "configMap",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "storageos",
  "projected",
  "scaleIO",
  "csi",
  "ephemeral",
  "image",
] as const;

/** The volumes of a pod by their names; those with a problem are left out, so that mounts of them are not found. */
export type VolumeMap = ReadonlyMap<string, Volume>;

export function checkVolumes(
  volumes: readonly Volume[],
  pod: ObjectMeta | undefined,
  path: string,
): { causes: StatusCause[]; known: VolumeMap } {
  const causes: StatusCause[] = [];
  const known = new Map<string, Volume>();
  const podName = pod?.name ?? "";
  const created = new Set(podName === "" ? [] : volumes.filter((volume) => volume.ephemeral).map((volume) => `${podName}-${volume.name}`));
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    const own = checkSource(volume, podName, at);
    own.push(...(volume.name === "" ? [required(`${at}.name`)] : checkDnsLabel(volume.name, `${at}.name`)));
    if (known.has(volume.name))
      own.push({ reason: "FieldValueDuplicate", message: `Duplicate value: ${goQuote(volume.name)}`, field: `${at}.name` });
    if (own.length === 0) known.set(volume.name, volume);
    causes.push(...own);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && created.has(claim)) {
      causes.push(
        invalid(`${at}.persistentVolumeClaim.claimName`, claim, "must not reference a PVC that gets created for an ephemeral volume"),
      );
    }
  });
  return { causes, known };
}

function checkSource(volume: Volume, podName: string, path: string): StatusCause[] {
  const given = sources.filter((name) => volume[name] !== undefined);
  const [first, ...rest] = given;
  if (first === undefined) return [required(path, "must specify a volume type")];
  return [
    ...checkFirstSource(volume, first, podName, path),
    ...rest.map((name) => forbidden(`${path}.${name}`, "may not specify more than 1 volume type")),
  ];
}

function checkFirstSource(volume: Volume, source: (typeof sources)[number], podName: string, path: string): StatusCause[] {
  // The field that Kubernetes names for this one is the one of its own type.
  const at = `${path}.${source === "gcePersistentDisk" ? "persistentDisk" : source}`;
  const { emptyDir, hostPath, secret, configMap, nfs, persistentVolumeClaim, downwardAPI, projected, csi, ephemeral, gitRepo } = volume;
  if (emptyDir?.sizeLimit !== undefined && checkNonnegativeQuantity(emptyDir.sizeLimit, at).length > 0) {
    return [forbidden(`${at}.sizeLimit`, "SizeLimit field must be a valid resource quantity")];
  }
  if (source === "emptyDir") return [];
  if (hostPath !== undefined && source === "hostPath") return checkHostPath(hostPath, at);
  if (secret !== undefined && source === "secret") return checkFiles(secret.secretName ?? "", "secretName", secret, at);
  if (configMap !== undefined && source === "configMap") return checkFiles(configMap.name ?? "", "name", configMap, at);
  if (nfs !== undefined && source === "nfs") return checkNfs(nfs, at);
  if (persistentVolumeClaim !== undefined && source === "persistentVolumeClaim")
    return persistentVolumeClaim.claimName === "" ? [required(`${at}.claimName`)] : [];
  if (downwardAPI !== undefined && source === "downwardAPI") {
    return [
      ...checkMode(downwardAPI.defaultMode, `${at}.defaultMode`),
      ...(downwardAPI.items ?? []).flatMap((file) => checkDownwardFile(file, at)),
    ];
  }
  if (projected !== undefined && source === "projected")
    return [...checkMode(projected.defaultMode, `${at}.defaultMode`), ...checkProjections(projected, at)];
  if (csi !== undefined && source === "csi") return checkCsi(csi, at);
  if (ephemeral !== undefined && source === "ephemeral") return checkEphemeral(ephemeral, volume.name, podName, path);
  if (gitRepo !== undefined && source === "gitRepo") return checkGitRepo(gitRepo, at);
  const { initiatorName, targetPortal = "" } = volume.iscsi ?? {};
  if (source === "iscsi" && initiatorName !== undefined && `${volume.name}:${targetPortal}`.length > 64) {
    const text = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
    return [...checkDriver(source, volume, at), invalid(`${path}.name`, volume.name, text)];
  }
  return checkDriver(source, volume, at);
}

export function checkHostPath(source: HostPathVolumeSource, path: string): StatusCause[] {
  if (source.path === "") return [required(`${path}.path`)];
  const causes = checkNoBacksteps(source.path, `${path}.path`);
  const { type = "" } = source;
  return hostPathTypes.includes(type) ? causes : [...causes, notSupported(`${path}.type`, type, hostPathTypes)];
}

export function checkNfs(source: NFSVolumeSource, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (source.server === "") causes.push(required(`${path}.server`));
  if (source.path === "") causes.push(required(`${path}.path`));
  if (!source.path.startsWith("/")) causes.push(invalid(`${path}.path`, source.path, "must be an absolute path"));
  return causes;
}

function checkFiles(name: string, field: string, source: { defaultMode?: number; items?: KeyToPath[] }, path: string): StatusCause[] {
  return [
    ...(name === "" ? [required(`${path}.${field}`)] : []),
    ...checkMode(source.defaultMode, `${path}.defaultMode`),
    ...(source.items ?? []).flatMap((item, index) => checkKeyToPath(item, `${path}.items[${index}]`)),
  ];
}

function checkKeyToPath(item: KeyToPath, path: string): StatusCause[] {
  return [
    ...(item.key === "" ? [required(`${path}.key`)] : []),
    ...(item.path === "" ? [required(`${path}.path`)] : []),
    ...checkNonReservedPath(item.path, `${path}.path`),
    ...checkMode(item.mode, `${path}.mode`),
  ];
}

function checkMode(mode: number | undefined, path: string): StatusCause[] {
  return mode !== undefined && (mode > 0o777 || mode < 0) ? [invalid(path, mode, fileModeMessage)] : [];
}

function checkDownwardFile(file: DownwardAPIVolumeFile, path: string): StatusCause[] {
  const causes = file.path === "" ? [required(`${path}.path`)] : [];
  causes.push(...checkNonReservedPath(file.path, `${path}.path`));
  if (file.fieldRef !== undefined) {
    causes.push(...checkObjectField(file.fieldRef, volumeFields, `${path}.fieldRef`));
    if (file.resourceFieldRef !== undefined)
      causes.push(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  } else if (file.resourceFieldRef !== undefined)
    causes.push(...checkResourceField(file.resourceFieldRef, `${path}.resourceFieldRef`, true));
  else causes.push(required(path, "one of fieldRef and resourceFieldRef is required"));
  return [...causes, ...checkMode(file.mode, `${path}.mode`)];
}

function checkProjections({ sources: projections }: ProjectedVolumeSource, path: string): StatusCause[] {
  const taken = new Set<string>();
  const claim = (file: string, value: string): StatusCause[] => {
    if (file === "") return [];
    if (taken.has(file)) return [invalid(path, value, "conflicting duplicate paths")];
    taken.add(file);
    return [];
  };
  return (projections ?? []).flatMap((projection, index) => checkProjection(projection, claim, path, `${path}.sources[${index}]`));
}

function checkProjection(
  projection: VolumeProjection,
  claim: (file: string, value: string) => StatusCause[],
  volumePath: string,
  path: string,
): StatusCause[] {
  const { secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle } = projection;
  const causes: StatusCause[] = [];
  for (const [field, source] of [["secret", secret] as const, ["configMap", configMap] as const]) {
    if (source === undefined) continue;
    const { name = "" } = source;
    if (name === "") causes.push(required(`${path}.${field}.name`));
    (source.items ?? []).forEach((item, index) => {
      causes.push(...checkKeyToPath(item, `${path}.${field}.items[${index}]`), ...claim(item.path, name));
    });
  }
  for (const file of downwardAPI?.items ?? [])
    causes.push(...checkDownwardFile(file, `${path}.downwardAPI`), ...claim(file.path, file.path));
  if (serviceAccountToken !== undefined) {
    const at = `${path}.serviceAccountToken.expirationSeconds`;
    const seconds = serviceAccountToken.expirationSeconds ?? 0;
    if (seconds < minimumTokenSeconds) causes.push(invalid(at, seconds, "may not specify a duration less than 10 minutes"));
    if (seconds > maximumTokenSeconds) causes.push(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"));
    if (serviceAccountToken.path === "") causes.push(required(`${volumePath}.path`));
    else causes.push(...checkNonReservedPath(serviceAccountToken.path, `${volumePath}.path`));
  }
  if (clusterTrustBundle !== undefined) causes.push(...checkNonReservedPath(clusterTrustBundle.path, `${path}.clusterTrustBundle.path`));
  const count = [secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle].filter((source) => source !== undefined).length;
  if (count > 1) causes.push(forbidden(path, "may not specify more than 1 volume type per source"));
  return causes;
}

function checkCsi(source: CSIVolumeSource, path: string): StatusCause[] {
  const causes = checkDriverName(source.driver, `${path}.driver`);
  const secret = source.nodePublishSecretRef;
  if (secret === undefined) return causes;
  const { name = "" } = secret;
  return [
    ...causes,
    ...(name === "" ? [required(`${path}.nodePublishSecretRef.name`)] : invalidEach(`${path}.name`, name, dnsSubdomainProblems(name))),
  ];
}

function checkEphemeral(source: EphemeralVolumeSource, name: string, podName: string, path: string): StatusCause[] {
  const template = source.volumeClaimTemplate;
  const at = `${path}.ephemeral.volumeClaimTemplate`;
  const causes: StatusCause[] = [];
  if (template === undefined) causes.push(required(at));
  else {
    causes.push(...validateAnnotations(template.metadata?.annotations, `${at}.metadata.annotations`));
    causes.push(...validateLabels(template.metadata?.labels, `${at}.metadata.labels`));
    for (const field of Object.keys(template.metadata ?? {})) {
      if (!["annotations", "labels", "creationTimestamp"].includes(field))
        causes.push(forbidden(`${at}.metadata.${field}`, "cannot be set"));
    }
    causes.push(...checkClaimSpec(template.spec, `${at}.spec`));
  }
  if (podName !== "" && name !== "") {
    const claim = `${podName}-${name}`;
    for (const text of dnsSubdomainProblems(claim)) causes.push(invalid(`${path}.name`, name, `PVC name ${goQuote(claim)}: ${text}`));
  }
  return causes;
}
