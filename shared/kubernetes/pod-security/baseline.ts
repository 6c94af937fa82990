import type { AppArmorProfile, ObjectMeta, PodSpec, SELinuxOptions, SeccompProfile } from "../types.ts";
import { containersOf, type Finding, named, namesWhere, plural, quoted, setters, sortedSet } from "./finding.ts";

type Annotations = NonNullable<ObjectMeta["annotations"]>;

const defaultCapabilities: ReadonlySet<string> = new Set([
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID"],
  ...["SETPCAP", "SETUID", "SYS_CHROOT"],
]);
const seLinuxTypes: readonly string[] = ["", "container_t", "container_init_t", "container_kvm_t"];
/** Sysctls by the minor version from which on they are safe. */
const safeSysctls: ReadonlyMap<string, number> = new Map([
  ["kernel.shm_rmid_forced", 0],
  ["net.ipv4.ip_local_port_range", 0],
  ["net.ipv4.tcp_syncookies", 0],
  ["net.ipv4.ping_group_range", 0],
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_wmem", 32],
]);
const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

export function appArmorProfile(spec: PodSpec, annotations: Annotations): Finding | undefined {
  const isBad = (profile: AppArmorProfile | undefined): boolean =>
    profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
  const own = spec.securityContext?.appArmorProfile;
  const bad = namesWhere(spec, ({ securityContext }) => isBad(securityContext?.appArmorProfile));
  const values = sortedSet([
    ...(own && isBad(own) ? [own.type] : []),
    ...containersOf(spec).flatMap(({ securityContext }) => {
      const profile = securityContext?.appArmorProfile;
      return profile && isBad(profile) ? [profile.type] : [];
    }),
  ]);
  const forbidden = Object.entries(annotations)
    .filter(
      ([key, value]) => key.startsWith(appArmorPrefix) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = [setters(isBad(own), bad), forbidden.length > 0 ? plural("annotation", forbidden.length) : undefined].filter(
    (part) => part !== undefined,
  );
  if (who.length === 0) return undefined;
  const all = [...values, ...forbidden];
  return {
    reason: plural("forbidden AppArmor profile", all.length),
    detail: `${who.join(" and ")} must not set AppArmor profile type to ${quoted(all)}`,
  };
}

export function capabilitiesBaseline(spec: PodSpec): Finding | undefined {
  const added = containersOf(spec).map(({ name, securityContext }) => ({
    name,
    beyond: (securityContext?.capabilities?.add ?? []).filter((capability) => !defaultCapabilities.has(capability)),
  }));
  const bad = added.filter(({ beyond }) => beyond.length > 0);
  if (bad.length === 0) return undefined;
  const who = named(
    "container",
    bad.map(({ name }) => name),
  );
  const what = quoted(sortedSet(bad.flatMap(({ beyond }) => beyond)));
  return { reason: "non-default capabilities", detail: `${who} must not include ${what} in securityContext.capabilities.add` };
}

export function hostNamespaces({ hostNetwork, hostPID, hostIPC }: PodSpec): Finding | undefined {
  const used = [...(hostNetwork ? ["hostNetwork=true"] : []), ...(hostPID ? ["hostPID=true"] : []), ...(hostIPC ? ["hostIPC=true"] : [])];
  return used.length === 0 ? undefined : { reason: "host namespaces", detail: used.join(", ") };
}

export function hostPathVolumes({ volumes }: PodSpec): Finding | undefined {
  const bad = (volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  return bad.length === 0 ? undefined : { reason: "hostPath volumes", detail: named("volume", bad) };
}

export function hostPorts(spec: PodSpec): Finding | undefined {
  const bad = namesWhere(spec, ({ ports }) => ports?.some(({ hostPort }) => hostPort) === true);
  if (bad.length === 0) return undefined;
  const used = sortedSet(
    containersOf(spec).flatMap(({ ports }) => (ports ?? []).flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []))),
  );
  const uses = bad.length === 1 ? "uses" : "use";
  return { reason: "hostPort", detail: `${named("container", bad)} ${uses} ${plural("hostPort", used.length)} ${used.join(", ")}` };
}

