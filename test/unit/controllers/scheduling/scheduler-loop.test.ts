import { afterEach, describe, expect, it } from "vitest";
import type { BindOutcome } from "../../../../shared/api/object-client.ts";
import { createSchedulerLoop, type SchedulerLoop } from "../../../../shared/controllers/scheduling/scheduler-loop.ts";
import { events, nodes, persistentVolumeClaims, pods, storageClasses } from "../../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../../shared/kubernetes/status-error.ts";
import type { Event, Node, Pod } from "../../../../shared/kubernetes/types.ts";
import { createFakeCluster, type FakeCluster } from "../fake-cluster.ts";
import { contextOf } from "../run-controllers.ts";
import { nodeOf, podOf } from "./cluster-objects.ts";

let loop: SchedulerLoop | undefined;
afterEach(() => loop?.stop());

async function run(cluster: FakeCluster, outcomes?: () => BindOutcome | undefined): Promise<SchedulerLoop> {
  const context = contextOf(cluster);
  const bind: typeof cluster.client.bind = async (bindings) => {
    const outcome = outcomes?.();
    return outcome ? bindings.map(() => outcome) : cluster.client.bind(bindings);
  };
  loop = createSchedulerLoop({ ...context, client: { ...cluster.client, bind } });
  loop.start();
  await loop.idle();
  return loop;
}

const nodeNameOf = (cluster: FakeCluster, name: string): string | undefined => cluster.get<Pod>(pods, "default", name)?.spec?.nodeName;
const conditionOf = (cluster: FakeCluster, name: string) =>
  cluster.get<Pod>(pods, "default", name)?.status?.conditions?.find(({ type }) => type === "PodScheduled");
const eventsAbout = (cluster: FakeCluster, name: string): Event[] =>
  cluster.all<Event>(events).filter(({ involvedObject }) => involvedObject.name === name);

