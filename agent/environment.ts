import { isRelaxedEnvVarName } from "../shared/kubernetes/names.ts";
import type { ConfigMap, Container, EnvVar, Pod, Secret } from "../shared/kubernetes/types.ts";
import { type PodPlace, podField, resourceField } from "./pod/pod-fields.ts";

/** A container's configuration cannot be resolved now: it waits with `CreateContainerConfigError` and is tried again. */
export class ContainerConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ContainerConfigError";
  }
}

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly place: PodPlace;
  /** In the pod's namespace. */
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  readonly services: ReadonlyMap<string, string>;
}

/**
 * The variables a container starts with, as kubelet's `makeEnvironmentVariables`: `envFrom`, then `env` with `$(NAME)` expanded from
 * what stands before it, then the service variables that nothing replaced.
 * @throws ContainerConfigError when a ConfigMap, Secret or key that is not optional is missing.
 */
export function containerEnvironment(input: EnvironmentInput): { name: string; value: string }[] {
  const { container, services } = input;
  const result = new Map<string, string>();
  const namespace = input.pod.metadata.namespace ?? "";
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const add = (values: Iterable<readonly [string, string]>): void => {
      for (const [key, value] of values) if (isRelaxedEnvVarName(prefix + key) === undefined) result.set(prefix + key, value);
    };
    if (configMapRef?.name !== undefined) {
      const found = input.configMap(configMapRef.name);
      if (found === undefined && configMapRef.optional !== true)
        throw new ContainerConfigError(`configmap "${configMapRef.name}" not found`);
      add(Object.entries(found?.data ?? {}));
    }
    if (secretRef?.name !== undefined) {
      const found = input.secret(secretRef.name);
      if (found === undefined && secretRef.optional !== true) throw new ContainerConfigError(`secret "${secretRef.name}" not found`);
      add(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)] as const));
    }
  }
  const lookup = (name: string): string | undefined => result.get(name) ?? services.get(name);
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom === undefined ? expand(variable.value ?? "", lookup) : valueFrom(input, variable, namespace);
    if (value !== undefined) {
      result.delete(variable.name);
      result.set(variable.name, value);
    }
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return [...result].map(([name, value]) => ({ name, value }));
}

/** `undefined`: an optional source that is not there; the variable is left out. */
function valueFrom(input: EnvironmentInput, { name, valueFrom: source }: EnvVar, namespace: string): string | undefined {
  const { pod, container, place } = input;
  if (source?.fieldRef !== undefined) {
    const value = podField(pod, place, source.fieldRef.fieldPath);
    if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${source.fieldRef.fieldPath}`);
    return value;
  }
  if (source?.resourceFieldRef !== undefined) {
    const value = resourceField(pod, container, place, source.resourceFieldRef);
    if (value === undefined) throw new ContainerConfigError(`unsupported container resource: ${source.resourceFieldRef.resource}`);
    return value;
  }
  if (source?.configMapKeyRef !== undefined) {
    const { name: configMap = "", key, optional } = source.configMapKeyRef;
    const found = input.configMap(configMap);
    if (found === undefined && optional !== true) throw new ContainerConfigError(`configmap "${configMap}" not found`);
    const value = found?.data?.[key];
    if (value === undefined && optional !== true) {
      throw new ContainerConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${configMap}`);
    }
    return value;
  }
  if (source?.secretKeyRef !== undefined) {
    const { name: secret = "", key, optional } = source.secretKeyRef;
    const found = input.secret(secret);
    if (found === undefined && optional !== true) throw new ContainerConfigError(`secret "${secret}" not found`);
    const value = found?.data?.[key];
    if (value === undefined && optional !== true)
      throw new ContainerConfigError(`couldn't find key ${key} in Secret ${namespace}/${secret}`);
    return value === undefined ? undefined : decode(value);
  }
  throw new ContainerConfigError(`environment variable ${name} has no source`);
}

const decode = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");

/**
 * Kubernetes' `$(NAME)` syntax (third_party/forked/golang/expansion): an unknown name stays as it is written, `$$` is one `$`.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let result = "";
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1];
    if (text[at] !== "$" || next === undefined) {
      result += text[at];
      continue;
    }
    if (next === "(") {
      const end = text.indexOf(")", at + 2);
      if (end !== -1) {
        const name = text.slice(at + 2, end);
        result += lookup(name) ?? `$(${name})`;
        at = end;
        continue;
      }
      result += "$(";
    } else if (next === "$") result += "$";
    else result += `$${next}`;
    at++;
  }
  return result;
}
