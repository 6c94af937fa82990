import { describe, expect, it } from "vitest";
import { changedKeys, watchContainers } from "../../../../agent/containerd/container-events.ts";
import { type CriClient, CriError } from "../../../../agent/containerd/cri-client.ts";
import type { Clock } from "../../../../shared/clock.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";

/** A runtime with one container, whose state and availability the test sets, and a clock that it winds. */
function fakeRuntime() {
  const state = { container: "CONTAINER_RUNNING", available: true };
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    after: (_delay, run) => {
      timers.push(run);
      return () => timers.splice(timers.indexOf(run), 1);
    },
  };
  const container = () => ({
    id: "k",
    pod_sandbox_id: "s",
    metadata: { name: "main", attempt: 0 },
    image_ref: "",
    state: state.container,
    created_at: "0",
    labels: { "io.kubernetes.pod.uid": "u1" },
    annotations: {},
  });
  const cri: CriClient = {
    async call(_service, method, _request, schema) {
      if (!state.available) throw new CriError("Unavailable", "down");
      return schema.parse(method === "ListContainers" ? { containers: [container()] } : { items: [] });
    },
    stream(_method, _schema, _onMessage, onEnd) {
      onEnd(new CriError("Unimplemented", "old"));
      return () => {};
    },
    close() {},
  };
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  const second = async (): Promise<void> => {
    for (const run of timers.splice(0)) run();
    await settle();
  };
  return { state, clock, cri, settle, second };
}

describe("watchContainers on a runtime without events", () => {
  it("tells which pods changed between two looks, and nothing else", async () => {
    const { state, clock, cri, settle, second } = fakeRuntime();
    const changed: string[] = [];
    const end = watchContainers({ cri, instance: "n", clock, log: silentLog, onEvent: (uid) => changed.push(uid) });
    await settle();
    await second();
    expect(changed).toEqual([]);
    state.container = "CONTAINER_EXITED";
    await second();
    expect(changed).toEqual(["u1"]);
    end();
    state.container = "CONTAINER_RUNNING";
    await second();
    expect(changed).toEqual(["u1"]);
  });

  it("tells of every pod when the first look failed", async () => {
    const { state, clock, cri, settle, second } = fakeRuntime();
    const changed: string[] = [];
    state.available = false;
    const end = watchContainers({ cri, instance: "n", clock, log: silentLog, onEvent: (uid) => changed.push(uid) });
    await settle();
    state.available = true;
    await second();
    expect(changed).toEqual(["u1"]);
    end();
  });
});

describe("changedKeys", () => {
  it("finds what was added, removed and altered", () => {
    const before = new Map(Object.entries({ same: "1", altered: "1", removed: "1" }));
    const after = new Map(Object.entries({ same: "1", altered: "2", added: "1" }));
    expect(changedKeys(before, after).sort()).toEqual(["added", "altered", "removed"]);
  });
});
