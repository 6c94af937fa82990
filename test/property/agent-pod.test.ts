import fc from "fast-check";
import { expect, test } from "vitest";
import { actionKey, decide } from "../../agent/pod/decide.ts";
import { newPodMemory } from "../../agent/pod/memory.ts";
import { observePod } from "../../agent/pod/observed.ts";
import { statusOf } from "../../agent/pod/status.ts";
import type { RuntimeContainer, RuntimePod } from "../../agent/runtime.ts";
import { podStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import { container, podOf } from "../unit/agent/pod/pod-fixture.ts";

/** A machine that does at once what is decided; `fate` says how each run of a container goes. */
function live(pod: ReturnType<typeof podOf>, fate: (name: string, attempt: number) => number | "runs", steps: number) {
  let nowMs = Date.UTC(2026, 0, 1);
  let memory = { ...newPodMemory(nowMs), volumes: { kind: "unmounted" as "unmounted" | "mounted", retryAtMs: 0 } };
  let sandboxes: RuntimePod[] = [];
  let previous: ReturnType<typeof statusOf> | undefined;
  const starts: { name: string; attempt: number; others: string[] }[] = [];
  const change = (id: string, state: RuntimeContainer["state"]): void => {
    sandboxes = sandboxes.map((entry) => ({
      ...entry,
      containers: entry.containers.map((each) => (each.id === id ? { ...each, state } : each)),
    }));
  };
  let gone = false;
  const step = (current: typeof pod): boolean => {
    const input = { pod: current, removed: false, previous, observed: observePod(sandboxes), memory, nowMs };
    const decision = decide(input);
    const status = statusOf(input, decision, { runtimeKind: "test", hostIps: [] });
    podStatusReport.parse(status);
    if (previous?.phase === "Succeeded" || previous?.phase === "Failed") expect(status.phase).toBe(previous.phase);
    previous = status;
    expect(new Set(decision.actions.map(actionKey)).size).toBe(decision.actions.length);
    for (const action of decision.actions) {
      if (action.kind === "mountVolumes") memory = { ...memory, volumes: { kind: "mounted", retryAtMs: 0 } };
      if (action.kind === "cleanUp") gone = true;
      if (action.kind === "runSandbox") {
        const sandbox = { id: `s${action.attempt}`, ready: true, ips: ["10.0.0.1"], createdAtMs: nowMs };
        sandboxes.push({ podUid: "u", namespace: "ns", name: "p", cluster: "c", attempt: action.attempt, sandbox, containers: [] });
      }
      if (action.kind === "stopSandbox") {
        sandboxes = sandboxes.map((entry) => ({ ...entry, sandbox: { ...entry.sandbox, ready: false } }));
      }
      if (action.kind === "stopContainer") {
        change(action.containerId, { kind: "exited", startedAtMs: nowMs, finishedAtMs: nowMs, exitCode: 143, signal: 15, reason: "Error" });
      }
      if (action.kind === "startContainer" || action.kind === "adoptContainer") {
        const { name } = action.container;
        const id = action.kind === "startContainer" ? `${name}-${action.attempt}` : action.containerId;
        if (action.kind === "startContainer") {
          const running = sandboxes.flatMap(({ containers }) => containers.filter(({ state }) => state.kind === "running"));
          starts.push({ name, attempt: action.attempt, others: running.map((each) => each.name) });
          const outcome = fate(name, action.attempt);
          const state: RuntimeContainer["state"] =
            outcome === "runs"
              ? { kind: "running", startedAtMs: nowMs }
              : { kind: "exited", startedAtMs: nowMs, finishedAtMs: nowMs, exitCode: outcome, signal: 0, reason: "Error" };
          const made = { id, name, attempt: action.attempt, image: "i", imageId: "i", state };
          sandboxes = sandboxes.map((entry) => (entry.sandbox.ready ? { ...entry, containers: [...entry.containers, made] } : entry));
        }
        const containers = new Map(memory.containers);
        containers.set(name, {
          failure: undefined,
          crash: undefined,
          image: undefined,
          startedId: id,
          probes: undefined,
          messages: new Map(),
        });
        memory = { ...memory, containers };
      }
    }
    nowMs += 1000;
    return decision.actions.length > 0;
  };
  for (let i = 0; i < steps; i++) step(pod);
  return { starts, step, gone: () => gone, status: () => previous, sandboxes: () => sandboxes };
}

const policies = fc.constantFrom("Always" as const, "OnFailure" as const, "Never" as const);
const pods = fc.record({
  restartPolicy: policies,
  inits: fc.array(fc.boolean(), { maxLength: 3 }),
  mains: fc.integer({ min: 1, max: 3 }),
  codes: fc.array(fc.constantFrom(0, 0, 1, "runs" as const), { minLength: 1, maxLength: 12 }),
});

const build = ({ restartPolicy, inits, mains }: { restartPolicy: "Always" | "OnFailure" | "Never"; inits: boolean[]; mains: number }) =>
  podOf({
    restartPolicy,
    initContainers: inits.map((sidecar, index) => container(`i${index}`, sidecar ? { restartPolicy: "Always" } : {})),
    containers: Array.from({ length: mains }, (_, index) => container(`m${index}`)),
  });

test("whatever containers do: order, policies and attempts hold, and a deletion always comes to its end", () => {
  fc.assert(
    fc.property(pods, (given) => {
      const pod = build(given);
      let turn = 0;
      const world = live(pod, () => given.codes[turn++ % given.codes.length] ?? 0, 25);
      const attempts = new Map<string, number>();
      for (const { name, attempt, others } of world.starts) {
        expect(attempt).toBe((attempts.get(name) ?? -1) + 1);
        attempts.set(name, attempt);
        expect(others).not.toContain(name);
        // A regular init container runs beside sidecars alone.
        const index = name.startsWith("i") ? Number(name.slice(1)) : -1;
        if (index >= 0 && given.inits[index] === false) expect(others.filter((other) => other.startsWith("m"))).toEqual([]);
      }
      if (given.restartPolicy === "Never") {
        for (const { name, attempt } of world.starts) {
          const sidecar = name.startsWith("i") && given.inits[Number(name.slice(1))] === true;
          if (!sidecar) expect(attempt).toBe(0);
        }
      }
      const deleted = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
      for (let i = 0; i < 20 && !world.gone(); i++) world.step(deleted);
      expect(world.gone()).toBe(true);
      const left = world.sandboxes().flatMap(({ containers }) => containers.filter(({ state }) => state.kind === "running"));
      expect(left).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