describe("the scheduler loop", () => {
  it("binds the pods that were pending before it started, and those that come later, and says so", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    await cluster.client.create(pods, podOf("early"));
    const loop = await run(cluster);
    await cluster.client.create(pods, podOf("late"));
    await loop.idle();
    expect([nodeNameOf(cluster, "early"), nodeNameOf(cluster, "late")]).toEqual(["n1", "n1"]);
    expect(eventsAbout(cluster, "late")).toMatchObject([
      {
        type: "Normal",
        reason: "Scheduled",
        message: "Successfully assigned default/late to n1",
        reportingComponent: "default-scheduler",
      },
    ]);
  });

  it("never puts more on a node than it has, though a batch is decided at once", async () => {
    const cluster = createFakeCluster();
    for (const name of ["n1", "n2"]) await cluster.client.create(nodes, nodeOf(name, { cpu: "1" }));
    for (let i = 0; i < 30; i++) await cluster.client.create(pods, podOf(`p${i}`));
    await run(cluster);
    const placed = cluster.all<Pod>(pods).map(({ spec }) => spec?.nodeName);
    expect([placed.filter((name) => name === "n1").length, placed.filter((name) => name === "n2").length]).toEqual([10, 10]);
  });

  it("passes over pods of another scheduler, gated pods and pods that are being deleted", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    await cluster.client.create(pods, podOf("foreign", "1", { schedulerName: "other" }));
    await cluster.client.create(pods, podOf("gated", "1", { schedulingGates: [{ name: "example.com/wait" }] }));
    const loop = await run(cluster);
    expect([nodeNameOf(cluster, "foreign"), nodeNameOf(cluster, "gated")]).toEqual([undefined, undefined]);
    cluster.edit<Pod>(pods, "default", "gated", (pod) => {
      if (pod.spec) pod.spec.schedulingGates = [];
      return pod;
    });
    await loop.idle();
    expect(nodeNameOf(cluster, "gated")).toBe("n1");
  });

  it("reports a pod that fits nowhere once, however often it is tried", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("big", "2"));
    const loop = await run(cluster);
    const message =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    expect(conditionOf(cluster, "big")).toMatchObject({ status: "False", reason: "Unschedulable", message });
    cluster.clock.advance(300_000);
    await loop.idle();
    expect(cluster.writes.filter((write) => write.startsWith("patch pods/status"))).toHaveLength(1);
    expect(eventsAbout(cluster, "big")).toMatchObject([{ type: "Warning", reason: "FailedScheduling", message, count: 2 }]);
  });

  it("says when there are no nodes, and schedules when the first one comes", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(pods, podOf("p"));
    const loop = await run(cluster);
    expect(conditionOf(cluster, "p")?.message).toBe("no nodes available to schedule pods");
    cluster.clock.advance(1000);
    await cluster.client.create(nodes, nodeOf("n1"));
    await loop.idle();
    expect(nodeNameOf(cluster, "p")).toBe("n1");
  });

  it("tries a refused pod again when the reason may have gone, after its back-off", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("first", "1"));
    const loop = await run(cluster);
    await cluster.client.create(pods, podOf("second", "1"));
    await loop.idle();
    cluster.kill("default", "first");
    await loop.idle();
    expect(nodeNameOf(cluster, "second")).toBeUndefined();
    cluster.clock.advance(1000);
    await loop.idle();
    expect(nodeNameOf(cluster, "second")).toBe("n1");
  });

  it("tries a refused pod again when the one whose room it was refused was deleted before it was bound", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("first", "1"));
    await cluster.client.create(pods, podOf("second", "1"));
    let refusals = 1;
    const loop = await run(cluster, () => {
      if (refusals-- <= 0) return undefined;
      cluster.kill("default", "first");
      return { kind: "stale" };
    });
    cluster.clock.advance(1000);
    await loop.idle();
    expect(nodeNameOf(cluster, "second")).toBe("n1");
  });

  it("tries a refused pod again when the one whose room it was refused could not be bound and has a wait of its own", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("first", "1"));
    await cluster.client.create(pods, podOf("second", "1"));
    let failures = 1;
    const loop = await run(cluster, () => {
      if (failures-- <= 0) return undefined;
      cluster.edit<Pod>(pods, "default", "first", (pod) => {
        pod.spec = { ...pod.spec, containers: pod.spec?.containers ?? [], schedulerName: "another" };
        return pod;
      });
      throw new StatusError("ServiceUnavailable", "not now");
    });
    cluster.clock.advance(1000);
    await loop.idle();
    expect(nodeNameOf(cluster, "second")).toBe("n1");
  });

  it("leaves a refused pod alone when nothing happened that could help it", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] }));
    await cluster.client.create(pods, podOf("p"));
    const loop = await run(cluster);
    expect(conditionOf(cluster, "p")?.message).toContain("1 node(s) had untolerated taint {k: v}");
    cluster.clock.advance(60_000);
    cluster.edit<Node>(nodes, "", "n1", (node) => {
      node.status = { ...node.status, phase: "Running" };
      return node;
    });
    await loop.idle();
    expect(eventsAbout(cluster, "p")[0]?.count).toBe(1);
    cluster.edit<Node>(nodes, "", "n1", (node) => {
      node.spec = {};
      return node;
    });
    await loop.idle();
    expect(nodeNameOf(cluster, "p")).toBe("n1");
  });

  it("tries a pod again at once that changed while it was being bound", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    await cluster.client.create(pods, podOf("p"));
    let refusals = 1;
    await run(cluster, () => (refusals-- > 0 ? { kind: "stale" } : undefined));
    expect(nodeNameOf(cluster, "p")).toBe("n1");
  });

  it("tries another node when the room on the first was taken by somebody else", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("p", "1"));
    let refusals = 1;
    const loop = await run(cluster, () => (refusals-- > 0 ? { kind: "full" } : undefined));
    cluster.clock.advance(1000);
    await loop.idle();
    expect(nodeNameOf(cluster, "p")).toBeUndefined();
    cluster.clock.advance(10_000);
    await loop.idle();
    expect(nodeNameOf(cluster, "p")).toBe("n1");
  });

  it("tries again when the API could not bind", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    await cluster.client.create(pods, podOf("p"));
    let failures = 1;
    const loop = await run(cluster, () => {
      if (failures-- > 0) throw new StatusError("ServiceUnavailable", "not now");
      return undefined;
    });
    cluster.clock.advance(1000);
    await loop.idle();
    expect(nodeNameOf(cluster, "p")).toBe("n1");
  });

  it("makes room for a more important pod: marks and deletes the victim, nominates the pod, and binds it when the victim is gone", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await cluster.client.create(pods, podOf("low", "1", { priority: 0 }));
    const loop = await run(cluster);
    await cluster.client.create(pods, podOf("high", "1", { priority: 100 }));
    await loop.idle();
    const victim = cluster.get<Pod>(pods, "default", "low");
    expect(victim?.metadata.deletionTimestamp).toBeDefined();
    expect(victim?.status?.conditions).toMatchObject([{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }]);
    expect(eventsAbout(cluster, "low").map(({ reason }) => reason)).toContain("Preempted");
    expect(cluster.get<Pod>(pods, "default", "high")?.status?.nominatedNodeName).toBe("n1");
    expect(conditionOf(cluster, "high")?.message).toBe("0/1 nodes are available: 1 Insufficient cpu.");
    cluster.kill("default", "low");
    cluster.clock.advance(10_000);
    await loop.idle();
    expect(nodeNameOf(cluster, "high")).toBe("n1");
  });

  it("takes the more important pod first", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(pods, podOf("low", "1", { priority: 1, preemptionPolicy: "Never" }));
    await cluster.client.create(pods, podOf("high", "1", { priority: 2, preemptionPolicy: "Never" }));
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    await run(cluster);
    expect([nodeNameOf(cluster, "high"), nodeNameOf(cluster, "low")]).toEqual(["n1", undefined]);
  });

  it("ends what is under way before it stops, binds nothing afterwards, and can be started again", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    await cluster.client.create(pods, podOf("before"));
    const context = contextOf(cluster);
    let release = (): void => {};
    const begun = new Promise<void>((bindBegan) => {
      const bind: typeof cluster.client.bind = async (bindings) => {
        bindBegan();
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return cluster.client.bind(bindings);
      };
      loop = createSchedulerLoop({ ...context, client: { ...cluster.client, bind } });
    });
    loop?.start();
    await begun;
    const stopped = loop?.stop();
    release();
    await stopped;
    expect(nodeNameOf(cluster, "before")).toBe("n1");
    await cluster.client.create(pods, podOf("after"));
    await loop?.idle();
    expect(nodeNameOf(cluster, "after")).toBeUndefined();
    const again = await run(cluster);
    await again.idle();
    expect(nodeNameOf(cluster, "after")).toBe("n1");
  });

  it("leaves a new pod alone for as long as it was told, so that its maker may bind it", async () => {
    const cluster = createFakeCluster();
    for (const name of ["n1", "n2"]) await cluster.client.create(nodes, nodeOf(name));
    loop = createSchedulerLoop(contextOf(cluster), { graceMs: 50 });
    loop.start();
    await loop.idle();
    const mine = await cluster.client.create(pods, podOf("mine"));
    await cluster.client.create(pods, podOf("other"));
    cluster.clock.advance(49);
    await loop.idle();
    expect([nodeNameOf(cluster, "mine"), nodeNameOf(cluster, "other"), loop.nextDue()]).toEqual([
      undefined,
      undefined,
      cluster.clock.now() + 1,
    ]);
    await cluster.client.bind([{ namespace: "default", name: "mine", uid: mine.object.metadata.uid ?? "", nodeName: "n2" }]);
    cluster.clock.advance(1);
    await loop.idle();
    expect([nodeNameOf(cluster, "mine"), nodeNameOf(cluster, "other")]).toEqual(["n2", "n1"]);
  });

  it("does not let pods wait that a controller made: nobody else binds them", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    loop = createSchedulerLoop(contextOf(cluster), { graceMs: 50 });
    loop.start();
    await loop.idle();
    const owned = podOf("owned");
    const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "set", uid: "1", controller: true }];
    await cluster.client.create(pods, { ...owned, metadata: { ...owned.metadata, ownerReferences } });
    await loop.idle();
    expect(nodeNameOf(cluster, "owned")).toBe("n1");
  });

  describe("told how fast to report", () => {
    const reportPace = { burst: 2, perSecond: 10 };
    const reported = (cluster: FakeCluster): string[] =>
      cluster
        .all<Pod>(pods)
        .map(({ metadata }) => metadata.name ?? "")
        .filter((name) => conditionOf(cluster, name)?.reason === "Unschedulable")
        .sort();
    async function refuse(...names: string[]): Promise<FakeCluster> {
      const cluster = createFakeCluster();
      await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
      loop = createSchedulerLoop(contextOf(cluster), { reportPace });
      loop.start();
      for (const name of names) await cluster.client.create(pods, podOf(name, "2"));
      await loop.idle();
      return cluster;
    }
    const pass = async (cluster: FakeCluster, ms: number): Promise<void> => {
      cluster.clock.advance(ms);
      await loop?.idle();
    };

    it("tells the first ones at once and the others one after another, by condition and event", async () => {
      const cluster = await refuse("p1", "p2", "p3", "p4");
      expect([reported(cluster), loop?.nextDue()]).toEqual([["p1", "p2"], cluster.clock.now() + 100]);
      await pass(cluster, 100);
      expect([reported(cluster), eventsAbout(cluster, "p3").length, eventsAbout(cluster, "p4").length]).toEqual([["p1", "p2", "p3"], 1, 0]);
      await pass(cluster, 100);
      expect(reported(cluster)).toEqual(["p1", "p2", "p3", "p4"]);
    });

    it("passes over those that are gone or found a node meanwhile", async () => {
      const cluster = await refuse("p1", "p2", "p3", "p4", "p5");
      await cluster.client.delete(pods, "default", "p3", {});
      const uid = cluster.get<Pod>(pods, "default", "p4")?.metadata.uid ?? "";
      await cluster.client.bind([{ namespace: "default", name: "p4", uid, nodeName: "n1" }]);
      await pass(cluster, 100);
      expect(reported(cluster)).toEqual(["p1", "p2", "p5"]);
      expect([...eventsAbout(cluster, "p3"), ...eventsAbout(cluster, "p4")]).toEqual([]);
    });

    it("lets nobody wait who has room made for it", async () => {
      const cluster = await refuse("p1", "p2", "p3");
      const lesser = podOf("lesser", "1");
      await cluster.client.create(pods, { ...lesser, spec: { ...lesser.spec, priority: 1 } } as Pod);
      await loop?.idle();
      const greater = podOf("greater", "1");
      await cluster.client.create(pods, { ...greater, spec: { ...greater.spec, priority: 10 } } as Pod);
      await loop?.idle();
      expect(cluster.get<Pod>(pods, "default", "greater")?.status?.nominatedNodeName).toBe("n1");
      expect(reported(cluster)).toEqual(["greater", "p1", "p2"]);
    });
  });

  it("clears a nomination that nothing came of", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1", { cpu: "1" }));
    const pod = podOf("p", "2");
    await cluster.client.create(pods, { ...pod, status: { phase: "Pending", nominatedNodeName: "n1" } } as Pod);
    await run(cluster);
    expect(cluster.get<Pod>(pods, "default", "p")?.status?.nominatedNodeName).toBeUndefined();
  });

  it("spreads a burst over binds of bounded size", async () => {
    const cluster = createFakeCluster();
    for (const name of ["n1", "n2"]) await cluster.client.create(nodes, nodeOf(name, { cpu: "100", pods: "1000" }));
    for (let i = 0; i < 620; i++) await cluster.client.create(pods, podOf(`p${i}`));
    const sizes: number[] = [];
    const bind: typeof cluster.client.bind = (bindings) => {
      sizes.push(bindings.length);
      return cluster.client.bind(bindings);
    };
    loop = createSchedulerLoop({ ...contextOf(cluster), client: { ...cluster.client, bind } });
    loop.start();
    await loop.idle();
    expect(sizes).toEqual([500, 120]);
  });

  it("asks for the volume of a claim that waits for its first consumer before it binds the pod", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(nodes, nodeOf("n1"));
    const storageClass = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "local" } };
    await cluster.client.create(
      storageClasses,
      Object.assign(storageClass, { provisioner: "p", volumeBindingMode: "WaitForFirstConsumer" }),
    );
    const claim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "data", namespace: "default" } };
    await cluster.client.create(persistentVolumeClaims, Object.assign(claim, { spec: { storageClassName: "local" } }));
    await cluster.client.create(pods, podOf("p", "1", { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] }));
    await run(cluster);
    const annotations = cluster.get(persistentVolumeClaims, "default", "data")?.metadata.annotations;
    expect(annotations).toEqual({ "volume.kubernetes.io/selected-node": "n1" });
    expect(nodeNameOf(cluster, "p")).toBeUndefined();
  });
});
