import { describe, expect, it } from "vitest";
import { createApiServerEndpointsController } from "../../../shared/controllers/api-server-endpoints.ts";
import { createEndpointSliceController } from "../../../shared/controllers/endpoint-slice.ts";
import { createEndpointSliceMirroringController } from "../../../shared/controllers/endpoint-slice-mirroring.ts";
import { createEndpointsController } from "../../../shared/controllers/endpoints.ts";
import { endpointSlices, endpoints, nodes, pods, services } from "../../../shared/kubernetes/known-resources.ts";
import type { Endpoint, EndpointSlice, Endpoints, Pod, Service } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { labels, node, pod, recordEvents, runPod, service } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

async function start(object: Service = service(), podNames: readonly string[] = ["a", "b"]) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  await cluster.client.create(nodes, node("node-a", { metadata: { name: "node-a", labels: { "topology.kubernetes.io/zone": "north" } } }));
  await cluster.client.create(services, object);
  for (const name of podNames) await cluster.client.create(pods, pod(name));
  for (const name of podNames) runPod(cluster, name);
  const controllers = await runControllers(
    cluster,
    createEndpointSliceController({ events }),
    createEndpointsController({ events }),
    createEndpointSliceMirroringController({ events }),
  );
  const slices = () => cluster.all<EndpointSlice>(endpointSlices);
  const all = (): Endpoint[] => slices().flatMap((slice) => slice.endpoints);
  const classic = () => cluster.get<Endpoints>(endpoints, "default", object.metadata.name ?? "");
  return { cluster, controllers, slices, all, classic };
}

const ipOf = (pod: Pod | undefined): string => pod?.status?.podIP ?? "";

