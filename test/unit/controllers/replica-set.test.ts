import { describe, expect, it } from "vitest";
import { createReplicaSetController } from "../../../shared/controllers/replica-set.ts";
import { createReplicationControllerController } from "../../../shared/controllers/replication-controller.ts";
import { pods, replicaSets, replicationControllers } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { Pod, ReplicaSet, ReplicationController } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { pod, recordEvents, replicaSet, replicationController, runPod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

async function start(...objects: ReplicaSet[]) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  for (const object of objects) await cluster.client.create(replicaSets, object);
  const controllers = await runControllers(cluster, createReplicaSetController({ events }));
  const status = () => cluster.get<ReplicaSet>(replicaSets, "default", "web")?.status;
  const podNames = () => cluster.all<Pod>(pods).map(({ metadata }) => metadata.name ?? "");
  return { cluster, events, controllers, status, podNames };
}

describe("replica set", () => {
  it("makes the pods of its template, owned by it", async () => {
    const { cluster, events, status } = await start(replicaSet(3));
    const made = cluster.all<Pod>(pods);
    expect(made).toHaveLength(3);
    const owner = cluster.get(replicaSets, "default", "web")?.metadata.uid;
    for (const { metadata, spec } of made) {
      expect(metadata.name).toMatch(/^web-/);
      expect(metadata.generateName).toBe("web-");
      expect(metadata.labels).toEqual({ app: "web" });
      expect(metadata.ownerReferences).toEqual([
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: owner, controller: true, blockOwnerDeletion: true },
      ]);
      expect(spec).toEqual({ containers: [{ name: "web", image: "web:1" }] });
    }
    expect(events.told).toContain(`Normal SuccessfulCreate: Created pod: ${made[0]?.metadata.name}`);
    expect(status()).toEqual({ replicas: 3, fullyLabeledReplicas: 3, observedGeneration: 1 });
  });

  it("replaces a pod that is deleted or has ended", async () => {
    const { cluster, controllers, podNames } = await start(replicaSet(2));
    const [first = "", second = ""] = podNames();
    await cluster.client.delete(pods, "default", first);
    cluster.edit<Pod>(pods, "default", second, (pod) => ({ ...pod, status: { phase: "Failed" } }));
    await controllers.settle();
    expect(podNames()).toHaveLength(3);
    expect(podNames()).not.toContain(first);
    expect(podNames()).toContain(second);
  });

  it("counts ready pods, and available ones after minReadySeconds without being told", async () => {
    const { cluster, controllers, status, podNames } = await start(replicaSet(2, { minReadySeconds: 10 }));
    for (const name of podNames()) runPod(cluster, name);
    await controllers.settle();
    expect(status()).toMatchObject({ readyReplicas: 2 });
    expect(status()?.availableReplicas).toBeUndefined();
    await controllers.pass(10);
    expect(status()).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
  });

  it("adopts orphans that match and releases pods that no longer do", async () => {
    const { cluster, controllers, podNames } = await start(replicaSet(1));
    const [own = ""] = podNames();
    await cluster.client.patch(pods, "default", own, { type: "merge", body: { metadata: { labels: { app: "debug" } } } });
    await controllers.settle();
    expect(cluster.get(pods, "default", own)?.metadata.ownerReferences).toBeUndefined();
    expect(podNames()).toHaveLength(2);
    await cluster.client.update(replicaSets, replicaSet(3));
    await cluster.client.create(pods, pod("orphan"));
    await controllers.settle();
    expect(cluster.get(pods, "default", "orphan")?.metadata.ownerReferences).toMatchObject([{ kind: "ReplicaSet", controller: true }]);
  });

  it("does not touch the pods of another controller that match its selector", async () => {
    const { cluster, controllers } = await start(replicaSet(0));
    const other = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "other", uid: "other", controller: true };
    await cluster.client.create(pods, pod("foreign", { metadata: { ownerReferences: [other] } }));
    await controllers.settle();
    expect(cluster.get(pods, "default", "foreign")?.metadata.ownerReferences).toEqual([other]);
  });

  it("deletes unassigned before pending before unready before ready pods", async () => {
    const { cluster, controllers, podNames } = await start(replicaSet(4));
    const [unassigned = "", pending = "", unready = "", ready = ""] = podNames();
    cluster.edit<Pod>(pods, "default", pending, (pod) => ({
      ...pod,
      spec: { containers: [], nodeName: "a" },
      status: { phase: "Pending" },
    }));
    runPod(cluster, unready, { ready: false });
    runPod(cluster, ready);
    const left: string[][] = [];
    for (const replicas of [3, 2, 1]) {
      await cluster.client.update(replicaSets, replicaSet(replicas));
      await controllers.settle();
      left.push(
        cluster
          .all<Pod>(pods)
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .map(({ metadata }) => metadata.name ?? ""),
      );
    }
    expect(left).toEqual([[pending, unready, ready], [unready, ready], [ready]]);
    expect(podNames()).not.toContain(unassigned);
  });

  it("starts slowly when creation fails, says so in a condition, and takes it back", async () => {
    const { cluster, controllers, events, status } = await start();
    let refused = 0;
    cluster.intercept(({ verb, resource }) => {
      if (verb !== "create" || resource !== pods) return undefined;
      refused++;
      return new StatusError("Forbidden", 'pods "web-" is forbidden: exceeded quota');
    });
    await cluster.client.create(replicaSets, replicaSet(5));
    await controllers.settle();
    // Once, and once more because its own status changed: not once a pod.
    expect(refused).toBe(2);
    expect(status()?.conditions).toMatchObject([
      { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: 'pods "web-" is forbidden: exceeded quota' },
    ]);
    expect(new Set(events.told)).toEqual(new Set(['Warning FailedCreate: Error creating: pods "web-" is forbidden: exceeded quota']));
    cluster.intercept(undefined);
    await controllers.pass(1);
    expect(status()).toMatchObject({ replicas: 5 });
    expect(status()?.conditions).toBeUndefined();
  });

  it("neither makes nor adopts pods while it is being deleted", async () => {
    const { cluster, controllers, podNames } = await start();
    const doomed = replicaSet(2);
    doomed.metadata.finalizers = ["example.com/wait"];
    doomed.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
    await cluster.client.create(replicaSets, doomed);
    await cluster.client.create(pods, pod("orphan"));
    await controllers.settle();
    expect(podNames()).toEqual(["orphan"]);
    expect(cluster.get(pods, "default", "orphan")?.metadata.ownerReferences).toBeUndefined();
  });
});

describe("replication controller", () => {
  it("keeps pods as a replica set does", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(replicationControllers, replicationController(3));
    const controllers = await runControllers(cluster, createReplicationControllerController({ events: recordEvents() }));
    await cluster.client.update(replicationControllers, replicationController(1));
    await controllers.settle();
    const [left] = cluster.all<Pod>(pods);
    expect(left?.metadata.ownerReferences).toMatchObject([{ apiVersion: "v1", kind: "ReplicationController", name: "web" }]);
    expect(cluster.all(pods)).toHaveLength(1);
    expect(cluster.get<ReplicationController>(replicationControllers, "default", "web")?.status).toMatchObject({
      replicas: 1,
      observedGeneration: 2,
    });
  });
});
