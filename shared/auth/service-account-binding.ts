import { nodes, pods, secrets, serviceAccounts } from "../kubernetes/known-resources.ts";
import type { GroupResource } from "../kubernetes/object.ts";
import type { ClusterView } from "../store/view.ts";
import type { ServiceAccountBinding } from "./token.ts";

/** A deleted account's tokens are good for a minute after the deletion time (kubernetes/pkg/serviceaccount `claims.go`). */
const deletionLeewayMs = 60_000;

/**
 * Why a token is no longer good although its signature is: what it is bound to was deleted, or made anew under the same name.
 * `undefined` when it is good. The rules are those of kube-apiserver's ServiceAccount token validator.
 */
export function bindingProblem(binding: ServiceAccountBinding, view: ClusterView, nowMs: number): string | undefined {
  const { namespace, serviceAccount, pod, node, secret } = binding;
  const check = (resource: GroupResource, kind: string, inNamespace: string, bound: { name: string; uid: string | undefined }) => {
    const stored = view.get(resource, inNamespace, bound.name);
    if (!stored) return `${kind} has been deleted`;
    const { deletionTimestamp, uid } = stored.object.metadata;
    if (deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + deletionLeewayMs < nowMs) return `${kind} has been deleted`;
    if (bound.uid !== undefined && bound.uid !== uid) return `${kind} UID (${uid}) does not match claim (${bound.uid})`;
    return undefined;
  };
  return (
    check(serviceAccounts, "service account", namespace, serviceAccount) ??
    (secret && check(secrets, "secret", namespace, secret)) ??
    (pod && check(pods, "pod", namespace, pod)) ??
    (node && !pod ? check(nodes, "node", "", node) : undefined)
  );
}