describe("endpoint slices", () => {
  it("show the pods that a service selects, with ports, node and zone", async () => {
    const { cluster, slices } = await start();
    const [a, b] = cluster.all<Pod>(pods);
    const uid = cluster.get(services, "default", "web")?.metadata.uid;
    expect(slices()).toHaveLength(1);
    expect(slices()[0]).toMatchObject({
      metadata: {
        generateName: "web-",
        labels: { "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
        ownerReferences: [{ apiVersion: "v1", kind: "Service", name: "web", uid, controller: true, blockOwnerDeletion: true }],
      },
      addressType: "IPv4",
      ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    });
    expect(slices()[0]?.endpoints).toEqual(
      [a, b].map((each) => ({
        addresses: [ipOf(each)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: "node-a",
        zone: "north",
        targetRef: { kind: "Pod", namespace: "default", name: each?.metadata.name, uid: each?.metadata.uid },
      })),
    );
  });

  it("follow readiness and termination", async () => {
    const { cluster, controllers, all } = await start();
    runPod(cluster, "a", { ready: false });
    await cluster.client.delete(pods, "default", "b");
    await controllers.settle();
    expect(all().map(({ conditions }) => conditions)).toEqual([
      { ready: false, serving: false, terminating: false },
      { ready: false, serving: true, terminating: true },
    ]);
    cluster.kill("default", "b");
    cluster.edit<Pod>(pods, "default", "a", (pod) => ({ ...pod, status: { ...pod.status, phase: "Failed" } }));
    await controllers.settle();
    expect(all()).toEqual([]);
  });

  it("stand empty for a service without pods", async () => {
    const { slices, classic, cluster, controllers } = await start(service(), []);
    expect(slices()).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(classic()?.subsets).toBeUndefined();
    const [before] = slices();
    await cluster.client.create(pods, pod("late"));
    runPod(cluster, "late");
    await controllers.settle();
    expect(slices()).toHaveLength(1);
    expect(slices()[0]?.metadata.name).toBe(before?.metadata.name);
    expect(slices()[0]?.endpoints).toHaveLength(1);
  });

  it("hold a hundred endpoints at most, and change no slice without need", async () => {
    const names = Array.from({ length: 150 }, (_, i) => `p${String(i).padStart(3, "0")}`);
    const { cluster, controllers, slices, all } = await start(service(), names);
    expect(
      slices()
        .map((slice) => slice.endpoints.length)
        .toSorted(),
    ).toEqual([100, 50]);
    const full = slices().find((slice) => slice.endpoints.length === 100);
    await cluster.client.create(pods, pod("extra"));
    runPod(cluster, "extra");
    await controllers.settle();
    expect(all()).toHaveLength(151);
    expect(slices()).toHaveLength(2);
    const same = slices().find(({ metadata }) => metadata.name === full?.metadata.name);
    expect(same?.metadata.resourceVersion).toBe(full?.metadata.resourceVersion);
  });

  it("write nothing when nothing changed", async () => {
    const { cluster, controllers } = await start();
    const before = cluster.writes.length;
    cluster.edit<Pod>(pods, "default", "a", (pod) => ({ ...pod, metadata: { ...pod.metadata, annotations: { note: "x" } } }));
    cluster.edit<Service>(services, "default", "web", (service) => service);
    await controllers.settle();
    expect(cluster.writes.slice(before)).toEqual([]);
  });

  it("resolve named target ports pod by pod", async () => {
    const named = service({ ports: [{ port: 80, targetPort: "http", protocol: "TCP" }] });
    const { cluster, controllers, slices, classic } = await start(named, []);
    for (const [name, containerPort] of [
      ["a", 8080],
      ["b", 9090],
    ] as const) {
      await cluster.client.create(pods, pod(name, { spec: { containers: [{ name: "web", ports: [{ name: "http", containerPort }] }] } }));
      cluster.edit<Pod>(pods, "default", name, (pod) => ({
        ...pod,
        status: { phase: "Running", podIP: `10.9.0.${containerPort % 10}`, conditions: [{ type: "Ready", status: "True" }] },
      }));
    }
    await controllers.settle();
    expect(
      slices()
        .map(({ ports }) => ports?.[0]?.port)
        .toSorted(),
    ).toEqual([8080, 9090]);
    expect(slices().every(({ endpoints }) => endpoints.length === 1)).toBe(true);
    expect(classic()?.subsets?.map(({ ports }) => ports)).toEqual([[{ port: 8080, protocol: "TCP" }], [{ port: 9090, protocol: "TCP" }]]);
  });

  it("mark headless services and carry the host names of their pods", async () => {
    const headless = service({ clusterIP: "None", ports: [] });
    const { cluster, controllers, slices, classic } = await start(headless, []);
    await cluster.client.create(pods, pod("a", { spec: { containers: [], hostname: "first", subdomain: "web" } }));
    cluster.edit<Pod>(pods, "default", "a", (pod) => ({
      ...pod,
      status: { phase: "Running", podIP: "10.9.0.1", conditions: [{ type: "Ready", status: "True" }] },
    }));
    await controllers.settle();
    expect(slices()).toMatchObject([
      { metadata: { labels: { "service.kubernetes.io/headless": "" } }, endpoints: [{ hostname: "first" }], ports: [] },
    ]);
    expect(classic()?.subsets).toMatchObject([{ addresses: [{ ip: "10.9.0.1", hostname: "first" }] }]);
    expect(classic()?.metadata.labels).toEqual({
      "endpoints.kubernetes.io/managed-by": "endpoint-controller",
      "service.kubernetes.io/headless": "",
    });
  });

  it("publish unready addresses where the service asks for it", async () => {
    const { cluster, controllers, all, classic } = await start(service({ publishNotReadyAddresses: true }));
    runPod(cluster, "a", { ready: false });
    await controllers.settle();
    expect(all().map(({ conditions }) => conditions?.ready)).toEqual([true, true]);
    expect(classic()?.subsets?.[0]?.addresses).toHaveLength(2);
  });

  it("leave out pods whose node is gone", async () => {
    const { cluster, controllers, all } = await start();
    runPod(cluster, "a", { node: "ghost" });
    await controllers.settle();
    expect(all()).toHaveLength(1);
    await cluster.client.create(nodes, node("ghost"));
    await controllers.settle();
    expect(all()).toHaveLength(2);
  });

  it("note when the cause of a change happened", async () => {
    const { cluster, controllers, slices, classic } = await start();
    cluster.clock.advance(60_000);
    runPod(cluster, "a", { ready: false });
    await controllers.settle();
    const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:01:00Z" };
    expect(slices()[0]?.metadata.annotations).toEqual(annotations);
    expect(classic()?.metadata.annotations).toEqual(annotations);
  });
});

describe("endpoints", () => {
  it("list ready and unready addresses apart and go with their service", async () => {
    const { cluster, controllers, classic } = await start();
    runPod(cluster, "b", { ready: false });
    await controllers.settle();
    const [a, b] = cluster.all<Pod>(pods);
    const address = (pod: Pod | undefined) => ({
      ip: ipOf(pod),
      nodeName: "node-a",
      targetRef: { kind: "Pod", namespace: "default", name: pod?.metadata.name, uid: pod?.metadata.uid },
    });
    expect(classic()?.subsets).toEqual([
      { addresses: [address(a)], notReadyAddresses: [address(b)], ports: [{ name: "http", port: 8080, protocol: "TCP" }] },
    ]);
    await cluster.client.delete(services, "default", "web");
    await controllers.settle();
    expect(classic()).toBeUndefined();
  });

  it("leave alone what people keep for a service without a selector", async () => {
    const cluster = createFakeCluster();
    const own = service({});
    delete own.spec?.selector;
    await cluster.client.create(services, own);
    const kept: Endpoints = {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { namespace: "default", name: "web", labels },
      subsets: [{ addresses: [{ ip: "192.0.2.1" }], notReadyAddresses: [{ ip: "2001:db8::1" }], ports: [{ port: 5432 }] }],
    };
    await cluster.client.create(endpoints, kept);
    const events = recordEvents();
    const controllers = await runControllers(
      cluster,
      createEndpointsController({ events }),
      createEndpointSliceMirroringController({ events }),
    );
    expect(cluster.get<Endpoints>(endpoints, "default", "web")?.subsets).toEqual(kept.subsets);
    const mirrors = cluster.all<EndpointSlice>(endpointSlices);
    expect(mirrors.map(({ addressType, endpoints }) => [addressType, endpoints])).toEqual([
      ["IPv4", [{ addresses: ["192.0.2.1"], conditions: { ready: true } }]],
      ["IPv6", [{ addresses: ["2001:db8::1"], conditions: { ready: false } }]],
    ]);
    expect(mirrors[0]?.metadata.labels).toEqual({
      app: "web",
      "kubernetes.io/service-name": "web",
      "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    });
    await cluster.client.update(services, service());
    await controllers.settle();
    expect(cluster.all(endpointSlices)).toEqual([]);
  });
});

describe("the service kubernetes", () => {
  it("leads to the address it is given, and back to it when somebody changes that", async () => {
    const cluster = createFakeCluster();
    const controllers = await runControllers(cluster, createApiServerEndpointsController({ ip: "192.0.2.7", port: 7443 }));
    const subsets = [{ addresses: [{ ip: "192.0.2.7" }], ports: [{ name: "https", port: 7443, protocol: "TCP" }] }];
    expect(cluster.get<Endpoints>(endpoints, "default", "kubernetes")?.subsets).toEqual(subsets);
    expect(cluster.get<EndpointSlice>(endpointSlices, "default", "kubernetes")).toMatchObject({
      metadata: { labels: { "kubernetes.io/service-name": "kubernetes" } },
      endpoints: [{ addresses: ["192.0.2.7"], conditions: { ready: true } }],
    });
    await cluster.client.patch(endpoints, "default", "kubernetes", { type: "merge", body: { subsets: [] } });
    await cluster.client.delete(endpointSlices, "default", "kubernetes");
    await controllers.settle();
    expect(cluster.get<Endpoints>(endpoints, "default", "kubernetes")?.subsets).toEqual(subsets);
    expect(cluster.get(endpointSlices, "default", "kubernetes")).toBeDefined();
  });
});
