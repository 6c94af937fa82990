import type { UserInfo } from "../../../auth/user.ts";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../../kubernetes/known-resources.ts";
import { collectionOf, type GroupResource, type KubernetesObject } from "../../../kubernetes/object.ts";
import { parseApiVersion } from "../../../kubernetes/resources.ts";
import { forbidden } from "../../../kubernetes/schema/field-error.ts";
import type { StatusCause } from "../../../kubernetes/status-error.ts";
import type { ParamKind, ParamRef } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionContext } from "../attributes.ts";

interface Policy extends KubernetesObject {
  readonly spec?: { readonly paramKind?: ParamKind };
}
interface Binding extends KubernetesObject {
  readonly spec?: { readonly policyName?: string; readonly paramRef?: ParamRef };
}

const policies = new Set([mutatingAdmissionPolicies, validatingAdmissionPolicies].map(collectionOf));
/** Of a kind of bindings, where their policies are. */
const policiesOf = new Map<string, GroupResource>([
  [collectionOf(mutatingAdmissionPolicyBindings), mutatingAdmissionPolicies],
  [collectionOf(validatingAdmissionPolicyBindings), validatingAdmissionPolicies],
]);

/**
 * Who writes a policy or a binding with parameters must be able to read those: expressions see them, and their messages tell
 * (pkg/registry/admissionregistration `authz.go`). Of objects that are right otherwise.
 */
export function paramAccessProblems(
  cluster: ApiCluster,
  { user, authorizer }: AdmissionContext,
  definition: GroupResource,
  next: KubernetesObject,
  before?: KubernetesObject,
): StatusCause[] {
  if (definition.group !== mutatingAdmissionPolicies.group || !authorizer || user.groups.includes("system:masters")) return [];
  const collection = collectionOf(definition);
  const may = (verb: string, of: GroupResource, namespace: string, name: string): boolean =>
    authorizer.authorize(user, { kind: "resource", verb, ...of, subresource: "", namespace, name }).allowed;
  if (policies.has(collection)) {
    const { paramKind } = (next as Policy).spec ?? {};
    const known = (before as Policy | undefined)?.spec?.paramKind;
    if (!paramKind || (known && known.apiVersion === paramKind.apiVersion && known.kind === paramKind.kind)) return [];
    if (may("get", resourceOf(cluster, paramKind), "*", "*")) return [];
    const what = `kind=${paramKind.kind ?? ""}, apiVersion=${paramKind.apiVersion ?? ""}`;
    const text = `user ${userText(user)} must have "get" permission on all objects of the referenced paramKind (${what})`;
    return [forbidden("spec.paramKind", text)];
  }
  const kept = policiesOf.get(collection);
  const { policyName = "", paramRef } = (next as Binding).spec ?? {};
  if (!kept || !paramRef) return [];
  const policy = cluster.mirror.get(kept, "", policyName)?.object as Policy | undefined;
  const verb = paramRef.name ? "get" : "list";
  const paramKind = policy?.spec?.paramKind;
  const of = paramKind ? resourceOf(cluster, paramKind) : anything;
  if (may(verb, of, paramRef.namespace ?? "", paramRef.name ?? "")) return [];
  const unknown = `determine minimum required permissions and user ${userText(user)} does not have "${verb}" permission for all groups, versions and resources`;
  if (!policy) return [forbidden("spec.paramRef", `unable to get policy ${policyName} to ${unknown}`)];
  if (paramKind && of.resource === "*")
    return [
      forbidden("spec.paramRef", `unable to resolve paramKind &{${paramKind.apiVersion ?? ""} ${paramKind.kind ?? ""}} to ${unknown}`),
    ];
  // What is put into these words is the wrong way round in Kubernetes where policies mutate.
  const [first, second] = kept === mutatingAdmissionPolicies ? [verb, userText(user)] : [userText(user), verb];
  return [forbidden("spec.paramRef", `user ${first} does not have "${second}" permission on the object referenced by paramRef`)];
}

const anything: GroupResource = { group: "*", resource: "*" };

/** What nobody serves is any resource of its group. */
function resourceOf({ resources }: ApiCluster, { apiVersion = "", kind = "" }: ParamKind): GroupResource {
  return { group: parseApiVersion(apiVersion).group, resource: resources.findKind(apiVersion, kind)?.resource ?? "*" };
}

/** By Go's `%v`. */
function userText({ username, uid = "", groups, extra = {} }: UserInfo): string {
  const entries = Object.keys(extra)
    .sort()
    .map((key) => `${key}:[${(extra[key] ?? []).join(" ")}]`);
  return `&{${username} ${uid} [${groups.join(" ")}] map[${entries.join(" ")}]}`;
}
