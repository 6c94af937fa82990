import { bootstrapObjects } from "../kubernetes/bootstrap.ts";
import { configMaps, namespaces } from "../kubernetes/known-resources.ts";
import type { ObjectKey } from "../kubernetes/object.ts";
import type { ConfigMap } from "../kubernetes/types.ts";
import { type ClusterBase, createClusterBase } from "../store/cluster-base.ts";

export const serviceNetwork = { cidr: "10.96.0.0/12", apiServerAddress: "10.96.0.1" } as const;

const caDescription =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** What each cluster of a host is born with: what a kube-apiserver makes, and its authority's certificate in each namespace. `pathOf` is the store's. */
export function createHostBase(caPem: string, pathOf: (key: ObjectKey) => string): ClusterBase {
  return createClusterBase(() => {
    const objects = bootstrapObjects({ serviceCidr: serviceNetwork.cidr, apiServerAddress: serviceNetwork.apiServerAddress });
    const born = objects
      .filter(({ key }) => key.group === namespaces.group && key.resource === namespaces.resource)
      .map(({ key }) => key.name);
    const certificates = born.map((namespace) => ({
      key: { ...configMaps, namespace, name: "kube-root-ca.crt" },
      object: rootCertificate(namespace, caPem),
    }));
    return [...objects, ...certificates];
  }, pathOf);
}

const rootCertificate = (namespace: string, caPem: string): ConfigMap => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name: "kube-root-ca.crt", namespace, annotations: { "kubernetes.io/description": caDescription } },
  data: { "ca.crt": caPem },
});
