import { describe, expect, it } from "vitest";
import { createPodGarbageController } from "../../../shared/controllers/pod-gc.ts";
import { nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { node, pod, runPod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

async function start(terminatedThreshold?: number) {
  const cluster = createFakeCluster();
  await cluster.client.create(nodes, node("node-a"));
  const controllers = await runControllers(
    cluster,
    createPodGarbageController({ ...(terminatedThreshold !== undefined && { terminatedThreshold }) }),
  );
  const names = () => cluster.all<Pod>(pods).map(({ metadata }) => metadata.name);
  return { cluster, controllers, names };
}

describe("pod garbage collector", () => {
  it("fails and removes pods 40 seconds after their node went", async () => {
    const { cluster, controllers, names } = await start();
    await cluster.client.create(pods, pod("p"));
    runPod(cluster, "p");
    await cluster.client.delete(nodes, "", "node-a");
    await controllers.pass(39);
    expect(names()).toEqual(["p"]);
    const last: (Pod | undefined)[] = [];
    cluster.view.onChange(([change]) => void last.push(change?.object as Pod));
    await controllers.pass(2);
    expect(names()).toEqual([]);
    expect(last.at(-1)?.status).toMatchObject({ phase: "Failed" });
    expect(last.at(-1)?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionTarget", reason: "DeletionByPodGC", message: "PodGC: node no longer exists" }),
    );
  });

  it("lets pods be whose node comes back in time", async () => {
    const { cluster, controllers, names } = await start();
    await cluster.client.create(pods, pod("p"));
    runPod(cluster, "p");
    await cluster.client.delete(nodes, "", "node-a");
    await controllers.pass(20);
    await cluster.client.create(nodes, node("node-a"));
    await controllers.pass(60);
    expect(names()).toEqual(["p"]);
  });

  it("waits anew for a node that came back and went again", async () => {
    const { cluster, controllers, names } = await start();
    await cluster.client.create(pods, pod("p"));
    runPod(cluster, "p");
    await cluster.client.delete(nodes, "", "node-a");
    await controllers.pass(20);
    await cluster.client.create(nodes, node("node-a"));
    await controllers.pass(10);
    await cluster.client.delete(nodes, "", "node-a");
    await controllers.settle();
    await controllers.pass(39);
    expect(names()).toEqual(["p"]);
    await controllers.pass(1);
    expect(names()).toEqual([]);
  });

  it("keeps no more ended pods than the threshold, the youngest ones", async () => {
    const { cluster, controllers, names } = await start(2);
    for (const name of ["first", "second", "third", "running"]) {
      await cluster.client.create(pods, pod(name));
      runPod(cluster, name);
      if (name !== "running") cluster.edit<Pod>(pods, "default", name, (pod) => ({ ...pod, status: { phase: "Succeeded" } }));
      cluster.clock.advance(1000);
    }
    await controllers.settle();
    expect(names()).toEqual(["running", "second", "third"]);
  });

  it("removes at once what ends on a node that is out of service", async () => {
    const { cluster, controllers, names } = await start();
    await cluster.client.create(pods, pod("p"));
    runPod(cluster, "p");
    await cluster.client.delete(pods, "default", "p");
    await controllers.settle();
    expect(names()).toEqual(["p"]);
    cluster.edit(nodes, "", "node-a", (node) => ({
      ...node,
      spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] },
    }));
    await controllers.settle();
    expect(names()).toEqual([]);
  });
});
