import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readCniDirectories } from "../../agent/containerd/cni-directories.ts";
import { createContainerdRuntime } from "../../agent/containerd/containerd-runtime.ts";
import { detectContainerd } from "../../agent/containerd/detect.ts";
import { bridgeNameOf } from "../../agent/network/addressing.ts";
import { ensureCniNetwork } from "../../agent/network/cni.ts";
import { removeLink } from "../../agent/network/machine.ts";
import { runCommand } from "../../agent/network/run-command.ts";
import type { ContainerRuntime, RuntimeContainer, RuntimePod } from "../../agent/runtime.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { plainSecurity } from "../contract/runtime-specs.ts";
import { type ContainerdFixture, realContainerd, startContainerd, testImage } from "./containerd-fixture.ts";
import { eventually, sandboxSpec, shell, shellContainer } from "./containerd-pods.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith } from "./needs.ts";

const nodeName = `e2e-run-${process.pid}`;

describeWith([realContainerd], "the containerd runtime", () => {
  let fixture: ContainerdFixture;
  let runtime: ContainerRuntime;
  let imageId = "";

  const open = (node: string): ContainerRuntime =>
    createContainerdRuntime({
      endpoint: fixture.endpoint,
      instance: node,
      hostAddresses: ["192.0.2.9"],
      clock: systemClock,
      log: silentLog,
    });
  const podOf = async (uid: string): Promise<RuntimePod | undefined> => (await runtime.list()).find(({ podUid }) => podUid === uid);
  const containerOf = async (uid: string): Promise<RuntimeContainer | undefined> => (await podOf(uid))?.containers[0];
  const exited = async (uid: string) => {
    await eventually(async () => (await containerOf(uid))?.state.kind === "exited", 15_000);
    return (await containerOf(uid))?.state;
  };

  beforeAll(async () => {
    fixture = await startContainerd();
    await ensureCniNetwork(fixture.cniConfDir, {
      instance: nodeName,
      podCidr: `10.65.${process.pid % 256}.0/24`,
      taken: [],
      portmap: false,
      firewall: false,
      dataDir: fixture.cniDataDir,
    });
    runtime = open(nodeName);
    ({ imageId } = await runtime.ensureImage(testImage, "IfNotPresent"));
  });
  afterAll(async () => {
    await runtime?.close();
    await fixture?.stop();
    await removeLink(bridgeNameOf(nodeName), runCommand);
  });

  it("is found where it listens", async () => {
    expect(await detectContainerd(fixture.endpoint)).toMatchObject({ kind: "usable", version: await runtime.version() });
    expect(await runtime.version()).toMatch(/^containerd:\/\/\d/);
  });

  it("says where it reads its network configuration", async () => {
    expect(await readCniDirectories(fixture.endpoint)).toMatchObject({ confDir: fixture.cniConfDir });
    expect(await readCniDirectories(`${fixture.directory}/none.sock`)).toBeUndefined();
  });

  it("makes a sandbox once for a pod and attempt", async () => {
    const spec = sandboxSpec(fixture, "c1", "once");
    const [first, second] = [await runtime.runSandbox(spec), await runtime.runSandbox(spec)];
    expect(second.id).toBe(first.id);
    expect(first.ready).toBe(true);
    expect(first.ips[0]).toMatch(/^10\.65\./);
    await runtime.removeSandbox(first.id);
    await runtime.removeSandbox(first.id);
    expect(await podOf("c1-once")).toBeUndefined();
  });

  it("lists its own pods alone, with what the kubelet's labels say", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "mine"));
    const other = open("another-node");
    expect(await other.list()).toEqual([]);
    await other.close();
    expect(await podOf("c1-mine")).toMatchObject({
      namespace: "shop",
      name: "mine",
      cluster: "c1",
      attempt: 0,
      sandbox: { id, ready: true },
    });
    await runtime.stopSandbox(id);
    await runtime.stopSandbox(id);
    expect(await podOf("c1-mine")).toMatchObject({ sandbox: { ready: false } });
    await runtime.removeSandbox(id);
  });

  it("runs a container with its environment, directory, mounts, user and log", async () => {
    await mkdir(`${fixture.directory}/shared`, { recursive: true });
    await writeFile(`${fixture.directory}/shared/file`, "mounted");
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "full"));
    const spec = shellContainer(
      imageId,
      "echo $GREETING $HOSTNAME; pwd; cat /m/file; echo; id -u; id -g; touch /m/x || echo read-only; echo oops >&2",
    );
    await runtime.startContainer(id, {
      ...spec,
      environment: [{ name: "GREETING", value: "hello" }],
      workingDirectory: "/tmp",
      mounts: [{ hostPath: `${fixture.directory}/shared`, containerPath: "/m", readOnly: true, propagation: "None" }],
      security: { ...spec.security, runAsUser: 65534, runAsGroup: 65534 },
    });
    expect(await exited("c1-full")).toMatchObject({ kind: "exited", exitCode: 0, reason: "Completed" });
    const log = await readFile(`${fixture.directory}/logs/c1-full/main/0.log`, "utf8");
    const lines = log.trim().split("\n");
    expect(lines.every((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z (stdout|stderr) [FP] /.test(line))).toBe(true);
    const text = (stream: string) => lines.filter((line) => line.includes(` ${stream} `)).map((line) => line.split(" ").slice(3).join(" "));
    expect(text("stdout")).toEqual(["hello full", "/tmp", "mounted", "65534", "65534", "read-only"]);
    expect(text("stderr")).toContain("oops");
    expect(await containerOf("c1-full")).toMatchObject({ name: "main", attempt: 0, image: testImage });
    await runtime.removeSandbox(id);
  });

  it("runs commands inside, with their exit code, output and time limit", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "exec"));
    const container = await runtime.startContainer(id, shellContainer(imageId, "sleep 1000"));
    expect(await runtime.exec(container, ["sh", "-c", "echo out; echo err >&2; exit 3"], 5)).toEqual({
      exitCode: 3,
      output: "out\nerr\n",
      timedOut: false,
    });
    expect(await runtime.exec(container, ["sleep", "10"], 1)).toMatchObject({ timedOut: true });
    const { output } = await runtime.exec(container, ["sh", "-c", "seq 10000"], 5);
    expect(output).toHaveLength(10 * 1024);
    await expect(runtime.exec("no-such-container", ["true"], 1)).rejects.toMatchObject({ name: "RuntimeError" });
    await runtime.removeSandbox(id);
  });

  it("stops a container with a signal, and by force when the grace is over", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "stop"));
    // A first process that has not set its trap yet does not hear of the signal.
    const listening = async (container: string): Promise<boolean> =>
      (await runtime.exec(container, ["test", "-e", "/tmp/listening"], 5)).exitCode === 0;
    const script = (trap: string): string => `trap '${trap}' TERM; mkdir -p /tmp; touch /tmp/listening; while :; do sleep 0.1; done`;
    const polite = await runtime.startContainer(id, shellContainer(imageId, script("exit 7")));
    await untilTrue("the polite one listens", () => listening(polite));
    await runtime.stopContainer(polite, 10);
    expect((await containerOf("c1-stop"))?.state).toMatchObject({ kind: "exited", exitCode: 7, reason: "Error" });
    await runtime.removeContainer(polite);
    await runtime.removeContainer(polite);
    const deaf = await runtime.startContainer(id, shellContainer(imageId, script(""), { attempt: 1 }));
    await untilTrue("the deaf one does not", () => listening(deaf));
    const started = Date.now();
    await runtime.stopContainer(deaf, 1);
    expect(Date.now() - started).toBeGreaterThan(900);
    expect(await containerOf("c1-stop")).toMatchObject({ attempt: 1, state: { kind: "exited", exitCode: 137 } });
    await runtime.removeSandbox(id);
  });

  it("says when a container was killed for its memory", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "oom"));
    const spec = shellContainer(imageId, "x=a; while :; do x=$x$x; done");
    await runtime.startContainer(id, { ...spec, resources: { ...spec.resources, memoryLimitBytes: 32 * 1024 * 1024 } });
    expect(await exited("c1-oom")).toMatchObject({ kind: "exited", reason: "OOMKilled", exitCode: 137 });
    await runtime.removeSandbox(id);
  });

  it("names the step that failed", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "wrong"));
    const absent = { ...shellContainer(imageId, ""), command: ["/no/such/program"] };
    await expect(runtime.startContainer(id, absent)).rejects.toMatchObject({ name: "RuntimeError", reason: "RunContainerError" });
    const unknown = shellContainer("sha256:0000000000000000000000000000000000000000000000000000000000000000", "true", { attempt: 1 });
    await expect(runtime.startContainer(id, unknown)).rejects.toMatchObject({ name: "RuntimeError", reason: "CreateContainerError" });
    await runtime.removeSandbox(id);
  });

  it("follows the image's pull policy", async () => {
    expect(await runtime.ensureImage(testImage, "Never")).toEqual({ imageId, pulled: false });
    await expect(runtime.ensureImage("127.0.0.1:1/absent:1", "Never")).rejects.toMatchObject({ reason: "ErrImageNeverPull" });
    await expect(runtime.ensureImage("127.0.0.1:1/absent:1", "IfNotPresent")).rejects.toMatchObject({ reason: "ErrImagePull" });
    await expect(runtime.ensureImage("127.0.0.1:1/absent:1", "Always")).rejects.toMatchObject({ reason: "ErrImagePull" });
    await expect(runtime.ensureImage("Not A Name", "IfNotPresent")).rejects.toMatchObject({ reason: "InvalidImageName" });
  });

  it("gives a pod in the host's network the host's addresses", async () => {
    const sandbox = await runtime.runSandbox(sandboxSpec(fixture, "c1", "host", { hostNetwork: true }));
    expect(sandbox.ips).toEqual(["192.0.2.9"]);
    await runtime.removeSandbox(sandbox.id);
  });

  it("runs a privileged container, with the capabilities of the machine", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "privileged", { privileged: true }));
    const security = { ...plainSecurity, privileged: true };
    const container = await runtime.startContainer(id, shellContainer(imageId, "sleep 1000", { security }));
    const capabilities = (await readFile("/proc/self/status", "utf8")).match(/^CapBnd:\s+(\w+)$/m)?.[1];
    expect(await shell(runtime, container, "grep CapBnd /proc/self/status")).toContain(capabilities);
    await runtime.removeSandbox(id);
  });

  it("shares the processes of a pod when asked", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "pids", { shareProcessNamespace: true }));
    await runtime.startContainer(id, shellContainer(imageId, "exec sleep 4321"));
    const second = await runtime.startContainer(id, shellContainer(imageId, "sleep 1000", { name: "second", logPath: "second/0.log" }));
    expect(await shell(runtime, second, "ps")).toContain("sleep 4321");
    await runtime.removeSandbox(id);
  });

  it("tells of changes, and keeps working when containerd restarts under running containers", async () => {
    const { id } = await runtime.runSandbox(sandboxSpec(fixture, "c1", "lasting"));
    const container = await runtime.startContainer(id, shellContainer(imageId, "sleep 1000"));
    const changed: string[] = [];
    const end = runtime.watch((uid) => changed.push(uid));
    await fixture.restart();
    expect((await containerOf("c1-lasting"))?.state.kind).toBe("running");
    expect(await shell(runtime, container, "echo still here")).toBe("still here");
    changed.length = 0;
    await runtime.stopContainer(container, 0);
    expect(await eventually(async () => changed.includes("c1-lasting"), 10_000)).toBe(true);
    end();
    await runtime.removeSandbox(id);
  });
});
