import { type Action, decide, type PodInput } from "../../../../agent/pod/decide.ts";
import { newPodMemory, type PodMemory } from "../../../../agent/pod/memory.ts";
import { observePod } from "../../../../agent/pod/observed.ts";
import { statusOf } from "../../../../agent/pod/status.ts";
import type { RuntimeContainer, RuntimePod } from "../../../../agent/runtime.ts";
import type { PodStatusReport } from "../../../../shared/api/agent/pod-status-report.ts";
import type { Container, Pod, PodSpec } from "../../../../shared/kubernetes/types.ts";

export const nowMs = Date.UTC(2026, 0, 1, 12);

export const container = (name: string, change: Partial<Container> = {}): Container => ({ name, image: "image", ...change });

export function podOf(spec: Partial<PodSpec> = {}, metadata: Pod["metadata"] = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "ns", uid: "u", ...metadata },
    spec: { restartPolicy: "Always", containers: [container("main")], ...spec },
  };
}

type Run = { name: string; attempt?: number } & ({ running: true } | { exitCode: number; endedSecondsAgo?: number });

export function runtimeContainer(run: Run): RuntimeContainer {
  const { name, attempt = 0 } = run;
  const state: RuntimeContainer["state"] =
    "running" in run
      ? { kind: "running", startedAtMs: nowMs - 60_000 }
      : {
          kind: "exited",
          startedAtMs: nowMs - 60_000,
          finishedAtMs: nowMs - (run.endedSecondsAgo ?? 1) * 1000,
          exitCode: run.exitCode,
          signal: 0,
          reason: run.exitCode === 0 ? "Completed" : "Error",
        };
  return { id: `${name}-${attempt}`, name, attempt, image: "image", imageId: "sha", state };
}

export function sandboxOf(runs: readonly Run[], { attempt = 0, ready = true } = {}): RuntimePod {
  return {
    podUid: "u",
    namespace: "ns",
    name: "p",
    cluster: "c",
    attempt,
    sandbox: { id: `s${attempt}`, ready, ips: ready ? ["10.0.0.9"] : [], createdAtMs: nowMs - 60_000 },
    containers: runs.map(runtimeContainer),
  };
}

/** Volumes are mounted and every running container's start is complete. */
export function settledMemory(sandboxes: readonly RuntimePod[], change: Partial<PodMemory> = {}): PodMemory {
  const running = sandboxes.flatMap(({ containers }) => containers.filter(({ state }) => state.kind === "running"));
  const containers = new Map(
    running.map((entry) => [
      entry.name,
      { failure: undefined, crash: undefined, image: undefined, startedId: entry.id, probes: undefined, messages: new Map() },
    ]),
  );
  return { ...newPodMemory(nowMs - 60_000), volumes: { kind: "mounted" }, containers, ...change };
}

export interface Situation {
  readonly pod?: Pod;
  readonly sandboxes?: readonly RuntimePod[];
  readonly memory?: Partial<PodMemory>;
  readonly previous?: PodStatusReport;
  readonly removed?: boolean;
}

export function inputOf({ pod = podOf(), sandboxes = [], memory = {}, previous, removed = false }: Situation): PodInput {
  return { pod, removed, previous, observed: observePod(sandboxes), memory: settledMemory(sandboxes, memory), nowMs };
}

/** An action in one word: `start:main#1`, `stop:main`, `runSandbox#0`, … */
export function brief(action: Action): string {
  switch (action.kind) {
    case "startContainer":
      return `start:${action.container.name}#${action.attempt}`;
    case "stopContainer":
      return `stop:${action.name}`;
    case "adoptContainer":
      return `adopt:${action.container.name}`;
    case "runSandbox":
      return `runSandbox#${action.attempt}`;
    default:
      return action.kind;
  }
}

export const actionsOf = (situation: Situation): string[] => decide(inputOf(situation)).actions.map(brief);

export function reportFor(situation: Situation): PodStatusReport {
  const input = inputOf(situation);
  return statusOf(input, decide(input), { runtimeKind: "containerd", hostIps: ["192.0.2.1"] });
}
