import { configMaps, namespaces } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { ConfigMap } from "../kubernetes/types.ts";
import { objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { isNamespaceTerminating } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const name = "kube-root-ca.crt";
const annotations = {
  "kubernetes.io/description":
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
};

/** Keeps the ConfigMap with the authority by which pods know the API server in every namespace, and its content right. */
export function createRootCaController({ caPem }: { readonly caPem: string }): Controller {
  return {
    name: "root-ca-certificate-publisher",
    allKeys: (view) => view.list(namespaces).map(({ key }) => key.name),
    keysOf({ key, type }) {
      if (isOf(namespaces, key)) return type === "ADDED" ? [key.name] : [];
      return isOf(configMaps, key) && key.name === name && type !== "ADDED" ? [key.namespace] : [];
    },
    async reconcile(namespace, { view, client }) {
      const home = view.get(namespaces, "", namespace);
      if (home === undefined || home.object.metadata.deletionTimestamp !== undefined) return { kind: "done" };
      const stored = view.get(configMaps, namespace, name);
      const before = stored && objectOf<ConfigMap>(stored);
      if (!before) {
        const made: ConfigMap = {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { namespace, name, annotations },
          data: { "ca.crt": caPem },
        };
        try {
          await client.create(configMaps, made);
        } catch (error) {
          if (!isStatus(error, "AlreadyExists") && !isNamespaceTerminating(error)) throw error;
        }
        return { kind: "done" };
      }
      const { data = {}, metadata } = before;
      const isRight = data["ca.crt"] === caPem && Object.keys(data).length === 1;
      if (isRight && metadata.annotations?.["kubernetes.io/description"] !== undefined) return { kind: "done" };
      const next: ConfigMap = {
        ...before,
        metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
        data: { "ca.crt": caPem },
      };
      await client.update(configMaps, next);
      return { kind: "done" };
    },
  };
}