export function privileged(spec: PodSpec): Finding | undefined {
  const bad = namesWhere(spec, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return { reason: "privileged", detail: `${named("container", bad)} must not set securityContext.privileged=true` };
}

export function procMount(spec: PodSpec): Finding | undefined {
  const isBad = (type: string | undefined): type is string => type !== undefined && type !== "Default";
  const bad = namesWhere(spec, ({ securityContext }) => isBad(securityContext?.procMount));
  if (bad.length === 0) return undefined;
  const types = sortedSet(
    containersOf(spec).flatMap(({ securityContext }) => (isBad(securityContext?.procMount) ? [securityContext?.procMount ?? ""] : [])),
  );
  return { reason: "procMount", detail: `${named("container", bad)} must not set securityContext.procMount to ${quoted(types)}` };
}

export function seLinuxOptions(spec: PodSpec, minor: number): Finding | undefined {
  const isGoodType = (type: string): boolean => seLinuxTypes.includes(type) || (minor >= 31 && type === "container_engine_t");
  const isBad = (options: SELinuxOptions | undefined): boolean =>
    options !== undefined && (!isGoodType(options.type ?? "") || (options.user ?? "") !== "" || (options.role ?? "") !== "");
  const own = spec.securityContext?.seLinuxOptions;
  const who = setters(
    isBad(own),
    namesWhere(spec, ({ securityContext }) => isBad(securityContext?.seLinuxOptions)),
  );
  if (who === undefined) return undefined;
  const all = [own, ...containersOf(spec).map(({ securityContext }) => securityContext?.seLinuxOptions)].filter(
    (each) => each !== undefined,
  );
  const types = sortedSet(all.map(({ type }) => type ?? "").filter((type) => !isGoodType(type)));
  const problems = [
    ...(types.length > 0 ? [named("type", types)] : []),
    ...(all.some(({ user }) => (user ?? "") !== "") ? ["user may not be set"] : []),
    ...(all.some(({ role }) => (role ?? "") !== "") ? ["role may not be set"] : []),
  ];
  return { reason: "seLinuxOptions", detail: `${who} set forbidden securityContext.seLinuxOptions: ${problems.join("; ")}` };
}

export const isBadSeccomp = (profile: SeccompProfile | undefined): boolean =>
  profile !== undefined && profile.type !== "Localhost" && profile.type !== "RuntimeDefault";

/** Profiles that pod or containers must not set, from 1.19 on, when the annotations had become fields. */
export function explicitSeccomp(spec: PodSpec): Finding | undefined {
  const own = spec.securityContext?.seccompProfile;
  const who = setters(
    isBadSeccomp(own),
    namesWhere(spec, ({ securityContext }) => isBadSeccomp(securityContext?.seccompProfile)),
  );
  if (who === undefined) return undefined;
  const all = [own, ...containersOf(spec).map(({ securityContext }) => securityContext?.seccompProfile)];
  const values = sortedSet(all.flatMap((profile) => (profile && isBadSeccomp(profile) ? [profile.type] : [])));
  return { reason: "seccompProfile", detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}` };
}

export function annotatedSeccomp(spec: PodSpec, annotations: Annotations): Finding | undefined {
  const keys = [
    "seccomp.security.alpha.kubernetes.io/pod",
    ...containersOf(spec).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`),
  ];
  const bad = sortedSet(
    keys.flatMap((key) => {
      const value = annotations[key];
      const isGood = value === undefined || value === "runtime/default" || value === "docker/default" || value.startsWith("localhost/");
      return isGood ? [] : [`${key}=${JSON.stringify(value)}`];
    }),
  );
  return bad.length === 0
    ? undefined
    : { reason: "seccompProfile", detail: `forbidden ${plural("annotation", bad.length)} ${bad.join(", ")}` };
}

export function sysctls({ securityContext }: PodSpec, minor: number): Finding | undefined {
  const isSafe = (name: string): boolean => {
    const since = safeSysctls.get(name);
    return since !== undefined && since <= minor;
  };
  const bad = (securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !isSafe(name));
  return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
}

export function windowsHostProcess(spec: PodSpec): Finding | undefined {
  const who = setters(
    spec.securityContext?.windowsOptions?.hostProcess === true,
    namesWhere(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true),
  );
  return who === undefined
    ? undefined
    : { reason: "hostProcess", detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
}
