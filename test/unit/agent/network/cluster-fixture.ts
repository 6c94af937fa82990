import type { ClusterNetwork, LocalPod } from "../../../../agent/network/network-state.ts";
import type { Endpoint, EndpointSlice, Service, ServiceSpec, ServiceStatus } from "../../../../shared/kubernetes/types.ts";

export const serviceOf = (
  name: string,
  spec: ServiceSpec,
  change: { labels?: Record<string, string>; status?: ServiceStatus } = {},
): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop", ...(change.labels === undefined ? {} : { labels: change.labels }) },
  spec: { clusterIP: "10.96.0.5", ports: [{ port: 80 }], ...spec },
  ...(change.status === undefined ? {} : { status: change.status }),
});

export const sliceOf = (service: string, endpoints: readonly Endpoint[], change: Partial<EndpointSlice> = {}): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  metadata: { name: `${service}-x`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints: [...endpoints],
  ...change,
});

export const endpointOf = (ip: string, conditions: Endpoint["conditions"] = {}, nodeName = "elsewhere"): Endpoint => ({
  addresses: [ip],
  nodeName,
  conditions: conditions ?? {},
});

export const podOf = (ip: string): LocalPod => ({ uid: ip, ip, namespace: "shop", name: `pod-${ip}` });

export const clusterOf = (
  id: string,
  services: readonly Service[],
  endpointSlices: readonly EndpointSlice[],
  pods: readonly LocalPod[] = [],
): ClusterNetwork => ({
  id,
  services,
  endpointSlices,
  pods,
});
