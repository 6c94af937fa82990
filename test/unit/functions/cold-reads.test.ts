import { describe, expect, test } from "vitest";
import { createCluster, createFunctionBed, drainStream } from "./function-bed.ts";

const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { name } });

async function clusterWithObjects(count: number) {
  const bed = createFunctionBed();
  const fn = bed.instance();
  const made = await createCluster(bed, fn);
  const path = `/clusters/${made.id}/api/v1/namespaces/default`;
  for (let index = 0; index < count; index++)
    await fn.cluster("POST", `${path}/configmaps`, made.credentials.token, configMap(`c${index}`));
  await fn.cluster("POST", `${path}/secrets`, made.credentials.token, { apiVersion: "v1", kind: "Secret", metadata: { name: "one" } });
  await drainStream(bed, fn);
  /** A cold instance, and what its reads are of: of the cluster's own items alone. */
  const cold = async () => {
    const other = bed.instance();
    await other.cluster("GET", "/version", "");
    bed.table.reads = [];
    const reads = () => bed.table.reads.filter((pk) => pk.includes(made.id)).map((pk) => pk.slice(pk.indexOf(made.id) + made.id.length));
    return { other, reads };
  };
  return { bed, fn, path, token: made.credentials.token as string, root: `/clusters/${made.id}`, cold };
}

describe("a function that does not hold the cluster", () => {
  test("answers a get by reading the object and the head", async () => {
    const { cold, path, token } = await clusterWithObjects(3);
    const { other, reads } = await cold();
    const answer = await other.cluster("GET", `${path}/configmaps/c1`, token);
    expect(answer.json().data).toEqual({ name: "c1" });
    expect(reads().sort()).toEqual(["#/configmaps", "#head", "#head", "#head"]);
  });

  test("answers that there is no such object, and lists, as a mirror would", async () => {
    const { cold, fn, path, token } = await clusterWithObjects(3);
    const { other, reads } = await cold();
    expect((await other.cluster("GET", `${path}/configmaps/none`, token)).text).toBe(
      (await fn.cluster("GET", `${path}/configmaps/none`, token)).text,
    );
    const list = await other.cluster("GET", `${path}/configmaps?labelSelector=!x`, token);
    expect(list.text).toBe((await fn.cluster("GET", `${path}/configmaps?labelSelector=!x`, token)).text);
    expect(reads()).not.toContain("#/secrets");
  });

  test("reads no more than roles and bindings to decide what a user of lower rank may see", async () => {
    const { bed, cold, fn, path, token, root } = await clusterWithObjects(1);
    const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const made = await fn.cluster("POST", `${path}/serviceaccounts/default/token`, token, request);
    const { other, reads } = await cold();
    const refused = await other.cluster("GET", `${path}/configmaps/c0`, made.json().status.token);
    expect(refused.status).toBe(403);
    const binding = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "readers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }],
    };
    await fn.cluster("POST", `${root}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`, token, binding);
    bed.table.reads = [];
    const allowed = await other.cluster("GET", `${path}/configmaps/c0`, made.json().status.token);
    expect(allowed.status).toBe(200);
    expect(new Set(reads().filter((pk) => pk.includes("/")))).toEqual(
      new Set(["#rbac.authorization.k8s.io/clusterrolebindings", "#/configmaps", "#/serviceaccounts"]),
    );
  });

  test("opens a mirror for whoever goes on reading, writes or watches", async () => {
    const { bed, cold, path, token } = await clusterWithObjects(2);
    const { other, reads } = await cold();
    for (let times = 0; times < 4; times++) await other.cluster("GET", `${path}/configmaps/c1`, token);
    expect(reads()).toContain("#/secrets");
    bed.table.reads = [];
    await other.cluster("GET", `${path}/configmaps/c0`, token);
    expect(reads()).toEqual(["#head"]);
  });
});

describe("a function that holds the cluster", () => {
  test("answers a get by reading the head alone, once, whatever was written elsewhere", async () => {
    const { bed, cold, fn, path, token } = await clusterWithObjects(2);
    const { other, reads } = await cold();
    await other.cluster("POST", `${path}/configmaps`, token, configMap("own"));
    bed.table.reads = [];
    expect((await other.cluster("GET", `${path}/configmaps/own`, token)).status).toBe(200);
    expect(reads()).toEqual(["#head"]);
    await fn.cluster("PATCH", `${path}/configmaps/own`, token, { data: { name: "changed" } });
    expect((await other.cluster("GET", `${path}/configmaps/own`, token)).json().data).toEqual({ name: "changed" });
  });

  test("refuses who lost a role by another function's hand, be it for the first time since", async () => {
    const { cold, fn, path, token, root } = await clusterWithObjects(1);
    const bindings = `${root}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`;
    const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const user = (await fn.cluster("POST", `${path}/serviceaccounts/default/token`, token, request)).json().status.token;
    const binding = {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "editors" } },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }],
    };
    await fn.cluster("POST", bindings, token, binding);
    const { other } = await cold();
    expect((await other.cluster("POST", `${path}/configmaps`, user, configMap("mine"))).status).toBe(201);
    await fn.cluster("DELETE", `${bindings}/editors`, token);
    expect((await other.cluster("GET", `${path}/configmaps/mine`, user)).status).toBe(403);
    expect((await other.cluster("POST", `${path}/configmaps`, user, configMap("more"))).status).toBe(403);
  });
});
