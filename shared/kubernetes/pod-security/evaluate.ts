import type { ObjectMeta, PodSpec } from "../types.ts";
import * as baseline from "./baseline.ts";
import type { Finding } from "./finding.ts";
import type { LevelVersion } from "./policy.ts";
import * as restricted from "./restricted.ts";

/**
 * What a level of the Pod Security Standards has against a pod, in the order of k8s.io/pod-security-admission: checks of the baseline by
 * their ids, then those of restricted; a check that a later version changed counts as of the version asked for.
 */
export function evaluatePod({ level, minor }: LevelVersion, metadata: ObjectMeta, spec: PodSpec): Finding[] {
  if (level === "privileged") return [];
  const annotations = metadata.annotations ?? {};
  const isRestricted = level === "restricted";
  const isExempt = minor >= 25 && spec.os?.name === "windows";
  const findings = [
    baseline.appArmorProfile(spec, annotations),
    isRestricted && minor >= 22 ? undefined : baseline.capabilitiesBaseline(spec),
    baseline.hostNamespaces(spec),
    isRestricted ? undefined : baseline.hostPathVolumes(spec),
    baseline.hostPorts(spec),
    baseline.privileged(spec),
    baseline.procMount(spec),
    baseline.seLinuxOptions(spec, minor),
    minor < 19 ? baseline.annotatedSeccomp(spec, annotations) : isRestricted ? undefined : baseline.explicitSeccomp(spec),
    baseline.sysctls(spec, minor),
    baseline.windowsHostProcess(spec),
  ];
  if (isRestricted) {
    if (minor >= 8 && !isExempt) findings.push(restricted.allowPrivilegeEscalation(spec));
    if (minor >= 22 && !isExempt) findings.push(restricted.capabilitiesRestricted(spec));
    findings.push(restricted.restrictedVolumeTypes(spec), restricted.runAsNonRoot(spec));
    if (minor >= 23) findings.push(restricted.runAsUser(spec));
    if (minor >= 19 && !isExempt) findings.push(restricted.seccompRestricted(spec));
  }
  return findings.filter((finding) => finding !== undefined);
}

export const describeFindings = (findings: readonly Finding[]): string =>
  findings.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");
