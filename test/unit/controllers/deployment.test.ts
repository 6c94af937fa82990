import { describe, expect, it } from "vitest";
import { createDeploymentController } from "../../../shared/controllers/deployment.ts";
import { createReplicaSetController } from "../../../shared/controllers/replica-set.ts";
import { deployments, namespaces, pods, replicaSets } from "../../../shared/kubernetes/known-resources.ts";
import type { Deployment, Namespace, Pod, ReplicaSet } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { deployment, playKubelet, recordEvents } from "./fixtures.ts";
import { contextOf, runControllers } from "./run-controllers.ts";

async function start(object: Deployment) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  const controllers = await runControllers(
    cluster,
    createDeploymentController({ events }),
    createReplicaSetController({ events: recordEvents() }),
  );
  await cluster.client.create(deployments, object);
  await controllers.settle();
  const current = (): Deployment => cluster.get<Deployment>(deployments, "default", "web") ?? object;
  const sets = (): ReplicaSet[] => cluster.all<ReplicaSet>(replicaSets);
  const imageOf = ({ spec }: ReplicaSet | Pod): string =>
    (spec && "template" in spec
      ? spec.template?.spec?.containers[0]?.image
      : spec && "containers" in spec
        ? spec.containers[0]?.image
        : "") ?? "";
  const sizes = (): Record<string, number> => Object.fromEntries(sets().map((each) => [imageOf(each), each.spec?.replicas ?? 0]));
  const revisions = (): Record<string, string | undefined> =>
    Object.fromEntries(sets().map((each) => [imageOf(each), each.metadata.annotations?.["deployment.kubernetes.io/revision"]]));
  const condition = (type: string) => current().status?.conditions?.find((each) => each.type === type);
  const patch = async (body: Record<string, unknown>): Promise<void> => {
    await cluster.client.patch(deployments, "default", "web", { type: "merge", body });
    await controllers.settle();
  };
  const setImage = (image: string) => patch({ spec: { template: { spec: { containers: [{ name: "web", image }] } } } });
  /** Lets the kubelet and the controllers act until nothing moves. Answers how many rounds that took. */
  const rollOut = async (isReady: (pod: Pod) => boolean = () => true, check: () => void = () => {}): Promise<number> => {
    for (let round = 0; round < 50; round++) {
      const acted = playKubelet(cluster, isReady);
      await controllers.pass(1);
      check();
      if (!acted) return round;
    }
    throw new Error("the rollout does not end");
  };
  const live = (): Pod[] => cluster.all<Pod>(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return { cluster, controllers, events, current, sets, sizes, revisions, condition, patch, setImage, rollOut, live, imageOf };
}

