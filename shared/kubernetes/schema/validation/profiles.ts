import type { StatusCause } from "../../status-error.ts";
import type { AppArmorProfile, ObjectMeta, PodSpec, SeccompProfile } from "../../types.ts";
import { forbidden, invalid, notSupported, required, tooLong } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { checkDescendingPath } from "./checks.ts";
import { visitContainers } from "./visit-containers.ts";

const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];
const maximumProfilePath = 4095;
const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
export const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

export function checkSeccomp(profile: SeccompProfile | undefined, path: string): StatusCause[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const causes: StatusCause[] = [];
  if ((type as string) === "") causes.push(required(`${path}.type`, "type is required when seccompProfile is set"));
  else if (!profileTypes.includes(type)) causes.push(notSupported(`${path}.type`, type, profileTypes));
  if (type === "Localhost") {
    if (localhostProfile === undefined) causes.push(required(`${path}.localhostProfile`, "must be set when seccomp type is Localhost"));
    else causes.push(...checkDescendingPath(localhostProfile, `${path}.localhostProfile`));
  } else if (localhostProfile !== undefined) {
    // Go prints the address of the text, which is another one each time.
    const value = `core.SeccompProfile{Type:${goQuote(type)}, LocalhostProfile:(*string)(0xc000000000)}`;
    causes.push(invalid(`${path}.localhostProfile`, { go: value }, "can only be set when seccomp type is Localhost"));
  }
  return causes;
}

export function checkAppArmor(profile: AppArmorProfile | undefined, path: string): StatusCause[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if ((type as string) === "") return [required(`${path}.type`, "type is required when appArmorProfile is set")];
  if (!profileTypes.includes(type)) return [notSupported(`${path}.type`, type, profileTypes)];
  if (type !== "Localhost")
    return localhostProfile === undefined ? [] : [invalid(at, localhostProfile, "can only be set when AppArmor type is Localhost")];
  if (localhostProfile === undefined) return [required(at, "must be set when AppArmor type is Localhost")];
  const causes: StatusCause[] = [];
  if (localhostProfile.trim() !== localhostProfile) causes.push(invalid(at, localhostProfile, "must not be padded with whitespace"));
  else if (localhostProfile === "") causes.push(required(at, "must be set when AppArmor type is Localhost"));
  if (Buffer.byteLength(localhostProfile) > maximumProfilePath) causes.push(tooLong(at, maximumProfilePath));
  return causes;
}

/** The annotations that came before the profile fields (`ValidateSeccompPodAnnotations`, `ValidateAppArmorPodAnnotations`). */
export function checkProfileAnnotations(meta: ObjectMeta, spec: PodSpec | undefined, path: string): StatusCause[] {
  const { annotations = {} } = meta;
  const causes: StatusCause[] = [];
  const pod = annotations[seccompPod];
  if (pod !== undefined) causes.push(...checkSeccompName(pod, `${path}.${seccompPod}`));
  for (const key in annotations) {
    const value = annotations[key] ?? "";
    if (key.startsWith(seccompContainer)) causes.push(...checkSeccompName(value, `${path}.${key}`));
    if (!key.startsWith(appArmorPrefix)) continue;
    const name = key.slice(appArmorPrefix.length);
    const known = spec !== undefined && [...visitContainers(spec, "spec")].some(([container]) => container.name === name);
    if (!known) causes.push(invalid(`${path}[${key}]`, name, "container not found"));
    if (value !== "" && value !== "runtime/default" && value !== "unconfined" && !value.startsWith("localhost/")) {
      causes.push(invalid(`${path}[${key}]`, value, `invalid AppArmor profile name: ${goQuote(value)}`));
    }
  }
  return causes;
}

function checkSeccompName(value: string, path: string): StatusCause[] {
  if (["runtime/default", "docker/default", "unconfined"].includes(value)) return [];
  if (value.startsWith("localhost/")) return checkDescendingPath(value.slice("localhost/".length), path);
  return [invalid(path, value, "must be a valid seccomp profile")];
}

/** Annotations of a new pod may not contradict its fields (`validateSeccompAnnotationsAndFields`, `validateAppArmorAnnotationsAndFieldsMatchOnCreate`). */
export function checkProfilesAgree(meta: ObjectMeta, spec: PodSpec, path: string): StatusCause[] {
  const { annotations } = meta;
  if (annotations === undefined) return [];
  const causes: StatusCause[] = [];
  const pod = spec.securityContext;
  causes.push(...checkAgreement("seccomp", annotations[seccompPod], pod?.seccompProfile, `${path}.securityContext.seccompProfile`));
  for (const [{ name, securityContext }, at] of visitContainers(spec, path)) {
    const annotation = annotations[`${seccompContainer}${name}`];
    causes.push(...checkAgreement("seccomp", annotation, securityContext?.seccompProfile, `${at}.securityContext.seccompProfile`));
  }
  if (spec.os?.name === "windows") return causes;
  for (const [{ name, securityContext }, at] of visitContainers(spec, path)) {
    const profile = securityContext?.appArmorProfile ?? pod?.appArmorProfile;
    causes.push(...checkAgreement("apparmor", annotations[`${appArmorPrefix}${name}`], profile, `${at}.securityContext.appArmorProfile`));
  }
  return causes;
}

function checkAgreement(
  kind: "seccomp" | "apparmor",
  annotation: string | undefined,
  profile: SeccompProfile | AppArmorProfile | undefined,
  path: string,
): StatusCause[] {
  if (annotation === undefined || profile === undefined) return [];
  const runtimeDefault = kind === "seccomp" ? ["runtime/default", "docker/default"] : ["runtime/default"];
  const typesDiffer = [forbidden(`${path}.type`, `${kind} type in annotation and field must match`)];
  switch (profile.type) {
    case "Unconfined":
      return annotation === "unconfined" ? [] : typesDiffer;
    case "RuntimeDefault":
      return runtimeDefault.includes(annotation) ? [] : typesDiffer;
    case "Localhost":
      if (!annotation.startsWith("localhost/")) return typesDiffer;
      if (annotation.slice("localhost/".length) === profile.localhostProfile) return [];
      return [forbidden(`${path}.localhostProfile`, `${kind} profile in annotation and field must match`)];
    default:
      return [];
  }
}
