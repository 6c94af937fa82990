import { dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { PodSecurityContext, PodSpec, SecurityContext, WindowsSecurityContextOptions } from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { invalidEach } from "./checks.ts";
import { visitContainers } from "./visit-containers.ts";

const maximumSpecificationKib = 64;
const domainLimit = 256;
const maximumUserLength = 104;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacter = /[\u0000-\u001f\u007f]/;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const domainLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const domainName = new RegExp(`^${domainLabel}(?:\\.${domainLabel})*$`);
const userCharacters = /["/\\:;|=,+*?<>@[\]]/;

export function checkWindowsOptions(options: WindowsSecurityContextOptions | undefined, path: string): StatusCause[] {
  if (options === undefined) return [];
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  const causes =
    gmsaCredentialSpecName === undefined
      ? []
      : invalidEach(`${path}.gmsaCredentialSpecName`, gmsaCredentialSpecName, dnsSubdomainProblems(gmsaCredentialSpecName));
  if (gmsaCredentialSpec === "") causes.push(invalid(`${path}.gmsaCredentialSpec`, "", "gmsaCredentialSpec cannot be an empty string"));
  else if (gmsaCredentialSpec !== undefined && Buffer.byteLength(gmsaCredentialSpec) > maximumSpecificationKib * 1024) {
    const text = `gmsaCredentialSpec size must be under ${maximumSpecificationKib} KiB`;
    causes.push(invalid(`${path}.gmsaCredentialSpec`, gmsaCredentialSpec, text));
  }
  if (runAsUserName === undefined) return causes;
  return [...causes, ...invalidEach(`${path}.runAsUserName`, runAsUserName, userProblems(runAsUserName))];
}

/** `USER` or `DOMAIN\USER`, as Windows names them. */
function userProblems(name: string): string[] {
  if (name === "") return ["runAsUserName cannot be an empty string"];
  if (controlCharacter.test(name)) return ["runAsUserName cannot contain control characters"];
  const parts = name.split("\\");
  if (parts.length > 2) return ["runAsUserName cannot contain more than one backslash"];
  const user = parts.at(-1) ?? "";
  const problems: string[] = [];
  if (parts.length === 2) {
    const [domain = ""] = parts;
    if (domain.length >= domainLimit) problems.push(`runAsUserName's Domain length must be under ${domainLimit} characters`);
    if (!netBiosName.test(domain) && !domainName.test(domain))
      problems.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === "") problems.push("runAsUserName's User cannot be empty");
  else if (user.length > maximumUserLength)
    problems.push(`runAsUserName's User length must not be longer than ${maximumUserLength} characters`);
  if (/^[. ]+$/.test(user)) problems.push("runAsUserName's User cannot contain only periods or spaces");
  if (userCharacters.test(user)) problems.push("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
  return problems;
}

/** Containers that run on the host itself: all of a pod's or none, and on its network (`validateWindowsHostProcessPod`). */
export function checkHostProcesses(spec: PodSpec, path: string): StatusCause[] {
  const pod = spec.securityContext?.windowsOptions?.hostProcess;
  const causes: StatusCause[] = [];
  let containers = 0;
  let hosted = 0;
  for (const [{ securityContext }, at] of visitContainers(spec, path)) {
    const own = securityContext?.windowsOptions?.hostProcess;
    containers++;
    if (pod !== undefined && own !== undefined && pod !== own) {
      const text = `pod hostProcess value must be identical if both are specified, was ${pod}`;
      causes.push(invalid(`${at}.securityContext.windowsOptions.hostProcess`, own, text));
    }
    if (own ?? pod ?? false) hosted++;
  }
  if (hosted === 0) return causes;
  if (hosted !== containers)
    causes.push(invalid(path, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers"));
  if (spec.hostNetwork !== true) {
    causes.push(invalid(`${path}.hostNetwork`, false, "hostNetwork must be true if pod contains any hostProcess containers"));
  }
  return causes;
}

const linuxPodFields: readonly (keyof PodSecurityContext)[] = ["appArmorProfile", "seLinuxOptions"];
const laterLinuxPodFields: readonly (keyof PodSecurityContext)[] = ["seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"];
const lastLinuxPodFields: readonly (keyof PodSecurityContext)[] = [
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
];
const linuxContainerFields: readonly (keyof SecurityContext)[] = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];

/** What a pod may set when it says which operating system it is for (`validateOS`, `validateLinux`, `validateWindows`). */
export function checkOperatingSystem(spec: PodSpec, path: string): StatusCause[] {
  const os: string | undefined = spec.os?.name;
  if (spec.os === undefined) return [];
  if (os === undefined || os === "") return [required(`${path}.os.name`, "cannot be empty")];
  if (os !== "linux" && os !== "windows") return [notSupported(`${path}.os`, os, ["linux", "windows"])];
  return os === "linux" ? checkLinux(spec, path) : checkWindows(spec, path);
}

function checkLinux(spec: PodSpec, path: string): StatusCause[] {
  const contexts: (readonly [PodSecurityContext | SecurityContext | undefined, string])[] = [[spec.securityContext, path]];
  for (const [container, at] of visitContainers(spec, path)) contexts.push([container.securityContext, at]);
  return contexts.flatMap(([context, at]) =>
    context?.windowsOptions === undefined
      ? []
      : [forbidden(`${at}.securityContext.windowsOptions`, "windows options cannot be set for a linux pod")],
  );
}

function checkWindows(spec: PodSpec, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const refuse = (field: string) => causes.push(forbidden(`${path}.${field}`, "cannot be set for a windows pod"));
  const refuseContext = (fields: readonly (keyof PodSecurityContext)[]): void => {
    for (const field of fields) if (spec.securityContext?.[field] !== undefined) refuse(`securityContext.${field}`);
  };
  refuseContext(linuxPodFields);
  if (spec.hostUsers !== undefined) refuse("hostUsers");
  for (const field of ["hostPID", "hostIPC"] as const) if (spec[field] === true) refuse(field);
  refuseContext(laterLinuxPodFields);
  if (spec.shareProcessNamespace !== undefined) refuse("shareProcessNamespace");
  refuseContext(lastLinuxPodFields);
  for (const [{ securityContext }, at] of visitContainers(spec, path)) {
    for (const field of linuxContainerFields) {
      if (securityContext?.[field] !== undefined)
        causes.push(forbidden(`${at}.securityContext.${field}`, "cannot be set for a windows pod"));
    }
  }
  return causes;
}
