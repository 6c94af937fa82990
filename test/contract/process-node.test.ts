import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDiskPodFiles } from "../../agent/pod-files.ts";
import { createProcessRuntime } from "../../agent/process/process-runtime.ts";
import { noTmpfs } from "../../agent/volumes/tmpfs.ts";
import { systemClock } from "../../shared/clock.ts";
import { configMaps, events } from "../../shared/kubernetes/known-resources.ts";
import type { ConfigMap, Container, Event, Volume } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { createAgentBed } from "../unit/agent/agent-bed.ts";

// The whole agent over real processes, real time and real files; only the server's objects are in memory.

let directory: string;
let bed: Awaited<ReturnType<typeof createAgentBed>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "node-"));
  const clock = { ...systemClock, advance() {} };
  const runtime = await createProcessRuntime({
    directory: join(directory, "process"),
    hostAddresses: ["127.0.0.1"],
    clock,
    log: silentLog,
  });
  const files = createDiskPodFiles({ stateDirectory: directory, tmpfs: noTmpfs, mayChown: false, sharesHostNetwork: true });
  bed = await createAgentBed({ runtime, files, clock });
});
afterAll(async () => {
  for (const { sandbox } of await bed.runtime.list()) await bed.runtime.removeSandbox(sandbox.id);
  await bed.stop();
  await bed.runtime.close();
  await rm(directory, { recursive: true, force: true });
});

const eventually = (read: () => unknown) => expect.poll(read, { timeout: 15_000, interval: 50 });
const shell = (script: string, change: Partial<Container> = {}): Container[] => [
  { name: "main", image: "none", command: ["/bin/sh", "-c", script], ...change },
];
/** The test's own directory, where it is on the machine. */
const volumes = (): Volume[] => [{ name: "d", hostPath: { path: directory, type: "Directory" } }];
const volumeMounts = () => [{ name: "d", mountPath: directory }];
const main = (name: string) => bed.pod(name)?.status?.containerStatuses?.[0];
const log = async (pod: string, previous = false): Promise<string> => {
  const podUid = bed.pod(pod)?.metadata.uid ?? "";
  const target = { cluster: "c1", namespace: "default", pod, podUid, container: "main" };
  return new Response(await bed.streams.open({ pool: "p1", nodeName: "n1" }, { kind: "log", ...target, options: { previous } })).text();
};

test("a failing container is restarted, held back, and its exit, message and earlier output can be had", async () => {
  await bed.addPod("crash", {
    containers: shell('echo "run"; echo why > "$(printenv CORACLE_MOUNT_DEV_TERMINATION_LOG || echo /dev/termination-log)"; exit 3'),
  });
  await eventually(() => main("crash")?.state?.waiting?.reason).toBe("CrashLoopBackOff");
  expect(main("crash")).toMatchObject({ ready: false, lastState: { terminated: { exitCode: 3, reason: "Error", message: "why\n" } } });
  expect(main("crash")?.restartCount).toBeGreaterThan(0);
  expect(await log("crash", true)).toBe("run\n");
  await eventually(() => bed.reasons()).toContain("BackOff");
});

test("a container whose liveness probe fails is stopped and started again", async () => {
  const livenessProbe = { exec: { command: ["/bin/sh", "-c", "exit 1"] }, periodSeconds: 1, failureThreshold: 1 };
  const options = { livenessProbe: { ...livenessProbe, initialDelaySeconds: 1 } };
  await bed.addPod("sick", { terminationGracePeriodSeconds: 1, containers: shell("sleep 60", options) });
  await eventually(() => main("sick")?.restartCount).toBeGreaterThan(0);
  expect(bed.reasons()).toEqual(expect.arrayContaining(["Unhealthy", "Killing"]));
  await bed.deletePod("sick", 0);
});

test("hooks run around a container's life and are waited for", async () => {
  const touch = (name: string) => ({ exec: { command: ["/bin/sh", "-c", `echo ${name} >> ${directory}/hooks`] } });
  const lifecycle = { postStart: touch("post"), preStop: touch("pre") };
  const script = `trap 'echo term >> ${directory}/hooks; exit 0' TERM; while :; do sleep 0.1; done`;
  await bed.addPod("hooked", { volumes: volumes(), containers: shell(script, { lifecycle, volumeMounts: volumeMounts() }) });
  await eventually(() => main("hooked")?.ready).toBe(true);
  await bed.deletePod("hooked", 10);
  await eventually(() => bed.pod("hooked")).toBeUndefined();
  expect(await readFile(join(directory, "hooks"), "utf8")).toBe("post\npre\nterm\n");
});

test("a container whose postStart hook fails is ended as any other, and its status alone says what the hook said", async () => {
  const sh = (script: string) => ({ exec: { command: ["/bin/sh", "-c", script] } });
  const lifecycle = { postStart: sh("echo secret; exit 7"), preStop: sh(`echo pre >> ${directory}/unstarted`) };
  const containers = shell("sleep 60", { lifecycle, volumeMounts: volumeMounts() });
  await bed.addPod("unstarted", { terminationGracePeriodSeconds: 5, volumes: volumes(), containers });
  await eventually(() => main("unstarted")?.state?.waiting?.reason).toBe("PostStartHookError");
  const message = bed.pod("unstarted")?.status?.containerStatuses?.[0]?.state?.waiting?.message;
  expect(message).toMatch(/^Exec lifecycle hook \(\[\/bin\/sh -c .*failed - error: command '.*' exited with 7: secret/);
  const told = bed.cluster.all<Event>(events).filter(({ reason }) => reason === "FailedPostStartHook");
  expect(told.map((event) => event.message)).toEqual(["PostStartHook failed"]);
  expect(await readFile(join(directory, "unstarted"), "utf8")).toBe("pre\n");
  await bed.deletePod("unstarted", 1);
  await eventually(() => bed.pod("unstarted")).toBeUndefined();
});

test("a pod waits for what it names, and what it mounts follows the cluster", async () => {
  const read = 'cat "$(printenv CORACLE_MOUNT_ETC_CORACLE_TEST || echo /etc/coracle-test)/key"';
  const volumeMounts = [{ name: "c", mountPath: "/etc/coracle-test" }];
  const env = [{ name: "KEY", valueFrom: { configMapKeyRef: { name: "late", key: "key" } } }];
  const containers = shell(`echo "env $KEY"; while :; do ${read}; echo; sleep 0.1; done`, { volumeMounts, env });
  await bed.addPod("waits", { volumes: [{ name: "c", configMap: { name: "late", optional: true } }], containers });
  await eventually(() => main("waits")?.state?.waiting?.reason).toBe("CreateContainerConfigError");
  const late: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late", namespace: "default" }, data: { key: "first" } };
  await bed.cluster.client.create(configMaps, late);
  await eventually(() => main("waits")?.ready).toBe(true);
  await eventually(() => log("waits")).toContain("env first\nfirst\n");
  await bed.cluster.client.patch(configMaps, "default", "late", { type: "merge", body: { data: { key: "second" } } });
  await eventually(() => log("waits")).toContain("second\n");
  await bed.deletePod("waits", 1);
  await eventually(() => bed.pod("waits")).toBeUndefined();
});
