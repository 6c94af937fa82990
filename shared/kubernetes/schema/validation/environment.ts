import { configMapKeyProblems, dnsSubdomainProblems, relaxedEnvVarNameProblems } from "../../names.ts";
import { formatQuantity, isZeroQuantity, parseQuantity } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ConfigMapKeySelector, EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";
import { checkQualifiedName, invalidEach, sorted } from "./checks.ts";
import { nameProblems } from "./object-meta.ts";

/** The fields of a pod that its environment may name, and those that a downward API volume may. */
export const environmentFields = sorted([
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
]);
export const volumeFields = sorted(["metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"]);
/** Labels that the conversion of fields knows beyond those that may be named (`v1.addFieldLabelConversionsForPod`). */
const convertible = new Set([
  ...environmentFields,
  ...volumeFields,
  "status.phase",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.hostNetwork",
  "status.nominatedNodeName",
]);
const resourceFields = sorted([
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
]);
const byteDivisors = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";

export function checkEnvironment(variables: readonly EnvVar[], path: string): StatusCause[] {
  return variables.flatMap((variable, index) => {
    const at = `${path}[${index}]`;
    const causes =
      variable.name === "" ? [required(`${at}.name`)] : invalidEach(`${at}.name`, variable.name, relaxedEnvVarNameProblems(variable.name));
    return variable.valueFrom === undefined
      ? causes
      : [...causes, ...checkSource(variable.valueFrom, variable.value ?? "", `${at}.valueFrom`)];
  });
}

function checkSource(source: EnvVarSource, value: string, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = source;
  if (fieldRef !== undefined) causes.push(...checkObjectField(fieldRef, environmentFields, `${path}.fieldRef`));
  if (resourceFieldRef !== undefined) causes.push(...checkResourceField(resourceFieldRef, `${path}.resourceFieldRef`, false));
  if (configMapKeyRef !== undefined) causes.push(...checkKeySelector(configMapKeyRef, `${path}.configMapKeyRef`));
  if (secretKeyRef !== undefined) causes.push(...checkKeySelector(secretKeyRef, `${path}.secretKeyRef`));
  const count = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef].filter((one) => one !== undefined).length;
  if (count === 0)
    causes.push(invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
  else if (value !== "") causes.push(invalid(path, "", "may not be specified when `value` is not empty"));
  else if (count > 1) causes.push(invalid(path, "", "may not have more than one field specified at a time"));
  return causes;
}

export function checkEnvironmentFrom(sources: readonly EnvFromSource[], path: string): StatusCause[] {
  return sources.flatMap(({ prefix = "", configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`;
    const causes = prefix === "" ? [] : invalidEach(`${at}.prefix`, prefix, relaxedEnvVarNameProblems(prefix));
    for (const [field, reference] of [["configMapRef", configMapRef] as const, ["secretRef", secretRef] as const]) {
      if (reference === undefined) continue;
      const { name = "" } = reference;
      causes.push(
        ...(name === ""
          ? [required(`${at}.${field}.name`)]
          : invalidEach(`${at}.${field}.name`, name, nameProblems("dnsSubdomain", name, true))),
      );
    }
    if (configMapRef === undefined && secretRef === undefined)
      causes.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    if (configMapRef !== undefined && secretRef !== undefined)
      causes.push(invalid(path, "", "may not have more than one field specified at a time"));
    return causes;
  });
}

/** `fields` are the paths allowed here; labels and annotations may carry a key in brackets. */
export function checkObjectField(
  { apiVersion = "", fieldPath }: ObjectFieldSelector,
  fields: readonly string[],
  path: string,
): StatusCause[] {
  if (apiVersion === "") return [required(`${path}.apiVersion`)];
  if (fieldPath === "") return [required(`${path}.fieldPath`)];
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(fieldPath);
  if (apiVersion !== "v1" || (subscript === null && !convertible.has(fieldPath))) {
    const subscripted = /^[^[\]]+\['.*'\]$/.test(fieldPath);
    const known = `field label ${subscripted ? "does not support subscript" : "not supported"}: ${fieldPath}`;
    const problem = apiVersion === "v1" ? known : `unsupported pod version: ${apiVersion}`;
    return [invalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: ${problem}`)];
  }
  if (subscript !== null) {
    const key = subscript[2] ?? "";
    return checkQualifiedName(subscript[1] === "metadata.annotations" ? key.toLowerCase() : key, path);
  }
  return fields.includes(fieldPath) ? [] : [notSupported(`${path}.fieldPath`, fieldPath, fields)];
}

export function checkResourceField(
  { resource, containerName = "", divisor }: ResourceFieldSelector,
  path: string,
  volume: boolean,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const hugePages = resource.startsWith("limits.hugepages-") || resource.startsWith("requests.hugepages-");
  if (volume && containerName === "") causes.push(required(`${path}.containerName`));
  else if (resource === "") causes.push(required(`${path}.resource`));
  else if (!resourceFields.includes(resource) && !hugePages) causes.push(notSupported(`${path}.resource`, resource, resourceFields));
  const amount = parseQuantity(divisor ?? "0");
  if (isZeroQuantity(amount)) return causes;
  const refuse = (detail: string) => causes.push(invalid(`${path}.divisor`, resource, detail));
  const bytes = !byteDivisors.split(", ").includes(formatQuantity(amount));
  if (resource.endsWith(".cpu")) {
    if (!["1m", "1"].includes(formatQuantity(amount))) refuse("only divisor's values 1m and 1 are supported with the cpu resource");
  } else if (bytes && resource.endsWith(".memory")) refuse(`only divisor's values ${byteDivisors} are supported with the memory resource`);
  else if (bytes && resource.endsWith(".ephemeral-storage"))
    refuse(`only divisor's values ${byteDivisors} are supported with the local ephemeral storage resource`);
  else if (bytes && hugePages) refuse(`only divisor's values ${byteDivisors} are supported with the hugepages resource`);
  return causes;
}

function checkKeySelector({ name = "", key }: ConfigMapKeySelector, path: string): StatusCause[] {
  const causes = invalidEach(`${path}.name`, name, dnsSubdomainProblems(name));
  return [...causes, ...(key === "" ? [required(`${path}.key`)] : invalidEach(`${path}.key`, key, configMapKeyProblems(key)))];
}
