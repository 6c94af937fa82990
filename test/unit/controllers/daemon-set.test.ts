import { describe, expect, it } from "vitest";
import { createDaemonSetController } from "../../../shared/controllers/daemon-set.ts";
import { controllerRevisions, daemonSets, nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { ControllerRevision, DaemonSet, Node, Pod, Taint } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster, type FakeCluster } from "./fake-cluster.ts";
import { daemonSet, node, pod, recordEvents, runPod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const targetOf = ({ spec }: Pod): string =>
  spec?.nodeName ??
  spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0] ??
  "";

/** What scheduler and kubelet do with each pod: run it where it belongs, and end what is being deleted. Answers whether there was anything. */
function playNodes(cluster: FakeCluster, isReady: (pod: Pod) => boolean = () => true): boolean {
  let acted = false;
  for (const each of cluster.all<Pod>(pods)) {
    const { name = "", deletionTimestamp } = each.metadata;
    const ready = each.status?.conditions?.[0]?.status === "True";
    if (deletionTimestamp !== undefined) cluster.kill("default", name);
    else if (each.status?.phase === undefined || ready !== isReady(each))
      runPod(cluster, name, { node: targetOf(each), ready: isReady(each) });
    else continue;
    acted = true;
  }
  return acted;
}

async function start(
  object: DaemonSet,
  nodeList: readonly Node[] = ["a", "b", "c"].map((name) => node(name)),
  before: readonly Pod[] = [],
) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  for (const each of nodeList) await cluster.client.create(nodes, each);
  for (const each of before) await cluster.client.create(pods, each);
  const controllers = await runControllers(cluster, createDaemonSetController({ events }));
  await cluster.client.create(daemonSets, object);
  await controllers.settle();
  const current = (): DaemonSet => cluster.get<DaemonSet>(daemonSets, "default", "agent") ?? object;
  const alive = (): Pod[] => cluster.all<Pod>(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const places = (): string[] => alive().map(targetOf).sort();
  const images = (): string[] =>
    alive()
      .map((each) => `${targetOf(each)} ${each.spec?.containers[0]?.image}`)
      .sort();
  const revisions = (): ControllerRevision[] =>
    cluster.all<ControllerRevision>(controllerRevisions).sort((a, b) => a.revision - b.revision);
  const patch = async (body: Record<string, unknown>): Promise<void> => {
    await cluster.client.patch(daemonSets, "default", "agent", { type: "merge", body });
    await controllers.settle();
  };
  let generation = 1;
  /** The API counts templates, which the fake cluster does not. */
  const setImage = (image: string) =>
    patch({
      metadata: { annotations: { "deprecated.daemonset.template.generation": String(++generation) } },
      spec: { template: { spec: { containers: [{ name: "web", image }] } } },
    });
  const roll = async (isReady?: (pod: Pod) => boolean, check: () => void = () => {}): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const acted = playNodes(cluster, isReady);
      await controllers.settle();
      check();
      if (!acted) return;
    }
    throw new Error("it never comes to rest");
  };
  const editNode = async (name: string, change: (object: Node) => Node): Promise<void> => {
    cluster.edit<Node>(nodes, "", name, change);
    await controllers.settle();
  };
  return { cluster, controllers, events, current, alive, places, images, revisions, patch, setImage, roll, editNode };
}

const taint = (key: string, effect: Taint["effect"]): Taint => ({ key, effect });
const tainted = (name: string, ...taints: Taint[]) => node(name, { spec: { taints } });

