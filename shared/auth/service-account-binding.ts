import { timingSafeEqual } from "node:crypto";
import { nodes, pods, secrets, serviceAccounts } from "../kubernetes/known-resources.ts";
import type { GroupResource } from "../kubernetes/object.ts";
import type { Secret } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { ServiceAccountBinding } from "./token.ts";

/** A deleted account's tokens are good for a minute after the deletion time (kubernetes/pkg/serviceaccount `claims.go`). */
const deletionLeewayMs = 60_000;
const invalidSinceLabel = "kubernetes.io/legacy-token-invalid-since";

/**
 * Why a token is no longer good although its signature is: what it is bound to was deleted, or made anew under the same name.
 * `undefined` when it is good. The rules are those of kube-apiserver's ServiceAccount token validator.
 */
export function bindingProblem(binding: ServiceAccountBinding, view: ClusterView, nowMs: number): string | undefined {
  const { namespace, serviceAccount, pod, node, secret, keptIn } = binding;
  const check = (resource: GroupResource, kind: string, inNamespace: string, bound: { name: string; uid: string | undefined }) => {
    const stored = view.get(resource, inNamespace, bound.name);
    if (!stored) return `${kind} has been deleted`;
    const { deletionTimestamp, uid } = stored.object.metadata;
    if (deletionTimestamp !== undefined && Date.parse(deletionTimestamp) + deletionLeewayMs < nowMs) return `${kind} has been deleted`;
    if (bound.uid !== undefined && bound.uid !== uid) return `${kind} UID (${uid}) does not match claim (${bound.uid})`;
    return undefined;
  };
  return (
    (keptIn && keptProblem(namespace, keptIn, view)) ??
    check(serviceAccounts, "service account", namespace, serviceAccount) ??
    (secret && check(secrets, "secret", namespace, secret)) ??
    (pod && check(pods, "pod", namespace, pod)) ??
    (node && !pod ? check(nodes, "node", "", node) : undefined)
  );
}

/** kubernetes/pkg/serviceaccount `legacyValidator`: no leeway, and what no longer stands in the Secret is worth nothing. */
function keptProblem(namespace: string, { name, token }: { name: string; token: string }, view: ClusterView): string | undefined {
  const stored = view.get(secrets, namespace, name);
  if (!stored || stored.object.metadata.deletionTimestamp !== undefined) return "Token has been invalidated";
  const kept = Buffer.from(objectOf<Secret>(stored).data?.token ?? "", "base64");
  const given = Buffer.from(token);
  if (kept.length !== given.length || !timingSafeEqual(kept, given)) return "Token does not match server's copy";
  return (stored.object.metadata.labels?.[invalidSinceLabel] ?? "") !== "" ? "the token has been marked invalid" : undefined;
}
