import { describe, expect, it } from "vitest";
import { createEventRecorder, type EventRecorder } from "../../../shared/controllers/event-recorder.ts";
import { events } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { Event, Pod } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster, type FakeCluster } from "./fake-cluster.ts";

const pod = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion: "7" },
  spec: { containers: [] },
});

function setUp(): { cluster: FakeCluster; recorder: EventRecorder; written: () => Event[] } {
  const cluster = createFakeCluster();
  const recorder = createEventRecorder({ client: cluster.client, clock: cluster.clock, component: "default-scheduler" });
  return { cluster, recorder, written: () => cluster.all<Event>(events) };
}

describe("the event recorder", () => {
  it("writes an event about the object in the object's namespace", async () => {
    const { recorder, written } = setUp();
    recorder.event(pod("web"), "Normal", "Scheduled", "Successfully assigned default/web to n1");
    await recorder.flush();
    expect(written()).toHaveLength(1);
    expect(written()[0]).toMatchObject({
      metadata: { namespace: "default", name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
      involvedObject: { apiVersion: "v1", kind: "Pod", name: "web", namespace: "default", uid: "uid-web", resourceVersion: "7" },
      type: "Normal",
      reason: "Scheduled",
      count: 1,
      firstTimestamp: "2026-01-01T00:00:00Z",
      source: { component: "default-scheduler" },
      reportingComponent: "default-scheduler",
    });
  });

  it("writes events about cluster-scoped objects in the namespace default", async () => {
    const { recorder, written } = setUp();
    recorder.event({ apiVersion: "v1", kind: "Node", metadata: { name: "n1" } }, "Normal", "NodeReady", "Node n1 status is now: NodeReady");
    await recorder.flush();
    expect(written().map(({ metadata, involvedObject }) => [metadata.namespace, involvedObject.namespace])).toEqual([
      ["default", undefined],
    ]);
  });

  it("counts the same event up on the same object", async () => {
    const { cluster, recorder, written } = setUp();
    for (let i = 0; i < 3; i++) {
      recorder.event(pod("web"), "Warning", "FailedScheduling", "no");
      cluster.clock.advance(1000);
      await recorder.flush();
    }
    expect(written()).toMatchObject([{ count: 3, firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:00:02Z" }]);
  });

  it("writes once what was told many times while a write was under way", async () => {
    const { cluster, recorder, written } = setUp();
    for (let i = 0; i < 20; i++) recorder.event(pod("web"), "Warning", "FailedScheduling", "no");
    await recorder.flush();
    expect(written()).toMatchObject([{ count: 20 }]);
    expect(cluster.writes.length).toBeLessThanOrEqual(2);
  });

  it("combines the tenth different message of one reason with those that follow", async () => {
    const { recorder, written } = setUp();
    for (let i = 0; i < 12; i++) recorder.event(pod("web"), "Warning", "Failed", `message ${i}`);
    await recorder.flush();
    expect(written()).toHaveLength(10);
    const combined = written().filter(({ message }) => message?.startsWith("(combined from similar events): "));
    expect(combined).toMatchObject([{ count: 3, message: "(combined from similar events): message 11" }]);
  });

  it("stops writing after 25 events about one object, and allows one more every five minutes", async () => {
    const { cluster, recorder, written } = setUp();
    for (let i = 0; i < 30; i++) {
      recorder.event(pod("web"), "Normal", `Reason${i}`, "x");
      recorder.event(pod("other"), "Normal", "Same", "x");
    }
    await recorder.flush();
    expect(written().filter(({ involvedObject }) => involvedObject.name === "web")).toHaveLength(25);
    cluster.clock.advance(300_000);
    for (let i = 0; i < 2; i++) recorder.event(pod("web"), "Normal", `Later${i}`, "x");
    await recorder.flush();
    expect(written().filter(({ involvedObject }) => involvedObject.name === "web")).toHaveLength(26);
  });

  it("makes the event anew when it has expired", async () => {
    const { cluster, recorder, written } = setUp();
    recorder.event(pod("web"), "Warning", "FailedScheduling", "no");
    await recorder.flush();
    const [first] = written();
    await cluster.client.delete(events, "default", first?.metadata.name ?? "");
    recorder.event(pod("web"), "Warning", "FailedScheduling", "no");
    await recorder.flush();
    expect(written()).toMatchObject([{ count: 2 }]);
  });

  it("tries again after ten seconds when the API is out of order, and not when it refuses", async () => {
    const { cluster, recorder, written } = setUp();
    cluster.intercept(() => new StatusError("ServiceUnavailable", "not now"));
    recorder.event(pod("web"), "Normal", "Pulled", "x");
    await recorder.flush();
    cluster.intercept(() => new StatusError("Forbidden", "never"));
    recorder.event(pod("other"), "Normal", "Pulled", "x");
    await recorder.flush();
    cluster.intercept(undefined);
    cluster.clock.advance(10_000);
    await recorder.flush();
    expect(written().map(({ involvedObject }) => involvedObject.name)).toEqual(["web"]);
  });

  it("drops what does not fit into its queue", async () => {
    const { cluster } = setUp();
    const recorder = createEventRecorder({ client: cluster.client, clock: cluster.clock, component: "c", queueLength: 5, concurrency: 1 });
    for (let i = 0; i < 20; i++) recorder.event(pod(`p${i}`), "Normal", "Pulled", "x");
    await recorder.flush();
    expect(cluster.all<Event>(events)).toHaveLength(6);
  });
});
