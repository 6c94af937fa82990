import { createHmac } from "node:crypto";
import { isBootstrapSecret, signingToken } from "../auth/bootstrap-token.ts";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import { configMaps, secrets } from "../kubernetes/known-resources.ts";
import type { ConfigMap, Secret } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const place = { namespace: "kube-public", name: "cluster-info" } as const;
const signaturePrefix = "jws-kubeconfig-";
const key = `${place.namespace}/${place.name}`;

/**
 * Signs the kubeconfig of `kube-public/cluster-info` with every bootstrap token that is for it, so that who holds one knows the cluster's
 * authority before it can verify it (kube-controller-manager's bootstrap-signer-controller). Somebody else makes the ConfigMap.
 */
export function createBootstrapSigner(): Controller {
  return {
    name: "bootstrap-signer",
    allKeys: () => [key],
    keysOf(change) {
      const isInfo = isOf(configMaps, change.key) && change.key.name === place.name && change.key.namespace === place.namespace;
      return isInfo || (isOf(secrets, change.key) && isBootstrapSecret(objectOf<Secret>(change))) ? [key] : [];
    },
    async reconcile(_key, { view, client, clock }) {
      const stored = view.get(configMaps, place.namespace, place.name);
      const info = stored && objectOf<ConfigMap>(stored);
      const kubeconfig = info?.data?.kubeconfig;
      if (!info || kubeconfig === undefined) return { kind: "done" };
      const kept = Object.entries(info.data ?? {}).filter(([name]) => !name.startsWith(signaturePrefix));
      const signatures = tokensOf(view, clock.now()).map(({ id, secret }) => [`${signaturePrefix}${id}`, sign(kubeconfig, id, secret)]);
      const data: Record<string, string> = Object.fromEntries([...kept, ...signatures]);
      if (!deepEqual(data, info.data)) await unlessMissing(client.update(configMaps, { ...info, data } as ConfigMap));
      return { kind: "done" };
    },
  };
}

const tokensOf = (view: ClusterView, nowMs: number) =>
  view.list(secrets, "kube-system").flatMap((stored) => signingToken(objectOf<Secret>(stored), nowMs) ?? []);

/** A JWS without its content (RFC 7515 appendix F). */
function sign(content: string, id: string, secret: string): string {
  const encode = (text: string): string => Buffer.from(text).toString("base64url");
  const header = encode(JSON.stringify({ alg: "HS256", kid: id }));
  return `${header}..${createHmac("sha256", secret)
    .update(`${header}.${encode(content)}`)
    .digest("base64url")}`;
}
