import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { type ContainerRuntime, type ContainerSpec, RuntimeError, type RuntimePod } from "../runtime.ts";
import { dialOneOf } from "../streams/dial.ts";
import { attachStreams } from "./attach.ts";
import { execInside } from "./exec.ts";
import { execStreams } from "./exec-streams.ts";
import { baseEnvironment, commandLine, type Isolation, lastStep, mountVariable } from "./launch.ts";
import { createLinks, detectIsolation, findExecutable, hostMountsFor, isolatedMounts, killStragglers, removeLinks } from "./machine.ts";
import { isAlive, targetOf } from "./process-facts.ts";
import { createShimClient } from "./shim-client.ts";
import { type ContainerRecord, createStateStore, type SandboxRecord } from "./state.ts";
import { onTerminal, terminalProgram } from "./terminal.ts";

export interface ProcessRuntimeOptions {
  /** State of sandboxes and containers, and the supervisor's socket. */
  readonly directory: string;
  /** The addresses that pods report: they share the machine's. */
  readonly hostAddresses: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Instead of what the machine allows. */
  readonly isolation?: Isolation;
}

/** How long a killed process may take to be gone. */
const killWaitMs = 10_000;
const launchWaitMs = 10_000;
const launchPollMs = 5;

/**
 * Runs a container's command and args as a process of the machine, in a session of its own, under a supervisor that outlives the
 * agent. Images are not used: programs are the machine's. Where the agent is root on Linux, a process has its own mounts and host name,
 * and by default a root directory whose changes vanish with it (`launch.ts`); CPU and memory limits and ports are not enforced.
 */
