import { describe, expect, it } from "vitest";
import { createSchedulingQueue, type SchedulingQueue } from "../../../../shared/controllers/scheduling/scheduling-queue.ts";
import type { FilterPlugin } from "../../../../shared/scheduler/failure.ts";
import { type PendingPod, readPendingPod } from "../../../../shared/scheduler/pod-info.ts";
import { podOf } from "./cluster-objects.ts";

const pending = (name: string, priority = 0, cpu = "1"): PendingPod => {
  const pod = podOf(name, cpu, { priority });
  pod.metadata.uid = name;
  return readPendingPod(pod);
};
const namesOf = (pods: readonly PendingPod[]): string[] => pods.map(({ name }) => name);
const resources: ReadonlySet<FilterPlugin> = new Set(["NodeResourcesFit"]);

function failed(times: number): SchedulingQueue {
  const queue = createSchedulingQueue();
  queue.put(pending("p"), 0);
  for (let time = 0; time < times; time++) {
    queue.take(1, 0);
    queue.retry("p", 0);
    if (time < times - 1) queue.take(0, 100_000);
  }
  return queue;
}

describe("the scheduling queue", () => {
  it("gives out pods by priority, then by how long they wait", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("second"), 1);
    queue.put(pending("third"), 2);
    queue.put(pending("first", 5), 3);
    expect(namesOf(queue.take(2, 4))).toEqual(["first", "second"]);
    expect(namesOf(queue.take(2, 4))).toEqual(["third"]);
    expect(queue.readyCount).toBe(0);
  });

  it("gives out a pod that is left alone for a while when its time has come, whatever changes meanwhile, in the order in which they came", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("a"), 0, 50);
    queue.put(pending("b"), 10, 60);
    queue.put(pending("a", 0, "2"), 20, 70);
    queue.hint("any", 30);
    expect([namesOf(queue.take(9, 49)), queue.readyCount, queue.nextDue()]).toEqual([[], 0, 50]);
    expect(namesOf(queue.take(9, 60))).toEqual(["a", "b"]);
  });

  it("does not give out a pod that was removed, or is out already", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("gone"), 0);
    queue.put(pending("p"), 0);
    queue.remove("gone");
    expect(queue.readyCount).toBe(1);
    expect(namesOf(queue.take(5, 0))).toEqual(["p"]);
    queue.put(pending("p"), 1);
    expect(queue.take(5, 1)).toEqual([]);
  });

  it("backs off for 1 s after the first failure, doubling up to 10 s", () => {
    expect([1, 2, 3, 4, 5, 9].map((times) => failed(times).nextDue())).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  it("gives a pod that was not looked at back without a wait", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    queue.take(1, 0);
    queue.untake("p");
    expect(namesOf(queue.take(1, 0))).toEqual(["p"]);
    queue.retry("p", 0);
    expect(queue.nextDue()).toBe(1000);
  });

  it("keeps an unschedulable pod until something may help it, or five minutes have passed", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    queue.take(1, 0);
    queue.fail("p", resources, 0);
    queue.hint(new Set<FilterPlugin>(["NodeAffinity"]), 2000);
    expect(queue.take(1, 299_999)).toEqual([]);
    expect(namesOf(queue.take(1, 300_000))).toEqual(["p"]);
    queue.fail("p", resources, 300_000);
    queue.hint(resources, 310_000);
    expect(namesOf(queue.take(1, 310_000))).toEqual(["p"]);
  });

  it("lets a hint take effect only after the back-off", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    queue.take(1, 0);
    queue.fail("p", resources, 0);
    queue.hint("any", 10);
    expect(queue.take(1, 999)).toEqual([]);
    expect(queue.nextDue()).toBe(1000);
    expect(namesOf(queue.take(1, 1000))).toEqual(["p"]);
  });

  it("takes any hint for a pod that no filter refused", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    queue.take(1, 0);
    queue.fail("p", new Set(), 0);
    queue.hint(resources, 5000);
    expect(namesOf(queue.take(1, 5000))).toEqual(["p"]);
  });

  it("tries an unschedulable pod again when the pod itself changed, also while it was out", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    queue.take(1, 0);
    queue.fail("p", resources, 0);
    queue.put(pending("p"), 5000);
    expect(queue.take(1, 5000)).toEqual([]);
    queue.put(pending("p", 0, "500m"), 5000);
    expect(namesOf(queue.take(1, 5000))).toEqual(["p"]);
    queue.put(pending("p", 0, "100m"), 5000);
    queue.fail("p", resources, 5000);
    expect(namesOf(queue.take(1, 7000))).toEqual(["p"]);
  });

  it("repeats an attempt at once that the pod's own change spoilt, but not for ever", () => {
    const queue = createSchedulingQueue();
    queue.put(pending("p"), 0);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(namesOf(queue.take(1, 0))).toEqual(["p"]);
      queue.retryChanged("p", 0);
    }
    queue.take(1, 0);
    queue.retryChanged("p", 0);
    expect(queue.take(1, 0)).toEqual([]);
    expect(queue.nextDue()).toBe(8000);
  });
});
