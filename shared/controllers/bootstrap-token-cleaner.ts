import { bootstrapExpiry, isBootstrapSecret } from "../auth/bootstrap-token.ts";
import { secrets } from "../kubernetes/known-resources.ts";
import type { Secret } from "../kubernetes/types.ts";
import { objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const namespace = "kube-system";

/** Deletes bootstrap tokens that have expired (kube-controller-manager's token-cleaner-controller). */
export function createBootstrapTokenCleaner(): Controller {
  const nameOf = (secret: Secret): string[] => (isBootstrapSecret(secret) ? [secret.metadata.name ?? ""] : []);
  return {
    name: "token-cleaner",
    allKeys: (view) => view.list(secrets, namespace).flatMap((stored) => nameOf(objectOf<Secret>(stored))),
    keysOf: (change) => (isOf(secrets, change.key) && change.type !== "DELETED" ? nameOf(objectOf<Secret>(change)) : []),
    async reconcile(name, { view, client, clock }) {
      const stored = view.get(secrets, namespace, name);
      const secret = stored && objectOf<Secret>(stored);
      const expiresMs = secret && isBootstrapSecret(secret) ? bootstrapExpiry(secret) : undefined;
      if (!secret || expiresMs === undefined) return { kind: "done" };
      const afterMs = expiresMs - clock.now();
      if (afterMs > 0) return { kind: "again", afterMs };
      const { uid = "" } = secret.metadata;
      await unlessMissing(client.delete(secrets, namespace, name, { uid }));
      return { kind: "done" };
    },
  };
}
