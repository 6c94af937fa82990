import { expect, test } from "vitest";
import type { ProbeResults } from "../../../../agent/pod/memory.ts";
import { startProber } from "../../../../agent/probes/prober.ts";
import type { Container } from "../../../../shared/kubernetes/types.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

function bed(container: Partial<Container>, known?: { started: boolean; ready: boolean }) {
  const clock = createFakeClock();
  const seen: ProbeResults[] = [];
  const unhealthy: string[] = [];
  const exits: number[] = [];
  let runs = 0;
  const prober = startProber(
    { name: "main", ...container },
    {
      containerId: "c",
      startedAtMs: clock.now(),
      known,
      clock,
      random: () => 0,
      onResults: (results) => seen.push(results),
      onUnhealthy: (message) => unhealthy.push(message),
      target: {
        container: { name: "main" },
        podIp: "127.0.0.1",
        exec: async () => {
          runs++;
          return { exitCode: exits.shift() ?? 0, output: "no", timedOut: false };
        },
      },
    },
  );
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1000);
      await settled();
    }
  };
  return { prober, pass, seen, unhealthy, exits, runs: () => runs };
}

const exec = { command: ["x"] };

test("a container with a readiness probe is ready only once it has succeeded, and not before its delay", async () => {
  const { prober, pass } = bed({ readinessProbe: { exec, initialDelaySeconds: 3, periodSeconds: 1 } });
  await pass(2);
  expect(prober.results.ready).toBe(false);
  await pass(2);
  expect(prober.results.ready).toBe(true);
});

test("it takes as many failures in a row as the threshold says to be given up, each with an event", async () => {
  const { prober, pass, exits, unhealthy } = bed({
    livenessProbe: { exec, periodSeconds: 1, failureThreshold: 3, terminationGracePeriodSeconds: 5 },
  });
  exits.push(1, 1, 0, 1, 1, 1);
  await pass(5);
  expect(prober.results.failed).toBeUndefined();
  await pass(2);
  expect(prober.results.failed).toEqual({ probe: "liveness", graceSeconds: 5 });
  expect(unhealthy).toHaveLength(5);
  expect(unhealthy[0]).toBe("Liveness probe failed: no");
});

test("liveness and readiness wait for the startup probe", async () => {
  const { prober, pass, exits } = bed({
    startupProbe: { exec, periodSeconds: 2, failureThreshold: 10 },
    readinessProbe: { exec, periodSeconds: 1 },
  });
  exits.push(1, 1);
  await pass(3);
  expect(prober.results).toMatchObject({ started: false, ready: false });
  await pass(4);
  expect(prober.results).toMatchObject({ started: true, ready: true });
});

test("after a restart of the agent what the API shows still holds", () => {
  const { prober } = bed({ readinessProbe: { exec }, startupProbe: { exec } }, { started: true, ready: true });
  expect(prober.results).toMatchObject({ started: true, ready: true });
});

test("a stopped prober probes no more", async () => {
  const { prober, pass, runs } = bed({ readinessProbe: { exec, periodSeconds: 1 } });
  await pass(2);
  prober.stop();
  const before = runs();
  await pass(5);
  expect(runs()).toBe(before);
});
