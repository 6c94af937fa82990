import { describe, expect, it } from "vitest";
import { createStatefulSetController } from "../../../shared/controllers/stateful-set.ts";
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { playKubelet, pod, recordEvents, runPod, statefulSet } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

type Ready = (pod: Pod) => boolean;

async function start(object: StatefulSet, before: readonly Pod[] = []) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  for (const each of before) await cluster.client.create(pods, each);
  const controllers = await runControllers(cluster, createStatefulSetController({ events }));
  await cluster.client.create(statefulSets, object);
  await controllers.settle();
  const current = (): StatefulSet => cluster.get<StatefulSet>(statefulSets, "default", "web") ?? object;
  const names = (): string[] => cluster.all<Pod>(pods).map(({ metadata }) => metadata.name ?? "");
  const revisions = (): ControllerRevision[] =>
    cluster.all<ControllerRevision>(controllerRevisions).sort((a, b) => a.revision - b.revision);
  const claims = (): PersistentVolumeClaim[] => cluster.all<PersistentVolumeClaim>(persistentVolumeClaims);
  const images = (): Record<string, string> =>
    Object.fromEntries(cluster.all<Pod>(pods).map(({ metadata, spec }) => [metadata.name ?? "", spec?.containers[0]?.image ?? ""]));
  const patch = async (body: Record<string, unknown>): Promise<void> => {
    await cluster.client.patch(statefulSets, "default", "web", { type: "merge", body });
    await controllers.settle();
  };
  const setImage = (image: string) => patch({ spec: { template: { spec: { containers: [{ name: "web", image }] } } } });
  /** One pod a round is run or ended; `check` sees each state. Answers the pods in the order in which they came and went. */
  const roll = async (isReady: Ready = () => true, check: () => void = () => {}): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const acted = playKubelet(cluster, isReady);
      await controllers.settle();
      check();
      if (!acted) return;
    }
    throw new Error("it never comes to rest");
  };
  return { cluster, controllers, events, current, names, revisions, claims, images, patch, setImage, roll };
}

