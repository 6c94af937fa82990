import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
const node = { username: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
const merge = { "content-type": "application/merge-patch+json" };
const base = "/api/v1/namespaces/default";
const get = (path: string, user = node) => api.call("GET", path, undefined, {}, user);
const make = (path: string, body: object, user = node) => api.call("POST", path, body, {}, user);
const patch = (path: string, body: object) => api.call("PATCH", path, body, merge, node);

beforeAll(async () => {
  api = await createHarness();
  for (const name of ["n1", "n2"]) await api.call("POST", "/api/v1/nodes", { metadata: { name } });
  for (const name of ["default", "app"]) await api.call("POST", `${base}/serviceaccounts`, { metadata: { name } });
  for (const name of ["used", "unused", "elsewhere", "of-volume"]) await api.call("POST", `${base}/secrets`, { metadata: { name } });
  for (const name of ["used", "unused"]) await api.call("POST", `${base}/configmaps`, { metadata: { name } });
  const pod = (name: string, nodeName: string, volumes: object[]) =>
    api.call("POST", `${base}/pods`, {
      metadata: { name },
      spec: { nodeName, serviceAccountName: "app", containers: [{ name: "c", image: "i" }], volumes },
    });
  await pod("mine", "n1", [
    { name: "s", secret: { secretName: "used" } },
    { name: "m", configMap: { name: "used" } },
    { name: "c", persistentVolumeClaim: { claimName: "claim" } },
  ]);
  await pod("other", "n2", [{ name: "s", secret: { secretName: "elsewhere" } }]);
  await api.call("POST", "/api/v1/persistentvolumes", {
    metadata: { name: "volume" },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      claimRef: { namespace: "default", name: "claim" },
      csi: { driver: "d", volumeHandle: "h", nodeStageSecretRef: { namespace: "default", name: "of-volume" } },
    },
  });
});
afterAll(() => api.close());