describe("deployment", () => {
  it("makes a replica set named and labelled by the hash of its template", async () => {
    const { sets, current, condition, events } = await start(deployment(3));
    const [set] = sets();
    const hash = set?.metadata.labels?.["pod-template-hash"] ?? "";
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.spec?.selector.matchLabels).toEqual({ app: "web", "pod-template-hash": hash });
    expect(set?.spec?.template?.metadata?.labels).toEqual({ app: "web", "pod-template-hash": hash });
    expect(set?.metadata.annotations).toEqual({
      "deployment.kubernetes.io/revision": "1",
      "deployment.kubernetes.io/desired-replicas": "3",
      "deployment.kubernetes.io/max-replicas": "4",
    });
    expect(current().metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
    expect(events.told).toEqual([`Normal ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`]);
    expect(condition("Available")).toMatchObject({ status: "False", reason: "MinimumReplicasUnavailable" });
    expect(condition("Progressing")).toMatchObject({ status: "True", reason: "ReplicaSetUpdated" });
  });

  it("is complete once every pod is available", async () => {
    const { rollOut, current, condition, sets } = await start(deployment(3));
    await rollOut();
    expect(current().status).toMatchObject({
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    });
    expect(condition("Available")).toMatchObject({ status: "True", reason: "MinimumReplicasAvailable" });
    expect(condition("Progressing")).toMatchObject({
      status: "True",
      reason: "NewReplicaSetAvailable",
      message: `ReplicaSet "${sets()[0]?.metadata.name}" has successfully progressed.`,
    });
  });

  it("rolls over within maxSurge and maxUnavailable", async () => {
    const { rollOut, setImage, live, sizes, revisions, current } = await start(deployment(8));
    await rollOut();
    await setImage("web:2");
    let [most, fewestReady] = [0, 8];
    await rollOut(
      () => true,
      () => {
        most = Math.max(most, live().length);
        fewestReady = Math.min(fewestReady, live().filter(({ status }) => status?.conditions?.[0]?.status === "True").length);
      },
    );
    expect(most).toBeLessThanOrEqual(10);
    expect(fewestReady).toBeGreaterThanOrEqual(6);
    expect(sizes()).toEqual({ "web:1": 0, "web:2": 8 });
    expect(revisions()).toEqual({ "web:1": "1", "web:2": "2" });
    expect(current().status).toMatchObject({ replicas: 8, updatedReplicas: 8, availableReplicas: 8 });
  });

  it("stops at what may be unavailable when the new version never gets ready, and says so after its deadline", async () => {
    const { rollOut, setImage, sizes, condition, controllers, imageOf, cluster, current } = await start(
      deployment(4, { progressDeadlineSeconds: 60 }),
    );
    await rollOut();
    await setImage("broken");
    await rollOut((pod) => imageOf(pod) !== "broken");
    expect(sizes()).toEqual({ "web:1": 3, broken: 2 });
    await controllers.pass(65);
    expect(condition("Progressing")).toMatchObject({ status: "False", reason: "ProgressDeadlineExceeded" });
    expect(condition("Progressing")?.message).toMatch(/^ReplicaSet "web-.*" has timed out progressing\.$/);
    expect(current().status).toMatchObject({ unavailableReplicas: 2 });
    await setImage("web:1");
    await rollOut((pod) => imageOf(pod) !== "broken");
    expect(sizes()).toEqual({ "web:1": 4, broken: 0 });
    expect(condition("Progressing")).toMatchObject({ status: "True", reason: "NewReplicaSetAvailable" });
    expect(cluster.all(replicaSets)).toHaveLength(2);
  });

  it("takes up the old replica set with a new revision when its template comes back", async () => {
    const { rollOut, setImage, revisions, sets, sizes, imageOf, current } = await start(deployment(2));
    await rollOut();
    for (const image of ["web:2", "web:1", "web:2"]) {
      await setImage(image);
      await rollOut();
    }
    expect(revisions()).toEqual({ "web:1": "3", "web:2": "4" });
    expect(sizes()).toEqual({ "web:1": 0, "web:2": 2 });
    const set = sets().find((each) => imageOf(each) === "web:2");
    expect(set?.metadata.annotations?.["deployment.kubernetes.io/revision-history"]).toBe("2");
    expect(current().metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("4");
  });

  it("does not roll out while paused, but scales", async () => {
    const { rollOut, patch, setImage, sizes, condition } = await start(deployment(2));
    await rollOut();
    await patch({ spec: { paused: true } });
    expect(condition("Progressing")).toMatchObject({ status: "Unknown", reason: "DeploymentPaused" });
    await setImage("web:2");
    await patch({ spec: { replicas: 5 } });
    await rollOut();
    expect(sizes()).toEqual({ "web:1": 5 });
    await patch({ spec: { paused: false } });
    expect(condition("Progressing")?.reason).not.toBe("DeploymentPaused");
    await rollOut();
    expect(sizes()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("shares a new size out in proportion in the middle of a rollout", async () => {
    const { rollOut, patch, setImage, sizes, imageOf } = await start(
      deployment(10, { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
    );
    await rollOut();
    await setImage("stuck");
    await rollOut((pod) => imageOf(pod) !== "stuck");
    expect(sizes()).toEqual({ "web:1": 8, stuck: 5 });
    await patch({ spec: { replicas: 15 } });
    expect(sizes()).toEqual({ "web:1": 11, stuck: 7 });
  });

  it("ends every old pod before it starts a new one when told to recreate", async () => {
    const { rollOut, setImage, sizes, live, imageOf } = await start(deployment(3, { strategy: { type: "Recreate" } }));
    await rollOut();
    await setImage("web:2");
    expect(sizes()).toEqual({ "web:1": 0 });
    await rollOut(
      () => true,
      () => expect(new Set(live().map(imageOf)).size).toBeLessThanOrEqual(1),
    );
    expect(sizes()).toEqual({ "web:1": 0, "web:2": 3 });
  });

  it("keeps no more old replica sets than its history limit", async () => {
    const { rollOut, setImage, revisions } = await start(deployment(1, { revisionHistoryLimit: 2 }));
    await rollOut();
    for (const image of ["web:2", "web:3", "web:4", "web:5"]) {
      await setImage(image);
      await rollOut();
    }
    expect(revisions()).toEqual({ "web:3": "3", "web:4": "4", "web:5": "5" });
  });

  it("takes another hash when the name of its replica set is taken", async () => {
    const first = await start(deployment(1));
    const taken = first.sets()[0]?.metadata.name ?? "";
    const cluster = createFakeCluster();
    const foreign: ReplicaSet = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { namespace: "default", name: taken } };
    await cluster.client.create(replicaSets, foreign);
    await cluster.client.create(deployments, deployment(1));
    const controllers = await runControllers(cluster, createDeploymentController({ events: recordEvents() }));
    await controllers.pass(1);
    expect(cluster.get<Deployment>(deployments, "default", "web")?.status?.collisionCount).toBe(1);
    expect(cluster.all(replicaSets)).toHaveLength(2);
  });

  it("is left alone in a namespace that goes", async () => {
    const cluster = createFakeCluster();
    const namespace: Namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default", finalizers: ["example.com/hold"] } };
    await cluster.client.create(namespaces, namespace);
    await cluster.client.create(deployments, deployment(1));
    await cluster.client.delete(namespaces, "", "default");
    const events = recordEvents();
    const outcome = await createDeploymentController({ events }).reconcile("default/web", contextOf(cluster));
    expect(outcome).toEqual({ kind: "done" });
    expect(events.told).toEqual([]);
  });

  it("refuses an empty selector", async () => {
    const { events, current, sets } = await start(deployment(1, { selector: {} }));
    expect(events.told).toEqual([
      "Warning SelectingAll: This deployment is selecting all pods. A non-empty selector is required.",
      "Warning SelectingAll: This deployment is selecting all pods. A non-empty selector is required.",
    ]);
    expect(current().status).toEqual({ observedGeneration: 1 });
    expect(sets()).toEqual([]);
  });
});