export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<ContainerRuntime> {
  const { directory, hostAddresses, clock, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const isolation = options.isolation ?? (await detectIsolation(directory));
  const hasTerminals = process.platform === "linux" && (await findExecutable(terminalProgram, process.env.PATH ?? "", []));
  log.info("pods run as processes", { isolation });
  const state = await createStateStore(directory);
  const listeners = new Set<(podUid: string) => void>();
  const endWaiters = new Map<string, Set<() => void>>();

  const ended = async (containerId: string): Promise<void> => {
    const container = state.containers.get(containerId);
    if (container === undefined) return;
    await state.loadExit(container);
    for (const waiter of endWaiters.get(containerId) ?? []) waiter();
    endWaiters.delete(containerId);
    for (const listener of listeners) listener(container.podUid);
  };
  const shim = createShimClient(directory, (containerId) => void ended(containerId));

  /** Containers whose end the disk does not tell: those the supervisor has are running; others lost it, or were never begun. */
  const adopt = async (): Promise<void> => {
    const open = [...state.containers.values()].filter(({ exit }) => exit === undefined);
    if (open.length === 0) return;
    // What the agent before asked for and the supervisor has not seen yet would come after a new start.
    const supervised = new Set(await shim.call({ kind: "list", neverStart: open.map(({ id }) => id) }));
    for (const container of open) {
      await state.loadStart(container);
      if (supervised.has(container.id)) continue;
      await state.loadExit(container);
      if (container.exit !== undefined) continue;
      if (container.started !== undefined) await loseOrKeep(container);
      else await forget(container);
    }
  };
  /** As if it had never been made: kubelet starts what was only created, whatever the restart policy. */
  const forget = async (container: ContainerRecord): Promise<void> => {
    await killStragglers(container.id);
    await rm(state.containerDirectory(container), { recursive: true, force: true });
    state.containers.delete(container.id);
  };
  const loseOrKeep = async (container: ContainerRecord): Promise<void> => {
    const { started } = container;
    if (started !== undefined && isAlive(started)) {
      container.unsupervised = true;
      return;
    }
    const atMs = clock.now();
    // As containerd's CRI plugin has it where a shim is gone.
    const reason = "Unknown";
    await state.saveExit(container, { startedAtMs: started?.startedAtMs ?? atMs, finishedAtMs: atMs, exitCode: 255, signal: 0, reason });
  };

  const waitForEnd = (container: ContainerRecord, timeoutMs: number): Promise<boolean> => {
    if (container.exit !== undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiters = endWaiters.get(container.id) ?? new Set();
      endWaiters.set(container.id, waiters);
      const end = (): void => {
        cancel();
        waiters.delete(end);
        resolve(true);
      };
      const cancel = clock.after(timeoutMs, () => {
        waiters.delete(end);
        resolve(false);
      });
      waiters.add(end);
    });
  };

  const signal = async (container: ContainerRecord, name: "SIGTERM" | "SIGKILL"): Promise<void> => {
    if (container.exit !== undefined) return;
    if (!container.unsupervised) {
      await shim.call({ kind: "signal", containerId: container.id, signal: name });
      return;
    }
    const { started } = container;
    if (started === undefined || !isAlive(started)) return loseOrKeep(container);
    process.kill(targetOf(started.pid, name), name);
  };

  const stop = async (container: ContainerRecord, graceSeconds: number): Promise<void> => {
    if (container.exit !== undefined) return;
    if (graceSeconds > 0) {
      await signal(container, "SIGTERM");
      if (await waitForEnd(container, graceSeconds * 1000)) return killStragglers(container.id);
    }
    await signal(container, "SIGKILL");
    if (!(await waitForEnd(container, killWaitMs))) log.warn("a process does not end", { container: container.id });
    await killStragglers(container.id);
  };

  const findSandbox = (sandboxId: string): SandboxRecord => {
    const sandbox = state.sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new RuntimeError("CreateContainerError", `no sandbox ${sandboxId}`);
    return sandbox;
  };

  /** A signal or an `exec` must meet the container's own program, not the steps that lead to it. */
  const hasLaunched = async ({ started }: ContainerRecord): Promise<boolean> => {
    if (started === undefined) return true;
    const words = await readFile(`/proc/${started.pid}/cmdline`, "utf8").catch(() => undefined);
    return words === undefined || (words !== "" && !words.includes(lastStep));
  };

  const launch = async (sandbox: SandboxRecord, spec: ContainerSpec): Promise<string> => {
    const command = [...spec.command, ...spec.args];
    const id = randomBytes(16).toString("hex");
    const container = await state.addContainer(sandbox, { id, spec });
    const refuse = async (message: string): Promise<never> => {
      const atMs = clock.now();
      await state.saveExit(container, { startedAtMs: atMs, finishedAtMs: atMs, exitCode: 128, signal: 0, reason: "StartError" });
      throw new RuntimeError("RunContainerError", message);
    };
    const [program] = command;
    if (program === undefined) {
      return refuse(`container "${spec.name}" has neither command nor args, and this node does not use images`);
    }
    const runAsUser = spec.security.runAsUser;
    const environment: Record<string, string> = { ...baseEnvironment(sandbox, runAsUser), CORACLE_CONTAINER_ID: id };
    for (const { name, value } of spec.environment) environment[name] = value;
    const mounts = await isolatedMounts(withResolver(sandbox, spec, join(directory, "sandboxes", sandbox.id)));
    if (isolation === "links") {
      for (const { containerPath, hostPath } of spec.mounts) environment[mountVariable(containerPath)] = hostPath;
      await createLinks(join(state.directoryOf(sandbox.id), "links.json"), spec.mounts);
    }
    if (!(await findExecutable(program, environment.PATH ?? "", mounts))) {
      return refuse(`exec: "${program}": executable file not found in $PATH`);
    }
    const launched = commandLine({
      isolation,
      directory: state.containerDirectory(container),
      mounts,
      hostMounts: isolation === "overlay" ? await hostMountsFor(mounts, directory) : [],
      hostname: sandbox.hostNetwork ? undefined : sandbox.hostname,
      workingDirectory: spec.workingDirectory ?? "/",
      security: spec.security,
      oomScoreAdjust: spec.resources.oomScoreAdjust,
      command,
    });
    const terminal = spec.tty && hasTerminals;
    if (spec.tty && !terminal) log.warn(`a container asks for a terminal, and there is no "${terminalProgram}" here`, { container: id });
    const begun = terminal ? onTerminal({ ...launched, environment }, runAsUser) : { ...launched, environment };
    await shim.call({
      kind: "start",
      containerId: id,
      directory: state.containerDirectory(container),
      file: begun.file,
      args: [...begun.args],
      environment: begun.environment,
      terminal,
      workingDirectory: "/",
      logPath: join(sandbox.logDirectory, spec.logPath),
      stdin: spec.stdin ? (spec.stdinOnce ? "once" : "kept") : "none",
    });
    await state.loadStart(container);
    for (let waited = 0; waited < launchWaitMs && container.exit === undefined; waited += launchPollMs) {
      if (await hasLaunched(container)) break;
      await new Promise<void>((resolve) => clock.after(launchPollMs, resolve));
    }
    return id;
  };

  await adopt();
  const runtime: ContainerRuntime = {
    kind: "process",
    version: async () => `process://${process.versions.node}`,
    async list() {
      for (const container of state.containers.values()) {
        if (container.unsupervised && container.exit === undefined) await loseOrKeep(container);
      }
      return [...state.sandboxes.values()].map((sandbox) => podOf(sandbox, state.containersOf(sandbox.id), hostAddresses));
    },
    async runSandbox(spec) {
      for (const sandbox of state.sandboxes.values()) {
        if (sandbox.podUid !== spec.podUid || sandbox.attempt !== spec.attempt || !sandbox.ready) continue;
        return { id: sandbox.id, ready: true, ips: hostAddresses, createdAtMs: sandbox.createdAtMs };
      }
      const sandbox = await state.addSandbox({
        id: randomBytes(8).toString("hex"),
        podUid: spec.podUid,
        namespace: spec.namespace,
        name: spec.name,
        cluster: spec.cluster,
        attempt: spec.attempt,
        hostname: spec.hostname,
        hostNetwork: spec.hostNetwork,
        logDirectory: spec.logDirectory,
        dns: spec.dns,
        ready: true,
        createdAtMs: clock.now(),
      });
      return { id: sandbox.id, ready: true, ips: hostAddresses, createdAtMs: sandbox.createdAtMs };
    },
    async stopSandbox(sandboxId) {
      const sandbox = state.sandboxes.get(sandboxId);
      if (sandbox === undefined) return;
      await Promise.all(state.containersOf(sandboxId).map((container) => stop(container, 0)));
      if (sandbox.ready) await state.saveSandbox({ ...sandbox, ready: false });
    },
    async removeSandbox(sandboxId) {
      if (!state.sandboxes.has(sandboxId)) return;
      await runtime.stopSandbox(sandboxId);
      await removeLinks(join(state.directoryOf(sandboxId), "links.json"));
      await state.removeSandbox(sandboxId);
    },
    ensureImage: async (image) => ({ imageId: image }),
    startContainer: (sandboxId, spec) => launch(findSandbox(sandboxId), spec),
    async stopContainer(containerId, graceSeconds) {
      const container = state.containers.get(containerId);
      if (container !== undefined) await stop(container, graceSeconds);
    },
    async removeContainer(containerId) {
      const container = state.containers.get(containerId);
      if (container === undefined) return;
      await stop(container, 0);
      await rm(state.containerDirectory(container), { recursive: true, force: true });
      state.containers.delete(containerId);
    },
    // Limits are not enforced here, so nothing changes but what the status shows.
    updateResources: async () => {},
    async exec(containerId, command, timeoutSeconds) {
      const container = state.containers.get(containerId);
      if (container?.started === undefined || container.exit !== undefined) throw new Error("container not running");
      return execInside({ isolation, pid: container.started.pid, command, timeoutSeconds, security: container.security });
    },
    streaming: {
      async exec(containerId, command, io) {
        const container = state.containers.get(containerId);
        if (container?.started === undefined || container.exit !== undefined) throw new RuntimeError("ExecError", "container not running");
        return execStreams({ isolation, pid: container.started.pid, command, security: container.security }, io);
      },
      async attach(containerId, io) {
        const container = state.containers.get(containerId);
        if (container === undefined) throw new RuntimeError("AttachError", "container not running");
        await attachStreams({ shim, containerId, pid: container.started?.pid, directory: state.containerDirectory(container) }, io);
      },
      forward: (_sandboxId, port) => dialOneOf(["127.0.0.1", "::1", ...hostAddresses], port),
    },
    watch(onEvent) {
      listeners.add(onEvent);
      return () => listeners.delete(onEvent);
    },
    async close() {
      listeners.clear();
      shim.close();
    },
  };
  return runtime;
}

