import { namespaces, serviceAccounts } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { ServiceAccount } from "../kubernetes/types.ts";
import type { Controller } from "./controller.ts";
import { isNamespaceTerminating } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const name = "default";

/** Keeps the ServiceAccount `default` in every namespace that is not on its way out. */
export function createServiceAccountController(): Controller {
  return {
    name: "serviceaccount",
    allKeys: (view) => view.list(namespaces).map(({ key }) => key.name),
    keysOf({ key, type }) {
      if (isOf(namespaces, key)) return type === "ADDED" ? [key.name] : [];
      return isOf(serviceAccounts, key) && key.name === name && type === "DELETED" ? [key.namespace] : [];
    },
    async reconcile(namespace, { view, client }) {
      const home = view.get(namespaces, "", namespace);
      const isWanted = home !== undefined && home.object.metadata.deletionTimestamp === undefined;
      if (!isWanted || view.get(serviceAccounts, namespace, name)) return { kind: "done" };
      const account: ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } };
      try {
        await client.create(serviceAccounts, account);
      } catch (error) {
        if (!isStatus(error, "AlreadyExists") && !isNamespaceTerminating(error)) throw error;
      }
      return { kind: "done" };
    },
  };
}