describe("what a node may read", () => {
  it.each([
    ["a secret that its pod mounts", `${base}/secrets/used`, 200],
    ["one that the volume of its pod needs", `${base}/secrets/of-volume`, 200],
    ["one that nothing on it uses", `${base}/secrets/unused`, 403],
    ["one that a pod of another node uses", `${base}/secrets/elsewhere`, 403],
    ["all secrets", `${base}/secrets`, 403],
    ["a secret by a list of one", `${base}/secrets?fieldSelector=metadata.name%3Dused`, 200],
    ["another by a list of one", `${base}/secrets?fieldSelector=metadata.name%3Dunused`, 403],
    ["a config map of its pod", `${base}/configmaps/used`, 200],
    ["another", `${base}/configmaps/unused`, 403],
    ["the volume of its pod", "/api/v1/persistentvolumes/volume", 200],
    ["its pod", `${base}/pods/mine`, 200],
    ["another's pod", `${base}/pods/other`, 403],
    ["the pods bound to it", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", 200],
    ["all pods", "/api/v1/pods", 403],
    ["itself", "/api/v1/nodes/n1", 200],
    ["another node", "/api/v1/nodes/n2", 403],
    ["services", "/api/v1/services", 200],
    ["deployments", "/apis/apps/v1/deployments", 403],
  ])("%s: %s %i", async (_what, path, status) => {
    expect((await get(path)).status).toBe(status);
  });

  it("and why not", async () => {
    expect((await get(`${base}/secrets/unused`)).body.message).toBe(
      `secrets "unused" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'n1' and this object`,
    );
  });

  it("is nothing for one who only has the name of a node", async () => {
    expect((await get(`${base}/secrets/used`, { username: "system:node:n1", groups: ["system:authenticated"] })).status).toBe(403);
  });
});

describe("what a node may write", () => {
  const message = async (answer: Promise<{ status: number; body: { message?: string } }>) => {
    const { status, body } = await answer;
    return [status, body.message];
  };

  it("is its own Node, without drawing workloads to it", async () => {
    expect((await patch("/api/v1/nodes/n1", { metadata: { labels: { "kubernetes.io/os": "linux", team: "a" } } })).status).toBe(200);
    expect(await message(patch("/api/v1/nodes/n1", { metadata: { labels: { "node-restriction.kubernetes.io/x": "y" } } }))).toEqual([
      403,
      'nodes "n1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/x',
    ]);
    expect((await patch("/api/v1/nodes/n1", { metadata: { labels: { "example.k8s.io/x": "y" } } })).status).toBe(403);
    expect(await message(patch("/api/v1/nodes/n1", { spec: { taints: [] } }))).toEqual([
      403,
      'nodes "n1" is forbidden: node "n1" is not allowed to modify taints',
    ]);
    expect(await message(patch("/api/v1/nodes/n2/status", { status: { phase: "x" } }))).toEqual([
      403,
      'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
    ]);
  });

  it("is the status of pods bound to it", async () => {
    expect((await patch(`${base}/pods/mine/status`, { status: { phase: "Running" } })).status).toBe(200);
    expect(await message(patch(`${base}/pods/other/status`, { status: { phase: "Running" } }))).toEqual([
      403,
      'pods "other" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
    ]);
    expect((await patch(`${base}/pods/mine/status`, { metadata: { labels: { a: "b" } } })).body.message).toContain(
      "cannot update labels through pod status",
    );
  });

  it("are mirror pods of its own, and nothing that refers to what the API holds", async () => {
    const plain = { metadata: { name: "p" }, spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] } };
    expect(await message(make(`${base}/pods`, plain))).toEqual([
      403,
      'pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    ]);
    const { uid } = (await get("/api/v1/nodes/n1")).body.metadata;
    const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid, controller: true };
    const metadata = { name: "static", annotations: { "kubernetes.io/config.mirror": "x" }, ownerReferences: [owner] };
    const secret = { ...plain.spec, volumes: [{ name: "s", secret: { secretName: "unused" } }] };
    expect((await make(`${base}/pods`, { metadata, spec: secret })).body.message).toContain(
      'node "n1" can not create pods that reference secrets',
    );
    expect((await make(`${base}/pods`, { metadata, spec: plain.spec })).status).toBe(201);
  });

  it("are evictions and deletions of pods bound to it", async () => {
    const eviction = (name: string) =>
      make(`${base}/pods/${name}/eviction`, { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } });
    expect((await eviction("other")).body.message).toContain("node n1 can only evict pods with spec.nodeName set to itself");
    expect((await api.call("DELETE", `${base}/pods/other`, undefined, {}, node)).body.message).toContain(
      'node "n1" can only delete pods with spec.nodeName set to itself',
    );
  });

  it("are tokens bound to pods on it", async () => {
    const token = (boundObjectRef: object | undefined, account = "app") =>
      make(`${base}/serviceaccounts/${account}/token`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { audiences: [], ...(boundObjectRef && { boundObjectRef }) },
      });
    const { uid } = (await api.call("GET", `${base}/pods/mine`)).body.metadata;
    const bound = { apiVersion: "v1", kind: "Pod", name: "mine", uid };
    expect((await token(bound)).status).toBe(201);
    expect((await token(undefined)).body.message).toContain("node requested token not bound to a pod");
    const { uid: otherUid } = (await api.call("GET", `${base}/pods/other`)).body.metadata;
    expect((await token({ ...bound, name: "other", uid: otherUid })).body.message).toContain(
      "node requested token bound to a pod scheduled on a different node",
    );
    expect((await token(bound, "default")).status).toBe(403);
  });

  it("is its own lease", async () => {
    const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    expect((await make(leases, { metadata: { name: "n1" }, spec: { holderIdentity: "n1" } })).status).toBe(201);
    expect((await make(leases, { metadata: { name: "n2" }, spec: {} })).body.message).toContain(
      "can only access node lease with the same name as the requesting node",
    );
  });
});
