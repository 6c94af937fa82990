import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EndpointSlice, Node, Pod } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const core = "/api/v1/namespaces/default";
const labels = { app: "web" };
const names = ["web-0", "web-1"];

describe("a node whose agent is stopped for longer than a node may be silent", () => {
  let server: ServerFixture;
  let agent: ChildProcess;

  const conditionOf = (object: Node | Pod): string | undefined => object.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  /** Of the node and of its pods, and whether their endpoints are ready. */
  const readiness = async (): Promise<unknown> => {
    const node = (await server.api.send("/api/v1/nodes/sleeper")).json<Node>();
    const pods = (await server.api.send(`${core}/pods`)).json<{ items: Pod[] }>().items;
    const slices = (await server.api.send(`/apis/discovery.k8s.io/v1/namespaces/default/endpointslices`)).json<{
      items: EndpointSlice[];
    }>();
    const ofWeb = slices.items.filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web");
    const ready = ofWeb.flatMap(({ endpoints }) => endpoints ?? []).map(({ conditions }) => conditions?.ready);
    return JSON.stringify([conditionOf(node), pods.map(conditionOf), ready]);
  };
  const all = (node: string, pods: string, endpoints: boolean): string =>
    JSON.stringify([node, names.map(() => pods), names.map(() => endpoints)]);
  const until = (what: string, wanted: string, withinSeconds: number) =>
    untilTrue(what, async () => (await readiness()) === wanted, { withinSeconds });

  beforeAll(async () => {
    server = await startServer();
    const stateDirectory = join(server.dataDirectory, "..", "sleeper");
    agent = server.spawnCoracle([
      "node",
      "join",
      "--cluster",
      "default",
      "--runtime",
      "hollow",
      "--name",
      "sleeper",
      "--state-dir",
      stateDirectory,
    ]);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { selector: labels, ports: [{ port: 80 }] } };
    const containers = [{ name: "main", image: "web", ports: [{ containerPort: 80 }] }];
    expect((await server.api.send(`${core}/services`, { method: "POST", body: service })).status).toBe(201);
    for (const name of names) {
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { containers } };
      expect((await server.api.send(`${core}/pods`, { method: "POST", body: pod })).status).toBe(201);
    }
    await until("the pods run", all("True", "True", true), 60);
  });
  afterAll(async () => {
    agent?.kill("SIGKILL");
    await server?.stop();
  });

  it("is not ready, nor are its pods, until it is back, and then all are at once", async () => {
    agent.kill("SIGSTOP");
    await until("nothing is ready", all("Unknown", "False", false), 90);
    agent.kill("SIGCONT");
    await until("all is ready", all("True", "True", true), 20);
  });
});
