import { isIPv6 } from "node:net";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import { endpointSlices, endpoints } from "../kubernetes/known-resources.ts";
import type { EndpointSlice, Endpoints } from "../kubernetes/types.ts";
import { objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { serviceNameLabel } from "./endpoint-slice.ts";
import { skipMirrorLabel } from "./endpoint-slice-mirroring.ts";
import { isOf } from "./same-resource.ts";

const namespace = "default";
const name = "kubernetes";

/** Where pods reach the API: an address that they can route to. */
export interface ApiServerAddress {
  readonly ip: string;
  readonly port: number;
}

/** Keeps the Endpoints and the EndpointSlice of the service `kubernetes`, as kube-apiserver's own endpoint reconciler does. */
export function createApiServerEndpointsController({ ip, port }: ApiServerAddress): Controller {
  const ports = [{ name: "https", port, protocol: "TCP" as const }];
  const subsets = [{ addresses: [{ ip }], ports }];
  const slice: EndpointSlice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name, labels: { [serviceNameLabel]: name } },
    addressType: isIPv6(ip) ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports,
  };
  return {
    name: "kubernetes-service",
    allKeys: () => [name],
    keysOf: ({ key }) =>
      key.name === name && key.namespace === namespace && (isOf(endpoints, key) || isOf(endpointSlices, key)) ? [name] : [],
    async reconcile(_key, { view, client }) {
      const stored = view.get(endpoints, namespace, name);
      const labels = { [skipMirrorLabel]: "true" };
      if (!stored) {
        const object: Endpoints = { apiVersion: "v1", kind: "Endpoints", metadata: { namespace, name, labels }, subsets };
        await client.create(endpoints, object);
      } else {
        const { metadata, subsets: before } = objectOf<Endpoints>(stored);
        const isLabelled = metadata.labels?.[skipMirrorLabel] === "true";
        if (!isLabelled || !deepEqual(before, subsets)) {
          const next: Endpoints = {
            apiVersion: "v1",
            kind: "Endpoints",
            metadata: { ...metadata, labels: { ...metadata.labels, ...labels } },
            subsets,
          };
          await client.update(endpoints, next);
        }
      }
      const storedSlice = view.get(endpointSlices, namespace, name);
      const before = storedSlice && objectOf<EndpointSlice>(storedSlice);
      if (before && before.addressType !== slice.addressType) await client.delete(endpointSlices, namespace, name);
      if (!before || before.addressType !== slice.addressType) await client.create(endpointSlices, slice);
      else if (!deepEqual(before.endpoints, slice.endpoints) || !deepEqual(before.ports, slice.ports)) {
        await client.update(endpointSlices, {
          ...slice,
          metadata: { ...before.metadata, labels: { ...before.metadata.labels, ...slice.metadata.labels } },
        });
      }
      return { kind: "done" };
    },
  };
}
