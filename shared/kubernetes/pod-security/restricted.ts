import type { PodSpec, Volume } from "../types.ts";
import { explicitSeccomp, isBadSeccomp } from "./baseline.ts";
import { containersOf, type Finding, named, namesWhere, plural, quoted, setters, sortedSet } from "./finding.ts";

const freeVolumes = [
  ...(["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"] as const),
];
const restrictedVolumes: readonly (keyof Volume)[] = [
  ...(["hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume"] as const),
  ...(["cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk"] as const),
  ...(["portworxVolume", "scaleIO", "storageos"] as const),
];

export function allowPrivilegeEscalation(spec: PodSpec): Finding | undefined {
  const bad = namesWhere(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  const detail = `${named("container", bad)} must set securityContext.allowPrivilegeEscalation=false`;
  return { reason: "allowPrivilegeEscalation != false", detail };
}

export function capabilitiesRestricted(spec: PodSpec): Finding | undefined {
  const keeping = namesWhere(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"));
  const isFree = (capability: string): boolean => capability === "NET_BIND_SERVICE";
  const adding = namesWhere(spec, ({ securityContext }) => securityContext?.capabilities?.add?.every(isFree) === false);
  const details: string[] = [];
  if (keeping.length > 0) details.push(`${named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const added = sortedSet(
      containersOf(spec).flatMap(({ securityContext }) => (securityContext?.capabilities?.add ?? []).filter((each) => !isFree(each))),
    );
    details.push(`${named("container", adding)} must not include ${quoted(added)} in securityContext.capabilities.add`);
  }
  return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
}

export function restrictedVolumeTypes({ volumes }: PodSpec): Finding | undefined {
  const bad = (volumes ?? []).filter((volume) => !freeVolumes.some((type) => volume[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = sortedSet(bad.map((volume) => restrictedVolumes.find((type) => volume[type] !== undefined) ?? "unknown"));
  const who = named(
    "volume",
    bad.map(({ name }) => name),
  );
  const detail = `${who} ${bad.length === 1 ? "uses" : "use"} ${plural("restricted volume type", types.length)} ${quoted(types)}`;
  return { reason: "restricted volume types", detail };
}

export function runAsNonRoot(spec: PodSpec): Finding | undefined {
  const reason = "runAsNonRoot != true";
  const own = spec.securityContext?.runAsNonRoot;
  const who = setters(
    own === false,
    namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  if (who !== undefined) return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  const silent = own === true ? [] : namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${named("container", silent)} must set securityContext.runAsNonRoot=true` };
}

export function runAsUser(spec: PodSpec): Finding | undefined {
  const who = setters(
    spec.securityContext?.runAsUser === 0,
    namesWhere(spec, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return who === undefined ? undefined : { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` };
}

export function seccompRestricted(spec: PodSpec): Finding | undefined {
  const explicit = explicitSeccomp(spec);
  if (explicit) return explicit;
  const own = spec.securityContext?.seccompProfile;
  if (own !== undefined && !isBadSeccomp(own)) return undefined;
  const silent = namesWhere(spec, ({ securityContext }) => securityContext?.seccompProfile === undefined);
  if (silent.length === 0) return undefined;
  const detail = `pod or ${named("container", silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`;
  return { reason: "seccompProfile", detail };
}
