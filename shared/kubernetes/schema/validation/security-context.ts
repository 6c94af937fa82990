import { rangeProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { PodSecurityContext, PodSpec, SecurityContext } from "../../types.ts";
import { duplicate, forbidden, invalid, required } from "../field-error.ts";
import { checkSupported, invalidEach, maximumInt32 } from "./checks.ts";
import { checkAppArmor, checkSeccomp } from "./profiles.ts";
import { checkWindowsOptions } from "./windows.ts";

const maximumSysctlLength = 253;
const sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const sysctlPattern = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;

/** A pod's security context, and what of the spec it must agree with (`validatePodSpecSecurityContext`, `validateHostUsers`). */
export function checkPodSecurityContext(spec: PodSpec, context: PodSecurityContext | undefined, path: string): StatusCause[] {
  if (context === undefined) return [];
  const causes = [...checkId(context.fsGroup, `${path}.fsGroup`), ...checkId(context.runAsUser, `${path}.runAsUser`)];
  causes.push(...checkId(context.runAsGroup, `${path}.runAsGroup`));
  (context.supplementalGroups ?? []).forEach((group, index) => {
    causes.push(...checkId(group, `${path}.supplementalGroups[${index}]`));
  });
  if (spec.hostPID === true && spec.shareProcessNamespace === true) {
    causes.push(invalid(`${path}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
  causes.push(...checkSysctls(spec, context, `${path}.sysctls`));
  causes.push(...checkSupported(context.fsGroupChangePolicy, ["Always", "OnRootMismatch"], `${path}.fsGroupChangePolicy`));
  causes.push(...checkSeccomp(context.seccompProfile, `${path}.seccompProfile`));
  causes.push(...checkWindowsOptions(context.windowsOptions, `${path}.windowsOptions`));
  causes.push(...checkAppArmor(context.appArmorProfile, `${path}.appArmorProfile`));
  causes.push(...checkSupported(context.supplementalGroupsPolicy, ["Merge", "Strict"], `${path}.supplementalGroupsPolicy`));
  causes.push(...checkSupported(context.seLinuxChangePolicy, ["Recursive"], `${path}.seLinuxChangePolicy`));
  return causes;
}

export function checkHostUsers(spec: PodSpec, path: string): StatusCause[] {
  if (spec.hostUsers !== false) return [];
  const fields = [["hostNetwork", spec.hostNetwork] as const, ["HostPID", spec.hostPID] as const, ["HostIPC", spec.hostIPC] as const];
  return fields.filter(([, set]) => set === true).map(([name]) => forbidden(`${path}.${name}`, "when `pod.Spec.HostUsers` is false"));
}

/** A container's security context (`ValidateSecurityContext`). */
export function checkSecurityContext(context: SecurityContext | undefined, hostUsers: boolean, path: string): StatusCause[] {
  if (context === undefined) return [];
  const causes = [...checkId(context.runAsUser, `${path}.runAsUser`), ...checkId(context.runAsGroup, `${path}.runAsGroup`)];
  if (context.procMount !== undefined) {
    causes.push(...checkSupported(context.procMount, ["Default", "Unmasked"], `${path}.procMount`));
    if (hostUsers && context.procMount === "Unmasked") {
      causes.push(invalid(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"));
    }
  }
  causes.push(...checkSeccomp(context.seccompProfile, `${path}.seccompProfile`));
  if (context.allowPrivilegeEscalation === false) {
    const value = { go: goSecurityContext(context) };
    if (context.privileged === true)
      causes.push(invalid(path, value, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    for (const capability of context.capabilities?.add ?? []) {
      if (capability !== "CAP_SYS_ADMIN") continue;
      causes.push(invalid(path, value, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
    }
  }
  causes.push(...checkWindowsOptions(context.windowsOptions, `${path}.windowsOptions`));
  return [...causes, ...checkAppArmor(context.appArmorProfile, `${path}.appArmorProfile`)];
}

/** As `%#v` prints it, but for the addresses of what it points to, which differ from request to request. */
function goSecurityContext(context: SecurityContext): string {
  const pointers: readonly (readonly [string, string, unknown])[] = [
    ["Capabilities", "core.Capabilities", context.capabilities],
    ["Privileged", "bool", context.privileged],
    ["SELinuxOptions", "core.SELinuxOptions", context.seLinuxOptions],
    ["WindowsOptions", "core.WindowsSecurityContextOptions", context.windowsOptions],
    ["RunAsUser", "int64", context.runAsUser],
    ["RunAsGroup", "int64", context.runAsGroup],
    ["RunAsNonRoot", "bool", context.runAsNonRoot],
    ["ReadOnlyRootFilesystem", "bool", context.readOnlyRootFilesystem],
    ["AllowPrivilegeEscalation", "bool", context.allowPrivilegeEscalation],
    ["ProcMount", "core.ProcMountType", context.procMount],
    ["SeccompProfile", "core.SeccompProfile", context.seccompProfile],
    ["AppArmorProfile", "core.AppArmorProfile", context.appArmorProfile],
  ];
  const texts = pointers.map(([name, type, value]) => `${name}:(*${type})(${value === undefined ? "nil" : "0xc000000000"})`);
  return `core.SecurityContext{${texts.join(", ")}}`;
}

export function checkId(id: number | undefined, path: string): StatusCause[] {
  return id === undefined ? [] : invalidEach(path, id, rangeProblems(id, 0, maximumInt32));
}

function checkSysctls(spec: PodSpec, context: PodSecurityContext, path: string): StatusCause[] {
  const seen = new Set<string>();
  return (context.sysctls ?? []).flatMap(({ name }, index) => {
    const at = `${path}[${index}].name`;
    const causes: StatusCause[] = [];
    if (name === "") causes.push(required(at));
    else if (name.length > maximumSysctlLength || !new RegExp(sysctlPattern).test(name)) {
      causes.push(invalid(at, name, `must have at most ${maximumSysctlLength} characters and match regex ${sysctlPattern}`));
    } else if (seen.has(name)) causes.push(duplicate(at, name));
    const dotted = name.replaceAll("/", ".");
    if (spec.hostNetwork === true && dotted.startsWith("net."))
      causes.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    const ipc = /^(?:kernel\.(?:shm|msg|sem)|fs\.mqueue\.)/.test(dotted);
    if (spec.hostIPC === true && ipc) causes.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
    return causes;
  });
}