describe("statefulset", () => {
  it("makes its pods one after another, each when the one before is available", async () => {
    const { cluster, controllers, names, events } = await start(statefulSet(3));
    expect(names()).toEqual(["web-0"]);
    runPod(cluster, "web-0", { ready: false });
    await controllers.settle();
    expect(names()).toEqual(["web-0"]);
    runPod(cluster, "web-0");
    await controllers.settle();
    expect(names()).toEqual(["web-0", "web-1"]);
    runPod(cluster, "web-1");
    await controllers.settle();
    expect(names()).toEqual(["web-0", "web-1", "web-2"]);
    expect(events.told).toEqual([0, 1, 2].map((i) => `Normal SuccessfulCreate: create Pod web-${i} in StatefulSet web successful`));
  });

  it("tells each pod who it is", async () => {
    const { cluster, revisions } = await start(statefulSet(1, { ordinals: { start: 5 }, serviceName: "peers" }));
    const made = cluster.get<Pod>(pods, "default", "web-5");
    expect(made?.metadata.labels).toEqual({
      app: "web",
      "statefulset.kubernetes.io/pod-name": "web-5",
      "apps.kubernetes.io/pod-index": "5",
      "controller-revision-hash": revisions()[0]?.metadata.name,
    });
    expect(made?.spec).toMatchObject({ hostname: "web-5", subdomain: "peers" });
    expect(made?.metadata.ownerReferences).toMatchObject([{ kind: "StatefulSet", name: "web", controller: true }]);
  });

  it("counts a pod as available, and goes on, when it has been ready for minReadySeconds", async () => {
    const { cluster, controllers, names, current } = await start(statefulSet(2, { minReadySeconds: 10 }));
    runPod(cluster, "web-0");
    await controllers.pass(9);
    expect(names()).toEqual(["web-0"]);
    expect(current().status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
    await controllers.pass(1);
    expect(names()).toEqual(["web-0", "web-1"]);
    expect(current().status).toMatchObject({ replicas: 2, readyReplicas: 1, availableReplicas: 1 });
  });

  it("keeps its template as a patch with sorted keys, and its status by revisions", async () => {
    const { roll, current, revisions } = await start(statefulSet(2));
    await roll();
    const [revision] = revisions();
    expect(revisions()).toHaveLength(1);
    expect(revision?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
    expect(revision?.metadata.labels).toEqual({ app: "web", "controller.kubernetes.io/hash": revision?.metadata.name?.slice(4) });
    expect(JSON.stringify(revision?.data)).toBe(
      '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"web:1","name":"web"}]}}}}',
    );
    expect(current().status).toEqual({
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 2,
      availableReplicas: 2,
      currentRevision: revision?.metadata.name,
      updateRevision: revision?.metadata.name,
      collisionCount: 0,
    });
  });

  it("updates from the highest ordinal down, one pod at a time, and takes an earlier revision up again", async () => {
    const { roll, setImage, images, revisions, current, cluster } = await start(statefulSet(3));
    await roll();
    await setImage("web:2");
    expect(cluster.all<Pod>(pods).filter(({ metadata }) => metadata.deletionTimestamp !== undefined)).toMatchObject([
      { metadata: { name: "web-2" } },
    ]);
    expect(current().status).toMatchObject({ currentReplicas: 2, currentRevision: revisions()[0]?.metadata.name });
    let fewest = 3;
    await roll(
      () => true,
      () => {
        const seen = Object.entries(images());
        fewest = Math.min(fewest, seen.length);
        const firstNew = seen.findIndex(([, image]) => image === "web:2");
        if (firstNew >= 0) expect(seen.slice(firstNew).every(([, image]) => image === "web:2")).toBe(true);
      },
    );
    expect(fewest).toBeGreaterThanOrEqual(2);
    expect(images()).toEqual({ "web-0": "web:2", "web-1": "web:2", "web-2": "web:2" });
    const second = revisions()[1]?.metadata.name;
    expect(current().status).toMatchObject({ currentRevision: second, updateRevision: second, currentReplicas: 3, updatedReplicas: 3 });

    await setImage("web:1");
    await roll();
    expect(revisions().map(({ revision }) => revision)).toEqual([2, 3]);
    expect(revisions()[0]?.metadata.name).toBe(second);
    expect(images()).toEqual({ "web-0": "web:1", "web-1": "web:1", "web-2": "web:1" });
  });

  it("leaves the ordinals below the partition at the current revision, even those that are made anew", async () => {
    const { roll, patch, images, cluster, current } = await start(statefulSet(3));
    await roll();
    await patch({
      spec: {
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } },
        template: { spec: { containers: [{ name: "web", image: "web:2" }] } },
      },
    });
    await roll();
    expect(images()).toEqual({ "web-0": "web:1", "web-1": "web:1", "web-2": "web:2" });
    for (const name of ["web-0", "web-2"]) await cluster.client.delete(pods, "default", name);
    await roll();
    expect(images()).toEqual({ "web-0": "web:1", "web-1": "web:1", "web-2": "web:2" });
    expect(current().status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
    await patch({ spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } });
    await roll();
    expect(images()).toEqual({ "web-0": "web:2", "web-1": "web:2", "web-2": "web:2" });
  });

  it("OnDelete: gives the new template to pods that others delete", async () => {
    const { roll, setImage, images, cluster } = await start(statefulSet(2, { updateStrategy: { type: "OnDelete" } }));
    await roll();
    await setImage("web:2");
    await roll();
    expect(images()).toEqual({ "web-0": "web:1", "web-1": "web:1" });
    await cluster.client.delete(pods, "default", "web-0");
    await roll();
    expect(images()).toEqual({ "web-0": "web:2", "web-1": "web:1" });
  });

  it("shrinks from the highest ordinal down, waiting for each pod to be gone, and halts while another is not ready", async () => {
    const { roll, patch, names, cluster, controllers } = await start(statefulSet(4));
    await roll();
    await patch({ spec: { replicas: 2 } });
    const ending = () =>
      cluster
        .all<Pod>(pods)
        .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
        .map(({ metadata }) => metadata.name);
    expect(ending()).toEqual(["web-3"]);
    runPod(cluster, "web-0", { ready: false });
    cluster.kill("default", "web-3");
    await controllers.settle();
    expect(names()).toEqual(["web-0", "web-1", "web-2"]);
    expect(ending()).toEqual([]);
    runPod(cluster, "web-0");
    await controllers.settle();
    expect(ending()).toEqual(["web-2"]);
    cluster.kill("default", "web-2");
    await controllers.settle();
    expect(names()).toEqual(["web-0", "web-1"]);
  });

  it("moves to other ordinals by making the new ones before it ends the old ones", async () => {
    const { roll, patch, names } = await start(statefulSet(2));
    await roll();
    await patch({ spec: { ordinals: { start: 1 } } });
    expect(names()).toEqual(["web-0", "web-1", "web-2"]);
    await roll();
    expect(names()).toEqual(["web-1", "web-2"]);
  });

  it("Parallel: makes and ends pods without waiting, and still updates one by one", async () => {
    const { roll, patch, setImage, names, cluster } = await start(statefulSet(4, { podManagementPolicy: "Parallel" }));
    expect(names()).toEqual(["web-0", "web-1", "web-2", "web-3"]);
    await patch({ spec: { replicas: 2 } });
    expect(names()).toEqual(["web-0", "web-1"]);
    await roll();
    await setImage("web:2");
    expect(cluster.all<Pod>(pods).filter(({ metadata }) => metadata.deletionTimestamp !== undefined)).toHaveLength(1);
    await roll();
  });

  it.each(["Failed", "Succeeded"] as const)("replaces a pod that has %s", async (phase) => {
    const { roll, cluster, controllers, events } = await start(statefulSet(2));
    await roll();
    const uid = cluster.get<Pod>(pods, "default", "web-0")?.metadata.uid;
    cluster.edit<Pod>(pods, "default", "web-0", (ended) => ({ ...ended, status: { phase } }));
    await controllers.settle();
    expect(events.told).toContain("Normal SuccessfulDelete: delete Pod web-0 in StatefulSet web successful");
    await roll();
    expect(cluster.get<Pod>(pods, "default", "web-0")?.metadata.uid).not.toBe(uid);
  });

  it("adopts orphans of its name and selector, and releases what no longer matches", async () => {
    const { cluster, controllers, names } = await start(statefulSet(1), [pod("web-0"), pod("other-0"), pod("web-x")]);
    const ownersOf = (name: string) => cluster.get<Pod>(pods, "default", name)?.metadata.ownerReferences ?? [];
    expect(ownersOf("web-0")).toMatchObject([{ kind: "StatefulSet", name: "web" }]);
    expect(ownersOf("other-0")).toEqual([]);
    expect(ownersOf("web-x")).toEqual([]);
    cluster.edit<Pod>(pods, "default", "web-0", (changed) => ({ ...changed, metadata: { ...changed.metadata, labels: { app: "no" } } }));
    await controllers.settle();
    expect(ownersOf("web-0")).toEqual([]);
    expect(names()).toContain("web-0");
    await cluster.client.delete(pods, "default", "web-0");
    await controllers.settle();
    expect(ownersOf("web-0")).toMatchObject([{ kind: "StatefulSet", name: "web" }]);
  });

  it("takes another hash when the name of its revision is somebody else's", async () => {
    const first = await start(statefulSet(1));
    const taken = first.revisions()[0]?.metadata.name ?? "";
    const cluster = createFakeCluster();
    const foreign = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: { namespace: "default", name: taken },
      revision: 1,
      data: {},
    };
    await cluster.client.create(controllerRevisions, foreign as ControllerRevision);
    const controllers = await runControllers(cluster, createStatefulSetController({ events: recordEvents() }));
    await cluster.client.create(statefulSets, statefulSet(1));
    await controllers.settle();
    const status = cluster.get<StatefulSet>(statefulSets, "default", "web")?.status;
    expect(status).toMatchObject({ collisionCount: 1 });
    expect(status?.updateRevision).not.toBe(taken);
  });

  it("keeps as many old revisions as its limit says, and those that pods are of", async () => {
    const { roll, setImage, revisions } = await start(statefulSet(1, { revisionHistoryLimit: 2 }));
    await roll();
    for (const image of ["web:2", "web:3", "web:4", "web:5"]) {
      await setImage(image);
      await roll();
    }
    await setImage("web:6");
    expect(revisions().map(({ revision }) => revision)).toEqual([3, 4, 5, 6]);
    await roll();
    expect(revisions().map(({ revision }) => revision)).toEqual([4, 5, 6]);
  });

  it("does nothing but count while it is being deleted", async () => {
    const { roll, cluster, controllers, current } = await start(statefulSet(2));
    await roll();
    await cluster.client.delete(statefulSets, "default", "web", { propagationPolicy: "Foreground" });
    cluster.kill("default", "web-1");
    await controllers.settle();
    expect(cluster.all<Pod>(pods)).toHaveLength(1);
    expect(current().status).toMatchObject({ replicas: 1 });
  });

  it("tells why it cannot make a pod, and tries again", async () => {
    const cluster = createFakeCluster();
    const events = recordEvents();
    const controllers = await runControllers(cluster, createStatefulSetController({ events }));
    let refused = 0;
    cluster.intercept(({ verb, resource }) =>
      verb === "create" && resource.resource === "pods" && refused++ < 2 ? new StatusError("Forbidden", "exceeded quota") : undefined,
    );
    await cluster.client.create(statefulSets, statefulSet(1));
    await controllers.pass(2);
    expect(events.told).toEqual([
      "Warning FailedCreate: create Pod web-0 in StatefulSet web failed error: exceeded quota",
      "Warning FailedCreate: create Pod web-0 in StatefulSet web failed error: exceeded quota",
      "Normal SuccessfulCreate: create Pod web-0 in StatefulSet web successful",
    ]);
  });
});

