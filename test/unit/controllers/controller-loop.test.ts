import { describe, expect, it } from "vitest";
import type { Controller, ReconcileOutcome } from "../../../shared/controllers/controller.ts";
import { createControllerLoop } from "../../../shared/controllers/controller-loop.ts";
import { configMaps } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { contextOf } from "./run-controllers.ts";

const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name } });

function recorder(reconcile: (key: string) => Promise<ReconcileOutcome> = async () => ({ kind: "done" })): Controller & { seen: string[] } {
  const seen: string[] = [];
  return {
    name: "recorder",
    seen,
    keysOf: (change) => [change.key.name],
    allKeys: (view) => view.list(configMaps).map(({ key }) => key.name),
    async reconcile(key) {
      seen.push(key);
      return reconcile(key);
    },
  };
}

describe("controller loop", () => {
  it("looks at everything when it starts and then at what changes", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(configMaps, configMap("before"));
    const controller = recorder();
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    loop.start();
    await loop.idle();
    await cluster.client.create(configMaps, configMap("after"));
    await loop.idle();
    expect(controller.seen).toEqual(["before", "after"]);
    await loop.stop();
    await cluster.client.create(configMaps, configMap("too-late"));
    expect(controller.seen).toEqual(["before", "after"]);
  });

  it("says while it is held whether a change concerns a controller, and works on it when it is held no more", async () => {
    const cluster = createFakeCluster();
    const controller = { ...recorder(), keysOf: ({ key }: { key: { name: string } }) => (key.name === "nobodys" ? [] : [key.name]) };
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    loop.start();
    await loop.idle();
    loop.hold(true);
    await cluster.client.create(configMaps, configMap("nobodys"));
    expect(loop.hasDue()).toBe(false);
    await cluster.client.create(configMaps, configMap("a"));
    expect(loop.hasDue()).toBe(true);
    await new Promise(setImmediate);
    expect(controller.seen).toEqual([]);
    loop.hold(false);
    await loop.idle();
    expect(controller.seen).toEqual(["a"]);
    expect(loop.hasDue()).toBe(false);
  });

  it("never reconciles a key twice at once, and again when it changed meanwhile", async () => {
    const cluster = createFakeCluster();
    const release: (() => void)[] = [];
    let [now, most] = [0, 0];
    const controller = recorder(async () => {
      most = Math.max(most, ++now);
      await new Promise<void>((resolve) => release.push(resolve));
      now--;
      return { kind: "done" };
    });
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    await cluster.client.create(configMaps, configMap("a"));
    loop.start();
    await new Promise(setImmediate);
    await cluster.client.delete(configMaps, "default", "a");
    await new Promise(setImmediate);
    expect(controller.seen).toEqual(["a"]);
    release.shift()?.();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(controller.seen).toEqual(["a", "a"]);
    release.shift()?.();
    await loop.idle();
    expect(most).toBe(1);
  });

  it("keeps to its concurrency", async () => {
    const cluster = createFakeCluster();
    let [now, most] = [0, 0];
    const controller = recorder(async () => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      return { kind: "done" };
    });
    for (let i = 0; i < 20; i++) await cluster.client.create(configMaps, configMap(`c${i}`));
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster), concurrency: 3 });
    loop.start();
    await loop.idle();
    expect(controller.seen).toHaveLength(20);
    expect(most).toBe(3);
  });

  it("comes back when a reconciliation asked for it, and says when", async () => {
    const cluster = createFakeCluster();
    const controller = recorder(async () => (controller.seen.length === 1 ? { kind: "again", afterMs: 5000 } : { kind: "done" }));
    await cluster.client.create(configMaps, configMap("a"));
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    loop.start();
    await loop.idle();
    expect(loop.nextDue()).toBe(cluster.clock.now() + 5000);
    expect(loop.atRest).toBe(false);
    cluster.clock.advance(4999);
    await loop.idle();
    expect(controller.seen).toHaveLength(1);
    cluster.clock.advance(1);
    await loop.idle();
    expect(controller.seen).toHaveLength(2);
    expect(loop.nextDue()).toBeUndefined();
    expect(loop.atRest).toBe(true);
  });

  it("retries a failure with back-off, a conflict at once, and goes on with other keys", async () => {
    const cluster = createFakeCluster();
    let conflicts = 0;
    const controller = recorder(async (key) => {
      if (key === "broken") throw new Error("no");
      if (key === "contended" && conflicts++ < 2) throw new StatusError("Conflict", "changed");
      return { kind: "done" };
    });
    for (const name of ["broken", "contended", "fine"]) await cluster.client.create(configMaps, configMap(name));
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    loop.start();
    await loop.idle();
    expect(controller.seen.toSorted()).toEqual(["broken", "contended", "contended", "contended", "fine"]);
    expect(loop.nextDue()).toBe(cluster.clock.now() + 5);
    cluster.clock.advance(5);
    await loop.idle();
    expect(loop.nextDue()).toBe(cluster.clock.now() + 10);
    expect(controller.seen.filter((key) => key === "broken")).toHaveLength(2);
  });

  it("does not let conflicts in a row wait long", async () => {
    const cluster = createFakeCluster();
    const controller = recorder(async () => {
      throw new StatusError("Conflict", "changed");
    });
    await cluster.client.create(configMaps, configMap("a"));
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    loop.start();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      await loop.idle();
      const waitMs = (loop.nextDue() ?? 0) - cluster.clock.now();
      waits.push(waitMs);
      cluster.clock.advance(waitMs);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 160, 160]);
  });

  it("looks seldom at a key that takes long and changes often, and counts it as due meanwhile", async () => {
    const cluster = createFakeCluster();
    const controller = recorder(async () => {
      cluster.clock.advance(10);
      return { kind: "done" };
    });
    const loop = createControllerLoop({ controllers: [controller], context: contextOf(cluster) });
    await cluster.client.create(configMaps, configMap("a"));
    loop.start();
    await loop.idle();
    await cluster.client.delete(configMaps, "default", "a");
    let isIdle = false;
    const idle = loop.idle().then(() => {
      isIdle = true;
    });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect([controller.seen.length, isIdle]).toEqual([1, false]);
    cluster.clock.advance(40);
    await idle;
    expect(controller.seen).toHaveLength(2);
  });
});
