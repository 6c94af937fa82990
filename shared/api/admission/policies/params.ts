import { matchesSelector } from "../../../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { parseApiVersion, type ResourceDefinition } from "../../../kubernetes/resources.ts";
import type { ParamKind, ParamRef } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionAttributes } from "../attributes.ts";

/** The resource of a policy's parameters. @throws Error when nothing of the kind is served */
export function paramResource({ resources }: ApiCluster, { apiVersion = "", kind = "" }: ParamKind): ResourceDefinition {
  const found = resources.findKind(apiVersion, kind);
  const definition = found && resources.storage(found);
  if (!definition) {
    const { group, version } = parseApiVersion(apiVersion);
    throw new Error(`failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind}'`);
  }
  return definition;
}

/**
 * The objects that a binding evaluates its policy with, one after another; `undefined` in place of one where there are none to be had
 * (apiserver `CollectParams`). @throws Error
 */
export function collectParams(
  { mirror }: ApiCluster,
  definition: ResourceDefinition | undefined,
  ref: ParamRef | undefined,
  { namespace }: AdmissionAttributes,
): (KubernetesObject | undefined)[] {
  if (!definition || !ref) return [undefined];
  let home = "";
  if (definition.namespaced) {
    home = ref.namespace || namespace;
    if (home === "") throw new Error("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  } else if (ref.namespace) throw new Error("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  const found = ref.name
    ? [mirror.get(definition, home, ref.name)].filter((stored) => stored !== undefined)
    : mirror.list(definition, home).filter(({ object }) => matchesSelector(ref.selector, object.metadata.labels));
  if (found.length === 0 && ref.parameterNotFoundAction === "Deny")
    throw new Error("no params found for policy binding with `Deny` parameterNotFoundAction");
  return found.map(({ object }) => object);
}