describe("claims of a statefulset", () => {
  const withClaims = (replicas: number, change: Partial<StatefulSet["spec"]> = {}) =>
    statefulSet(replicas, { volumeClaimTemplates: [claimTemplate], ...change });
  const claimTemplate = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "www", labels: { kept: "yes" } },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  } as PersistentVolumeClaim;

  it("are made before the pod that uses them, and stay when it goes", async () => {
    const { cluster, claims, events, roll, patch } = await start(withClaims(2));
    expect(cluster.writes.filter((each) => /^create (pods|persistent)/.test(each))).toEqual([
      "create persistentvolumeclaims default/www-web-0",
      "create pods default/web-0",
    ]);
    expect(claims()[0]).toMatchObject({ metadata: { name: "www-web-0", labels: { app: "web", kept: "yes" } }, spec: claimTemplate.spec });
    expect(cluster.get<Pod>(pods, "default", "web-0")?.spec?.volumes).toEqual([
      { name: "www", persistentVolumeClaim: { claimName: "www-web-0" } },
    ]);
    expect(events.told[0]).toBe("Normal SuccessfulCreate: create Claim www-web-0 Pod web-0 in StatefulSet web success");
    await roll();
    await patch({ spec: { replicas: 0 } });
    await roll();
    expect(claims().map(({ metadata }) => [metadata.name, metadata.ownerReferences])).toEqual([
      ["www-web-0", undefined],
      ["www-web-1", undefined],
    ]);
  });

  it("belong to the set, and to a pod that goes, as the retention policy says", async () => {
    const { claims, roll, patch } = await start(
      withClaims(2, { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" } }),
    );
    await roll();
    const owners = () => claims().map(({ metadata }) => (metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind}/${name}`));
    expect(owners()).toEqual([["StatefulSet/web"], ["StatefulSet/web"]]);
    await patch({ spec: { replicas: 1 } });
    expect(owners()).toEqual([["StatefulSet/web"], ["Pod/web-1"]]);
    await patch({ spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" } } });
    expect(owners()[0]).toEqual([]);
  });

  it("come to belong to the set however many they are, although nothing of the pods changes", async () => {
    const persistentVolumeClaimRetentionPolicy = { whenDeleted: "Delete" as const, whenScaled: "Delete" as const };
    const { cluster, controllers, claims } = await start(
      withClaims(501, { podManagementPolicy: "Parallel", persistentVolumeClaimRetentionPolicy }),
    );
    const owned = () => claims().filter(({ metadata }) => metadata.ownerReferences?.[0]?.kind === "StatefulSet").length;
    expect(owned()).toBe(501);
    for (const { metadata } of claims())
      cluster.edit<PersistentVolumeClaim>(persistentVolumeClaims, "default", metadata.name ?? "", ({ metadata, ...claim }) => {
        const { ownerReferences: _, ...rest } = metadata;
        return { ...claim, metadata: rest };
      });
    cluster.edit<Pod>(pods, "default", "web-0", (live) => ({ ...live, metadata: { ...live.metadata, annotations: { seen: "yes" } } }));
    await controllers.settle();
    expect(owned()).toBe(501);
  });

  it("are made again for a pod that waits for them, when somebody deleted them", async () => {
    const { cluster, claims, controllers } = await start(withClaims(1));
    cluster.edit<Pod>(pods, "default", "web-0", (made) => ({ ...made, status: { phase: "Pending" } }));
    await cluster.client.delete(persistentVolumeClaims, "default", "www-web-0");
    await controllers.settle();
    expect(claims()).toHaveLength(1);
  });

  it("of an earlier pod of that name hold up the next one until they are gone", async () => {
    const policy = { persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Retain" } };
    const { cluster, roll, patch, names, controllers } = await start(withClaims(1, policy));
    await roll();
    await patch({ spec: { replicas: 0 } });
    await roll();
    await patch({ spec: { replicas: 1 } });
    expect(names()).toEqual([]);
    await cluster.client.delete(persistentVolumeClaims, "default", "www-web-0");
    await controllers.settle();
    expect(names()).toEqual(["web-0"]);
  });

  it("that somebody else controls are left alone", async () => {
    const { cluster, claims, controllers, events } = await start(withClaims(1));
    cluster.edit<PersistentVolumeClaim>(persistentVolumeClaims, "default", "www-web-0", (claim) => ({
      ...claim,
      metadata: { ...claim.metadata, ownerReferences: [{ apiVersion: "v1", kind: "Other", name: "o", uid: "u", controller: true }] },
    }));
    await cluster.client.patch(statefulSets, "default", "web", {
      type: "merge",
      body: { spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" } } },
    });
    runPod(cluster, "web-0");
    await controllers.settle();
    expect(claims()[0]?.metadata.ownerReferences).toMatchObject([{ kind: "Other" }]);
    expect(events.told.some((each) => each.startsWith("Warning Failed"))).toBe(false);
  });
});