describe("daemonset", () => {
  it("makes one pod for each node, pinned to it by name, that stands the node's troubles", async () => {
    const { places, alive, events, current, revisions, roll } = await start(daemonSet());
    expect(places()).toEqual(["a", "b", "c"]);
    const [made] = alive();
    expect(made?.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toEqual({
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [expect.stringMatching(/^[abc]$/)] }] }],
    });
    expect(made?.spec?.tolerations?.map(({ key, operator, effect }) => `${key}:${operator}:${effect}`)).toEqual([
      "node.kubernetes.io/not-ready:Exists:NoExecute",
      "node.kubernetes.io/unreachable:Exists:NoExecute",
      "node.kubernetes.io/disk-pressure:Exists:NoSchedule",
      "node.kubernetes.io/memory-pressure:Exists:NoSchedule",
      "node.kubernetes.io/pid-pressure:Exists:NoSchedule",
      "node.kubernetes.io/unschedulable:Exists:NoSchedule",
    ]);
    const hash = revisions()[0]?.metadata.labels?.["controller-revision-hash"];
    expect(revisions()[0]?.metadata.name).toBe(`agent-${hash}`);
    expect(made?.metadata.labels).toEqual({ app: "web", "pod-template-generation": "1", "controller-revision-hash": hash });
    expect(events.told).toContain(`Normal SuccessfulCreate: Created pod: ${made?.metadata.name}`);
    await roll();
    expect(current().status).toEqual({
      currentNumberScheduled: 3,
      desiredNumberScheduled: 3,
      numberMisscheduled: 0,
      numberReady: 3,
      numberAvailable: 3,
      updatedNumberScheduled: 3,
      observedGeneration: 1,
    });
  });

  it("goes by node selector, node affinity, taints and cordons", async () => {
    const selecting = daemonSet();
    if (selecting.spec?.template.spec) selecting.spec.template.spec.nodeSelector = { disk: "fast" };
    const fast = { labels: { disk: "fast" } };
    const { places } = await start(selecting, [
      node("slow"),
      node("plain", { metadata: fast }),
      node("cordoned", {
        metadata: fast,
        spec: { unschedulable: true, taints: [taint("node.kubernetes.io/unschedulable", "NoSchedule")] },
      }),
      node("unready", { metadata: fast, spec: { taints: [taint("node.kubernetes.io/not-ready", "NoExecute")] } }),
      node("reserved", { metadata: fast, spec: { taints: [taint("team", "NoSchedule")] } }),
    ]);
    expect(places()).toEqual(["cordoned", "plain", "unready"]);
  });

  it("follows nodes that come, go, and change their labels or taints", async () => {
    const { places, roll, editNode, cluster, current, controllers } = await start(daemonSet(), [node("a"), node("b")]);
    await roll();
    await cluster.client.create(nodes, node("c"));
    await controllers.settle();
    expect(places()).toEqual(["a", "b", "c"]);
    await editNode("a", (object) => ({ ...object, spec: { taints: [taint("team", "NoSchedule")] } }));
    expect(places()).toEqual(["a", "b", "c"]);
    expect(current().status).toMatchObject({ desiredNumberScheduled: 2, numberMisscheduled: 1 });
    await editNode("b", (object) => ({ ...object, spec: { taints: [taint("team", "NoExecute")] } }));
    expect(places()).toEqual(["a", "c"]);
    await cluster.client.delete(nodes, "", "c");
    await controllers.settle();
    expect(places()).toEqual(["a"]);
    await roll();
    expect(current().status).toMatchObject({ desiredNumberScheduled: 0, numberMisscheduled: 1 });
  });

  it("updates as many nodes at a time as may be unavailable, and replaces what is not available anyway", async () => {
    const { roll, setImage, images, alive, revisions, current } = await start(
      daemonSet({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 2, maxSurge: 0 } } }),
      ["a", "b", "c", "d", "e"].map((name) => node(name)),
    );
    await roll();
    await setImage("web:2");
    const ready = () => alive().filter(({ status }) => status?.conditions?.[0]?.status === "True").length;
    expect(ready()).toBe(3);
    await roll(undefined, () => expect(ready()).toBeGreaterThanOrEqual(3));
    expect(images()).toEqual(["a web:2", "b web:2", "c web:2", "d web:2", "e web:2"]);
    expect(revisions().map(({ revision }) => revision)).toEqual([1, 2]);
    await setImage("broken");
    await roll((each) => each.spec?.containers[0]?.image !== "broken");
    expect(images().filter((each) => each.endsWith("broken"))).toHaveLength(2);
    expect(current().status).toMatchObject({ numberUnavailable: 2, updatedNumberScheduled: 2 });
    await setImage("web:2");
    await roll();
    expect(revisions().map(({ revision }) => revision)).toEqual([1, 3, 4]);
    expect(current().status).toMatchObject({ updatedNumberScheduled: 5, numberAvailable: 5 });
  });

  it("surges: the new pod of a node is available before the old one goes", async () => {
    const { roll, setImage, images, alive } = await start(
      daemonSet({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } }),
    );
    await roll();
    await setImage("web:2");
    expect(alive()).toHaveLength(4);
    const served = () =>
      new Set(
        alive()
          .filter(({ status }) => status?.conditions?.[0]?.status === "True")
          .map(targetOf),
      ).size;
    await roll(undefined, () => {
      expect(served()).toBe(3);
      expect(alive().length).toBeLessThanOrEqual(4);
    });
    expect(images()).toEqual(["a web:2", "b web:2", "c web:2"]);
  });

  it("OnDelete: waits until somebody deletes the old pod", async () => {
    const { roll, setImage, images, cluster, alive } = await start(daemonSet({ updateStrategy: { type: "OnDelete" } }), [
      node("a"),
      node("b"),
    ]);
    await roll();
    await setImage("web:2");
    await roll();
    expect(images()).toEqual(["a web:1", "b web:1"]);
    await cluster.client.delete(pods, "default", alive().find((each) => targetOf(each) === "a")?.metadata.name ?? "");
    await roll();
    expect(images()).toEqual(["a web:2", "b web:1"]);
  });

  it("replaces a failed pod at once, and the next ones with patience", async () => {
    const { roll, alive, cluster, controllers, events } = await start(daemonSet(), [node("a")]);
    await roll();
    const fail = async () => {
      const name = alive()[0]?.metadata.name ?? "";
      cluster.edit<Pod>(pods, "default", name, (each) => ({ ...each, status: { phase: "Failed" } }));
      await controllers.settle();
      return name;
    };
    const isThere = (name: string) => cluster.get<Pod>(pods, "default", name) !== undefined;
    const first = await fail();
    expect(isThere(first)).toBe(false);
    expect(events.told).toContain(`Warning FailedDaemonPod: Found failed daemon pod default/${first} on node a, will try to kill it`);
    const second = await fail();
    expect(isThere(second)).toBe(true);
    await controllers.pass(1);
    expect(isThere(second)).toBe(false);
    const third = await fail();
    await controllers.pass(1);
    expect(isThere(third)).toBe(true);
    await controllers.pass(1);
    expect(isThere(third)).toBe(false);
  });

  it("adopts pods that match, and of several on one node keeps the oldest", async () => {
    const orphan = (name: string, on: string) => pod(name, { spec: { nodeName: on, containers: [] }, status: { phase: "Running" } });
    const { alive, places } = await start(
      daemonSet({ updateStrategy: { type: "OnDelete" } }),
      [node("a"), node("b")],
      [orphan("x", "a"), orphan("y", "a")],
    );
    expect(places()).toEqual(["a", "b"]);
    expect(alive().map(({ metadata }) => metadata.name)).toContain("x");
    expect(alive().find(({ metadata }) => metadata.name === "x")?.metadata.ownerReferences).toMatchObject([{ kind: "DaemonSet" }]);
  });

  it("counts pods as available, and goes on, after minReadySeconds", async () => {
    const { roll, current, controllers, setImage, images } = await start(daemonSet({ minReadySeconds: 30 }), [node("a"), node("b")]);
    await roll();
    expect(current().status).toMatchObject({ numberReady: 2, numberUnavailable: 2 });
    await controllers.pass(30);
    expect(current().status).toMatchObject({ numberAvailable: 2 });
    await setImage("web:2");
    await roll();
    expect(images().filter((each) => each.endsWith("web:2"))).toHaveLength(1);
    await controllers.pass(30);
    await roll();
    expect(images()).toEqual(["a web:2", "b web:2"]);
  });

  it("unites revisions of one template, and gives one without a hash its name", async () => {
    const { cluster, roll, revisions, alive, controllers } = await start(daemonSet(), [node("a")]);
    await roll();
    const [first] = revisions();
    const { labels: _, resourceVersion: __, uid: ___, ...metadata } = first?.metadata ?? {};
    const copy = { ...first, revision: 2, metadata: { ...metadata, name: "agent-copy", labels: { app: "web" } } } as ControllerRevision;
    await cluster.client.create(controllerRevisions, copy);
    await controllers.settle();
    expect(revisions()).toHaveLength(2);
    cluster.edit<DaemonSet>(daemonSets, "default", "agent", (set) => ({ ...set, metadata: { ...set.metadata, annotations: {} } }));
    await controllers.settle();
    expect(revisions().map((each) => [each.metadata.name, each.metadata.labels?.["controller-revision-hash"]])).toEqual([
      ["agent-copy", "agent-copy"],
    ]);
    expect(alive().map(({ metadata }) => metadata.labels?.["controller-revision-hash"])).toEqual(["agent-copy"]);
  });

  it("keeps as many old revisions as its limit says", async () => {
    const { roll, setImage, revisions } = await start(daemonSet({ revisionHistoryLimit: 1 }), [node("a")]);
    for (const image of ["web:2", "web:3", "web:4"]) {
      await roll();
      await setImage(image);
    }
    await roll();
    expect(revisions().map(({ revision }) => revision)).toEqual([3, 4]);
  });

  it("leaves everything to the garbage collector while it is being deleted", async () => {
    const { cluster, controllers, roll } = await start(daemonSet(), [node("a"), node("b")]);
    await roll();
    await cluster.client.delete(daemonSets, "default", "agent", { propagationPolicy: "Foreground" });
    for (const each of cluster.all<ControllerRevision>(controllerRevisions))
      await cluster.client.delete(controllerRevisions, "default", each.metadata.name ?? "");
    for (const each of cluster.all<Pod>(pods)) cluster.kill("default", each.metadata.name ?? "");
    await controllers.settle();
    expect(cluster.all(pods)).toEqual([]);
    expect(cluster.all(controllerRevisions)).toEqual([]);
  });

  it("looks at a node only when pods belong there otherwise than before", async () => {
    const { cluster, editNode, roll } = await start(daemonSet(), [tainted("a", taint("team", "NoSchedule")), node("b")]);
    await roll();
    const before = cluster.writes.length;
    await editNode("b", (object) => ({ ...object, metadata: { ...object.metadata, labels: { irrelevant: "yes" } } }));
    expect(cluster.writes).toHaveLength(before);
    const controller = createDaemonSetController({ events: recordEvents() });
    const [stored] = cluster.view.list(nodes).filter(({ key }) => key.name === "b");
    if (!stored) throw new Error("no node");
    const change = { ...stored, type: "MODIFIED" as const, previous: { ...stored, object: node("b") } };
    expect([...controller.keysOf(change, cluster.view)]).toEqual([]);
    const uncovered = { ...change, previous: { ...stored, object: tainted("b", taint("team", "NoSchedule")) } };
    expect([...controller.keysOf(uncovered, cluster.view)]).toEqual(["default/agent"]);
  });
});
