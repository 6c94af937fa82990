import { describe, expect, it } from "vitest";
import { createWorkQueue } from "../../../shared/controllers/work-queue.ts";

describe("work queue", () => {
  it("holds a key once however often it is added", () => {
    const queue = createWorkQueue();
    queue.add("a");
    queue.add("b");
    queue.add("a");
    expect([queue.take(0), queue.take(0), queue.take(0)]).toEqual(["a", "b", undefined]);
  });

  it("gives a key out again only after it is done", () => {
    const queue = createWorkQueue();
    queue.add("a");
    expect(queue.take(0)).toBe("a");
    queue.add("a");
    expect(queue.take(0)).toBeUndefined();
    queue.done("a");
    expect(queue.take(0)).toBe("a");
  });

  it("keeps appointments in order of their time, the last one given for a key", () => {
    const queue = createWorkQueue();
    queue.addAt("late", 300);
    queue.addAt("soon", 100);
    queue.addAt("moved", 50);
    queue.addAt("moved", 200);
    expect(queue.nextDue()).toBe(100);
    expect(queue.take(99)).toBeUndefined();
    expect([queue.take(250), queue.take(250), queue.take(250)]).toEqual(["soon", "moved", undefined]);
    queue.cancel("late");
    expect(queue.nextDue()).toBeUndefined();
  });

  it("keeps its order through ten thousand moved appointments", () => {
    const queue = createWorkQueue();
    for (let i = 0; i < 10_000; i++) queue.addAt(`k${i % 100}`, (i * 7919) % 10_007);
    const taken: string[] = [];
    for (let now = 0; now <= 10_007; now += 100) for (let key = queue.take(now); key !== undefined; key = queue.take(now)) taken.push(key);
    expect(new Set(taken).size).toBe(100);
    expect(taken.length).toBe(100);
  });

  it("lets a key rest when it was told to, whatever is added meanwhile", () => {
    const queue = createWorkQueue();
    queue.add("a");
    queue.take(0);
    queue.add("a");
    queue.done("a", 40);
    queue.add("a");
    expect([queue.postponed, queue.hasDue(39), queue.nextDue()]).toEqual([1, false, 40]);
    expect(queue.take(40)).toBe("a");
    queue.done("a", 60);
    queue.addAt("a", 50);
    queue.add("a");
    expect(queue.take(50)).toBe("a");
    queue.done("a");
    queue.add("a");
    expect([queue.postponed, queue.take(50)]).toEqual([0, "a"]);
  });

  it("waits 5 ms after the first failure, twice as long after each further one, at most 1,000 s", () => {
    const queue = createWorkQueue();
    expect([queue.failed("a"), queue.failed("a"), queue.failed("a")]).toEqual([5, 10, 20]);
    for (let i = 0; i < 40; i++) queue.failed("a");
    expect(queue.failed("a")).toBe(1_000_000);
    queue.succeeded("a");
    expect(queue.failed("a")).toBe(5);
  });
});
