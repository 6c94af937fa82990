import { describe, expect, test } from "vitest";
import { createCluster, createFunctionBed, drainStream } from "./function-bed.ts";
import { machine } from "./machine.ts";

const controller = (replicas: number) => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: { name: "web" },
  spec: {
    replicas,
    selector: { app: "web" },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } },
  },
});

describe("a cluster on functions", () => {
  test("is made, gets a node, and has the pods of a controller placed by what the stream wakes", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const made = await createCluster(bed, fn);
    const token = made.credentials.token as string;
    expect(made.credentials.kubeconfig).toContain(`https://clusters.example/clusters/${made.id}`);
    expect(made.credentials.kubeconfig).not.toContain("certificate-authority");
    const base = `/clusters/${made.id}/api/v1`;
    const joined = (await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
    expect(joined.clusters).toEqual([{ id: made.id, apiPath: `/clusters/${made.id}` }]);
    const created = await fn.cluster("POST", `${base}/namespaces/default/replicationcontrollers`, token, controller(3));
    expect(created.status).toBe(201);

    await drainStream(bed, fn);

    const pods = (await fn.cluster("GET", `${base}/namespaces/default/pods`, token)).json();
    expect(pods.items.map((pod: { spec: { nodeName?: string } }) => pod.spec.nodeName)).toEqual(["n1", "n1", "n1"]);
    const sync = await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} });
    const told = sync.json();
    expect(told.news[0].pods).toHaveLength(3);
    expect(bed.logged).toEqual([]);
  });
});
