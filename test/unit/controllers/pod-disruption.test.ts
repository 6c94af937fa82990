import { describe, expect, it } from "vitest";
import { createPodDisruptionController } from "../../../shared/controllers/pod-disruption.ts";
import { createReplicaSetController } from "../../../shared/controllers/replica-set.ts";
import { podDisruptionBudgets, pods, replicaSets } from "../../../shared/kubernetes/known-resources.ts";
import type { Pod, PodDisruptionBudget } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { labels, pod, recordEvents, replicaSet, runPod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

async function start(spec: PodDisruptionBudget["spec"], replicas = 4) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  await cluster.client.create(replicaSets, replicaSet(replicas));
  const budget: PodDisruptionBudget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { namespace: "default", name: "web" },
  };
  await cluster.client.create(podDisruptionBudgets, {
    ...budget,
    spec: { selector: { matchLabels: labels }, ...spec },
  } as PodDisruptionBudget);
  const controllers = await runControllers(
    cluster,
    createReplicaSetController({ events: recordEvents() }),
    createPodDisruptionController({ events }),
  );
  for (const { metadata } of cluster.all<Pod>(pods)) runPod(cluster, metadata.name ?? "");
  await controllers.settle();
  const status = () => cluster.get<PodDisruptionBudget>(podDisruptionBudgets, "default", "web")?.status;
  return { cluster, controllers, events, status };
}

describe("pod disruption budget", () => {
  it("allows as many disruptions as leave maxUnavailable of the replicas", async () => {
    const { status } = await start({ maxUnavailable: "30%" });
    expect(status()).toMatchObject({ expectedPods: 4, currentHealthy: 4, desiredHealthy: 2, disruptionsAllowed: 2, observedGeneration: 1 });
    expect(status()?.conditions).toMatchObject([{ type: "DisruptionAllowed", status: "True", reason: "SufficientPods" }]);
  });

  it("allows none when a pod too few is ready", async () => {
    const { cluster, controllers, status } = await start({ minAvailable: 4 });
    expect(status()).toMatchObject({ expectedPods: 4, desiredHealthy: 4, disruptionsAllowed: 0 });
    const [first] = cluster.all<Pod>(pods);
    runPod(cluster, first?.metadata.name ?? "", { ready: false });
    await controllers.settle();
    expect(status()).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0 });
    expect(status()?.conditions).toMatchObject([{ status: "False", reason: "InsufficientPods" }]);
  });

  it("follows the number of replicas", async () => {
    const { cluster, controllers, status } = await start({ minAvailable: "50%" });
    expect(status()).toMatchObject({ desiredHealthy: 2 });
    await cluster.client.update(replicaSets, replicaSet(10));
    await controllers.settle();
    expect(status()).toMatchObject({ expectedPods: 10, desiredHealthy: 5 });
  });

  it("does not count an evicted pod as healthy until two minutes have passed", async () => {
    const { cluster, controllers, status, events } = await start({ maxUnavailable: 1 });
    const [first] = cluster.all<Pod>(pods);
    const disruptedPods = { [first?.metadata.name ?? ""]: "2026-01-01T00:00:00Z" };
    cluster.edit<PodDisruptionBudget>(podDisruptionBudgets, "default", "web", (budget) => ({
      ...budget,
      status: { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptionsAllowed: 0, ...budget.status, disruptedPods },
    }));
    await controllers.settle();
    expect(status()).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 0, disruptedPods });
    await controllers.pass(121);
    expect(status()).toMatchObject({ currentHealthy: 4, disruptionsAllowed: 1 });
    expect(status()?.disruptedPods).toBeUndefined();
    expect(events.told).toContain("Warning NotDeleted: Pod was expected by PDB to be deleted but it wasn't");
  });

  it("says when it cannot tell how many pods there should be", async () => {
    const { cluster, controllers, status, events } = await start({ maxUnavailable: 1 }, 0);
    expect(status()).toMatchObject({ expectedPods: 0, disruptionsAllowed: 0 });
    await cluster.client.create(pods, pod("alone", { metadata: { labels: {}, namespace: "default", name: "alone" } }));
    const stray = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "gone", uid: "gone", controller: true };
    await cluster.client.create(
      pods,
      pod("stray", { metadata: { namespace: "default", name: "stray", labels, ownerReferences: [stray] } }),
    );
    await controllers.settle();
    expect(status()?.conditions).toMatchObject([
      { status: "False", reason: "SyncFailed", message: 'found no controllers for pod "stray"' },
    ]);
    expect(events.told).toContain("Normal NoPods: No matching pods found");
  });
});
