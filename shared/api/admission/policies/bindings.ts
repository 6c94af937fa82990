import type { UserInfo } from "../../../auth/user.ts";
import type { Bindings } from "../../../kubernetes/cel/evaluate.ts";
import { fromJson } from "../../../kubernetes/cel/json-value.ts";
import { type AskAuthorizer, authorizerValue, resourceCheckValue } from "../../../kubernetes/cel/library/authorizer.ts";
import type { CelValue } from "../../../kubernetes/cel/value.ts";
import { namespaces } from "../../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { namespaceType, requestType } from "../../../kubernetes/policies/environment.ts";
import type { ResourceDefinition } from "../../../kubernetes/resources.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { requestOf } from "../webhooks/review.ts";
import { shownAs } from "../webhooks/versions.ts";

/** What an expression about a request sees. Values are made when they are asked for. */
export function bindingsOf(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  resource: ResourceDefinition,
  params?: KubernetesObject,
): Bindings {
  const ask = authorizerOf(attributes);
  const { served, subresource, namespace, name } = attributes;
  const makers: Readonly<Record<string, () => CelValue>> = {
    object: () => fromJson(shownAs(attributes, resource, attributes.object)),
    oldObject: () => fromJson(shownAs(attributes, resource, attributes.oldObject)),
    request: () => fromJson(requestOf(attributes, resource, undefined, undefined, ""), requestType),
    namespaceObject: () => fromJson(namespaceOf(cluster, attributes), namespaceType),
    params: () => fromJson(params),
    authorizer: () => authorizerValue(ask),
    "authorizer.requestResource": () =>
      resourceCheckValue(ask, { group: served.group, resource: served.resource, subresource, namespace, name }),
  };
  const known = new Map<string, CelValue>();
  return (variable) => {
    const made = known.get(variable);
    if (made !== undefined || known.has(variable)) return made;
    const value = makers[variable]?.();
    if (value !== undefined) known.set(variable, value);
    return value;
  };
}

function namespaceOf({ mirror }: ApiCluster, { definition, namespace }: AdmissionAttributes): KubernetesObject | undefined {
  return definition.namespaced ? mirror.get(namespaces, "", namespace)?.object : undefined;
}

function authorizerOf({ context: { user, authorizer } }: AdmissionAttributes): AskAuthorizer {
  return (question) => {
    if (!authorizer) return { allowed: true, reason: "" };
    const { serviceAccount } = question;
    const asking: UserInfo = serviceAccount ? accountUser(serviceAccount) : user;
    if (question.kind === "path") return authorizer.authorize(asking, { kind: "nonResource", verb: question.verb, path: question.path });
    const { verb, group, resource, subresource, namespace, name } = question;
    return authorizer.authorize(asking, { kind: "resource", verb, group, resource, subresource, namespace, name });
  };
}

const accountUser = ({ namespace, name }: { readonly namespace: string; readonly name: string }): UserInfo => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});
