import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLocalClient } from "../../../../shared/api/local-client.ts";
import type { ObjectClient } from "../../../../shared/api/object-client.ts";
import { createSchedulerLoop, type SchedulerLoop } from "../../../../shared/controllers/scheduling/scheduler-loop.ts";
import { events, nodes, pods, priorityClasses } from "../../../../shared/kubernetes/known-resources.ts";
import type { Event, Pod, PriorityClass } from "../../../../shared/kubernetes/types.ts";
import { createHarness, type Harness } from "../../api/harness.ts";
import { nodeOf, podOf } from "./cluster-objects.ts";

/** The scheduler over the real API, mirror and store: what the fake cluster leaves out. */
describe("the scheduler over the API", () => {
  let harness: Harness;
  let client: ObjectClient;
  let loop: SchedulerLoop;

  beforeEach(async () => {
    harness = await createHarness();
    const { mirror, clock, log, random } = harness.cluster;
    client = createLocalClient(harness.served.registry);
    loop = createSchedulerLoop({ view: mirror, client, clock, log, random });
    loop.start();
  });
  afterEach(async () => {
    await loop.stop();
    await harness.close();
  });

  const addNode = async (name: string, cpu: string): Promise<void> => {
    const node = nodeOf(name, { cpu });
    await client.create(nodes, node);
    await client.patch(nodes, "", name, { type: "merge", body: { status: node.status } }, { subresource: "status" });
    await client.patch(nodes, "", name, { type: "merge", body: { spec: { taints: null } } });
  };
  const podNamed = (name: string): Pod => harness.cluster.mirror.get(pods, "default", name)?.object as Pod;
  const eventsAbout = (name: string): Event[] =>
    harness.cluster.mirror
      .list(events, "default")
      .map(({ object }) => object as Event)
      .filter(({ involvedObject }) => involvedObject.name === name);

  it("binds pods with the condition and the event that say so", async () => {
    await addNode("n1", "4");
    await client.create(pods, podOf("p"));
    await loop.idle();
    expect(podNamed("p").spec?.nodeName).toBe("n1");
    expect(podNamed("p").status?.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
    expect(eventsAbout("p")).toMatchObject([{ reason: "Scheduled", source: { component: "default-scheduler" }, count: 1 }]);
  });

  it("adds its condition to those that are there, and makes room for a more important pod", async () => {
    await addNode("n1", "1");
    await client.create(pods, podOf("low", "1"));
    await loop.idle();
    const started = { conditions: [{ type: "Ready", status: "True" }] };
    await client.patch(pods, "default", "low", { type: "strategic", body: { status: started } }, { subresource: "status" });
    const important: PriorityClass = {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: "important" },
      value: 1000,
    };
    await client.create(priorityClasses, important);
    await client.create(pods, podOf("high", "1", { priorityClassName: "important" }));
    await loop.idle();
    expect(podNamed("high").status).toMatchObject({
      nominatedNodeName: "n1",
      conditions: [
        { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available: 1 Insufficient cpu." },
      ],
    });
    const victim = podNamed("low");
    expect(victim.metadata.deletionTimestamp).toBeDefined();
    const conditions = victim.status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort();
    expect(conditions).toEqual(["DisruptionTarget=True", "PodScheduled=True", "Ready=True"]);
    await client.delete(pods, "default", "low", { gracePeriodSeconds: 0 });
    await expect.poll(() => podNamed("high").spec?.nodeName, { timeout: 5000 }).toBe("n1");
    expect(eventsAbout("high").map(({ reason }) => reason)).toContain("FailedScheduling");
  });

  it("clears a nomination through the status patch", async () => {
    await addNode("n1", "1");
    await client.create(pods, podOf("p", "2"));
    await loop.idle();
    await client.patch(pods, "default", "p", { type: "merge", body: { status: { nominatedNodeName: "n1" } } }, { subresource: "status" });
    await addNode("n2", "1");
    await expect.poll(() => podNamed("p").status?.nominatedNodeName, { timeout: 5000 }).toBeUndefined();
    expect(podNamed("p").status?.conditions?.[0]?.message).toContain("0/2 nodes are available: 2 Insufficient cpu.");
  });
});
