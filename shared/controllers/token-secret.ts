import type { ClusterTokens } from "../api/cluster-tokens.ts";
import { secrets, serviceAccounts } from "../kubernetes/known-resources.ts";
import type { Secret, ServiceAccount } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const tokenType = "kubernetes.io/service-account-token";
const nameAnnotation = "kubernetes.io/service-account.name";
const uidAnnotation = "kubernetes.io/service-account.uid";

export interface TokenSecretOptions {
  readonly tokens: Pick<ClusterTokens, "issueKept">;
  /** What goes into `ca.crt`. */
  readonly caPem: string;
}

/**
 * Fills Secrets that ask for the token of a ServiceAccount and deletes them when that account is gone, or another has its name
 * (kube-controller-manager's serviceaccount-token controller). What already stands in `token` and `namespace` is left alone.
 */
export function createTokenSecretController({ tokens, caPem }: TokenSecretOptions): Controller {
  const ca = base64(caPem);

  async function fill(secret: Secret, account: ServiceAccount, client: ControllerContext["client"]): Promise<void> {
    const { data = {}, metadata } = secret;
    const has = (key: string): boolean => (data[key] ?? "") !== "";
    // What is frozen can be made right only by its owner.
    if (secret.immutable === true || (data["ca.crt"] === ca && has("namespace") && has("token"))) return;
    const { namespace = "", name = "" } = metadata;
    const { name: accountName = "", uid = "" } = account.metadata;
    const token = () => tokens.issueKept({ namespace, serviceAccount: { name: accountName, uid }, secretName: name });
    const next: Secret = {
      ...secret,
      metadata: { ...metadata, annotations: { ...metadata.annotations, [nameAnnotation]: accountName, [uidAnnotation]: uid } },
      data: {
        ...data,
        "ca.crt": ca,
        namespace: has("namespace") ? (data.namespace ?? "") : base64(namespace),
        token: has("token") ? (data.token ?? "") : base64(await token()),
      },
    };
    await unlessMissing(client.update(secrets, next));
  }

  return {
    name: "serviceaccount-token",
    allKeys: (view) => view.list(secrets).flatMap((stored) => keysOfSecret(objectOf<Secret>(stored))),
    keysOf({ key, object, type }, view) {
      if (isOf(secrets, key)) return keysOfSecret(object as Secret);
      if (!isOf(serviceAccounts, key) || type === "MODIFIED") return [];
      const ofAccount = view
        .list(secrets, key.namespace)
        .filter(({ object }) => object.metadata.annotations?.[nameAnnotation] === key.name);
      return ofAccount.flatMap((stored) => keysOfSecret(objectOf<Secret>(stored)));
    },
    async reconcile(key, { view, client }) {
      const [namespace = "", name = "", accountName = ""] = key.split("/");
      const stored = view.get(secrets, namespace, name);
      const secret = stored && objectOf<Secret>(stored);
      const account = accountOf(view, namespace, accountName);
      if (secret?.type !== tokenType) {
        if (!secret && account) await dropReference(account, name, client);
        return { kind: "done" };
      }
      const { uid = "", annotations = {} } = secret.metadata;
      if (annotations[nameAnnotation] !== accountName) return { kind: "done" };
      const boundTo = annotations[uidAnnotation] ?? "";
      if (account && (boundTo === "" || boundTo === account.metadata.uid)) await fill(secret, account, client);
      else await unlessMissing(client.delete(secrets, namespace, name, { uid }));
      return { kind: "done" };
    },
  };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** With the account in it, so that one that names a Secret which is gone is found. */
function keysOfSecret({ type, metadata: { namespace = "", name = "", annotations } }: Secret): string[] {
  return type === tokenType ? [`${namespace}/${name}/${annotations?.[nameAnnotation] ?? ""}`] : [];
}

function accountOf(view: ClusterView, namespace: string, name: string): ServiceAccount | undefined {
  const stored = view.get(serviceAccounts, namespace, name);
  return stored && objectOf<ServiceAccount>(stored);
}

async function dropReference(account: ServiceAccount, secretName: string, client: ControllerContext["client"]): Promise<void> {
  const { secrets: references = [] } = account;
  const kept = references.filter(({ name }) => name !== secretName);
  if (kept.length < references.length) await unlessMissing(client.update(serviceAccounts, { ...account, secrets: kept } as ServiceAccount));
}
