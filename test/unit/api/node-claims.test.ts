import { afterAll, beforeAll, expect, it } from "vitest";
import { bindPods } from "../../../shared/api/binding.ts";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const pods = "/api/v1/namespaces/default/pods";
const pod = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "400m" } } }], ...more },
});
const committed = async (of = "pool-1", node = "n1") =>
  (await api.store.queryRecords(`t#committed#${of}`)).find(({ sort }) => sort === node)?.value;
const bind = async (...names: string[]) => {
  const bindings = await Promise.all(
    names.map(async (name) => ({
      namespace: "default",
      name,
      uid: (await api.call("GET", `${pods}/${name}`)).body.metadata.uid,
      nodeName: "n1",
    })),
  );
  return (await bindPods(api.cluster, bindings)).map(({ kind }) => kind);
};
const makeNode = async (): Promise<void> => {
  await api.call("POST", "/api/v1/nodes", {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1" },
    spec: { providerID: "coracle://pool-1/n1" },
    status: { allocatable: { cpu: "1", pods: "10" } },
  });
};

it("counts what is bound on a machine once for its pool, never over its size, and gives it back", async () => {
  await makeNode();
  for (const name of ["a", "b", "c"]) await api.call("POST", pods, pod(name));
  expect((await bind("a", "b", "c")).sort()).toEqual(["bound", "bound", "full"]);
  expect(await committed()).toEqual({ cpu: 800, pods: 2 });
  const [first] = (await api.call("GET", `${pods}?fieldSelector=spec.nodeName%3Dn1`)).body.items;
  const { name } = first.metadata;
  await api.call("PATCH", `${pods}/${name}/status`, { status: { phase: "Succeeded" } }, { "content-type": "application/merge-patch+json" });
  expect(await committed()).toEqual({ cpu: 400, pods: 1 });
  await api.call("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
  expect(await committed()).toEqual({ cpu: 400, pods: 1 });
});

it("counts what is bound through a server whose mirror does not show the node yet", async () => {
  const { mirror } = api.cluster;
  const behind = new Proxy(mirror, {
    get(target, name) {
      if (name === "get")
        return (...[resource, ...rest]: Parameters<typeof mirror.get>) =>
          resource.resource === "nodes" ? undefined : target.get(resource, ...rest);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await api.call("POST", pods, pod("late"));
  const { uid } = (await api.call("GET", `${pods}/late`)).body.metadata;
  await bindPods({ ...api.cluster, mirror: behind }, [{ namespace: "default", name: "late", uid, nodeName: "n1" }]);
  expect(await committed()).toEqual({ cpu: 800, pods: 2 });
  await api.call("DELETE", `${pods}/late?gracePeriodSeconds=0`);
  expect(await committed()).toEqual({ cpu: 400, pods: 1 });
});

it("counts a pod that was made with its node's name, and none of a Node that is gone", async () => {
  await api.call("POST", pods, pod("direct", { nodeName: "n1" }));
  expect(await committed()).toEqual({ cpu: 800, pods: 2 });
  await api.call("DELETE", "/api/v1/nodes/n1");
  expect(await committed()).toEqual({ cpu: 0, pods: 0 });
  await api.call("DELETE", `${pods}/direct?gracePeriodSeconds=0`);
  await makeNode();
  expect(await committed()).toEqual({ cpu: 400, pods: 1 });
});

it("counts what is bound to a name before its Node is there, for the cluster alone until the Node is a pool's", async () => {
  const alone = `cluster:${api.cluster.ref.cluster}`;
  await api.call("POST", pods, pod("early", { nodeName: "n2" }));
  expect(await committed(alone, "n2")).toEqual({ cpu: 400, pods: 1 });
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n2" }, status: { allocatable: { cpu: "1", pods: "10" } } };
  await api.call("POST", "/api/v1/nodes", { ...node, spec: { providerID: "coracle://pool-1/n2" } });
  expect(await committed("pool-1", "n2")).toEqual({ cpu: 400, pods: 1 });
  expect(await committed(alone, "n2")).toEqual({ cpu: 0, pods: 0 });
  await api.call("DELETE", "/api/v1/nodes/n2");
  expect(await committed("pool-1", "n2")).toEqual({ cpu: 0, pods: 0 });
  await api.call("POST", "/api/v1/nodes", node);
  expect(await committed(alone, "n2")).toEqual({ cpu: 400, pods: 1 });
  await api.call("DELETE", `${pods}/early?gracePeriodSeconds=0`);
  expect(await committed(alone, "n2")).toEqual({ cpu: 0, pods: 0 });
});