/** The pod's resolver configuration as one more file to mount. */
function withResolver(sandbox: SandboxRecord, spec: ContainerSpec, sandboxDirectory: string): ContainerSpec["mounts"] {
  const path = "/etc/resolv.conf";
  if (sandbox.dns === undefined || spec.mounts.some(({ containerPath }) => containerPath === path)) return spec.mounts;
  return [...spec.mounts, { hostPath: join(sandboxDirectory, "resolv.conf"), containerPath: path, readOnly: false, propagation: "None" }];
}

function podOf(sandbox: SandboxRecord, containers: readonly ContainerRecord[], ips: readonly string[]): RuntimePod {
  const { id, podUid, namespace, name, cluster, attempt, ready, createdAtMs } = sandbox;
  return {
    podUid,
    namespace,
    name,
    cluster,
    attempt,
    sandbox: { id, ready, ips: ready ? ips : [], createdAtMs },
    containers: containers.map((container) => ({
      id: container.id,
      name: container.name,
      attempt: container.attempt,
      image: container.image,
      imageId: container.imageId,
      state:
        container.exit !== undefined
          ? { kind: "exited", ...container.exit }
          : container.started === undefined
            ? { kind: "created" }
            : { kind: "running", startedAtMs: container.started.startedAtMs },
    })),
  };
}
