import type { Clock } from "../../shared/clock.ts";
import type { Container, Probe } from "../../shared/kubernetes/types.ts";
import type { ProbeResults } from "../pod/memory.ts";
import { type CheckTarget, check } from "./check.ts";

export interface ProberOptions {
  readonly containerId: string;
  readonly startedAtMs: number;
  readonly target: CheckTarget;
  /** What the API shows of this very container after a restart of the agent: it starts from there instead of from not ready. */
  readonly known: { readonly started: boolean; readonly ready: boolean } | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onResults: (results: ProbeResults) => void;
  /** For `Unhealthy` events. */
  readonly onUnhealthy: (message: string) => void;
}

export interface Prober {
  readonly results: ProbeResults;
  /** The pod is ending: liveness and startup no longer matter (kubelet `StopLivenessAndStartup`). */
  stopLiveness(): void;
  stop(): void;
}

type Kind = "liveness" | "readiness" | "startup";
const titles: Record<Kind, string> = { liveness: "Liveness", readiness: "Readiness", startup: "Startup" };

/**
 * Runs the probes of one running container, as kubelet's prober workers do: `initialDelaySeconds` counts from the container's start,
 * liveness and readiness wait for the startup probe, a result counts after `successThreshold` or `failureThreshold` like ones in a row.
 */
export function startProber(container: Container, options: ProberOptions): Prober {
  const { clock, containerId, known } = options;
  const probes: Record<Kind, Probe | undefined> = {
    liveness: container.livenessProbe,
    readiness: container.readinessProbe,
    startup: container.startupProbe,
  };
  let results: ProbeResults = {
    containerId,
    started: probes.startup === undefined || known?.started === true,
    ready: probes.readiness === undefined || known?.ready === true,
    failed: undefined,
  };
  const cancels = new Map<Kind, () => void>();
  const stopped = new Set<Kind>();

  const publish = (change: Partial<ProbeResults>): void => {
    const next = { ...results, ...change };
    const same = next.started === results.started && next.ready === results.ready && next.failed === results.failed;
    results = next;
    if (!same) options.onResults(results);
  };

  const apply = (kind: Kind, probe: Probe, success: boolean): void => {
    if (kind === "readiness") publish({ ready: success });
    else if (kind === "startup" && success) publish({ started: true });
    else if (!success) {
      publish({ failed: { probe: kind, graceSeconds: probe.terminationGracePeriodSeconds } });
      stopped.add("liveness").add("startup");
    }
  };

  const begin = (kind: Kind, probe: Probe): void => {
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    let run = 0;
    let last: boolean | undefined;
    const schedule = (delayMs: number): void => {
      cancels.set(
        kind,
        clock.after(delayMs, () => void round()),
      );
    };
    const round = async (): Promise<void> => {
      if (stopped.has(kind)) return;
      if (kind !== "startup" && !results.started) return schedule(Math.min(periodMs, 1000));
      const result = await check(probe, options.target, probe.timeoutSeconds ?? 1);
      if (stopped.has(kind)) return;
      if (result.kind !== "success") {
        options.onUnhealthy(`${titles[kind]} probe ${result.kind === "error" ? "errored" : "failed"}: ${result.output}`);
      }
      // An error says nothing about the container: it counts neither way.
      if (result.kind !== "error") {
        const success = result.kind === "success";
        run = last === success ? run + 1 : 1;
        last = success;
        const threshold = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
        if (run >= threshold) apply(kind, probe, success);
      }
      if (stopped.has(kind) || (kind === "startup" && results.started)) return;
      schedule(periodMs);
    };
    const dueMs = options.startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now();
    // After a restart of the agent probes of many pods must not all fire at once.
    schedule(Math.max(dueMs, known === undefined ? 0 : options.random() * periodMs));
  };

  for (const kind of ["startup", "liveness", "readiness"] as const) {
    const probe = probes[kind];
    if (probe !== undefined && !(kind === "startup" && results.started)) begin(kind, probe);
  }
  const end = (kinds: readonly Kind[]): void => {
    for (const kind of kinds) {
      stopped.add(kind);
      cancels.get(kind)?.();
    }
  };
  return {
    get results() {
      return results;
    },
    stopLiveness: () => end(["liveness", "startup"]),
    stop: () => end(["liveness", "startup", "readiness"]),
  };
}
