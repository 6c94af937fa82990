import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseCriLine } from "../../agent/logs/cri-line.ts";
import type {
  ContainerRuntime,
  ContainerSpec,
  ContainerStreams,
  RuntimeContainer,
  SandboxSpec,
  TerminalSize,
} from "../../agent/runtime.ts";
import { containerSpecOf, plainSecurity, sandboxSpecOf } from "./runtime-specs.ts";

export interface RuntimeUnderTest {
  /** Opens the runtime over the same state each time: a second call is the agent's restart. */
  open(): Promise<ContainerRuntime>;
  /** An image with a shell, or any text where images are not used. */
  readonly image: string;
  /** Called at the end. */
  close?(): Promise<void>;
}

/** What every container runtime owes the agent. `prepare` is called once. */
export function runtimeContract(name: string, prepare: () => Promise<RuntimeUnderTest>): void {
  describe(`${name} runtime`, () => {
    let under: RuntimeUnderTest;
    let runtime: ContainerRuntime;
    let directory: string;
    const made = new Set<string>();

    beforeAll(async () => {
      under = await prepare();
      runtime = await under.open();
      directory = await mkdtemp(join(tmpdir(), "runtime-"));
    });
    afterEach(async () => {
      for (const id of made) await runtime.removeSandbox(id);
      made.clear();
    });
    afterAll(async () => {
      await runtime?.close();
      await under?.close?.();
      await rm(directory, { recursive: true, force: true });
    });

    const containerSpec = (script: string, change: Partial<ContainerSpec> = {}): ContainerSpec =>
      containerSpecOf(under.image, ["/bin/sh", "-c", script], { logPath: `${randomUUID()}/0.log`, ...change });
    const runSandbox = async (change: Partial<SandboxSpec> = {}) => {
      const spec = sandboxSpecOf(join(directory, "logs"), { hostNetwork: true, ...change });
      const sandbox = await runtime.runSandbox(spec);
      made.add(sandbox.id);
      return { ...sandbox, podUid: spec.podUid, spec };
    };
    const start = async (sandboxId: string, spec: ContainerSpec): Promise<string> => {
      await mkdir(dirname(join(directory, "logs", spec.logPath)), { recursive: true });
      const { imageId } = await runtime.ensureImage(spec.image, "IfNotPresent");
      return runtime.startContainer(sandboxId, { ...spec, imageId });
    };
    const find = async (containerId: string): Promise<RuntimeContainer | undefined> =>
      (await runtime.list()).flatMap(({ containers }) => containers).find(({ id }) => id === containerId);
    const exited = async (containerId: string) => {
      await expect.poll(async () => (await find(containerId))?.state.kind, { timeout: 10_000, interval: 20 }).toBe("exited");
      const state = (await find(containerId))?.state;
      if (state?.kind !== "exited") throw new Error("not exited");
      return state;
    };
    const output = async (spec: ContainerSpec): Promise<string> => {
      const text = await readFile(join(directory, "logs", spec.logPath), "utf8");
      const lines = text.split("\n").flatMap((line) => parseCriLine(Buffer.from(line)) ?? []);
      return lines.map(({ stream, text: said }) => `${stream}: ${said}\n`).join("");
    };
    const run = async (script: string, change: Partial<ContainerSpec> = {}) => {
      const { id } = await runSandbox();
      const spec = containerSpec(script, change);
      const state = await exited(await start(id, spec));
      return { state, output: await output(spec) };
    };

    test("a sandbox is ready, has an address and is listed as the pod's", async () => {
      const sandbox = await runSandbox();
      expect(sandbox.ready).toBe(true);
      expect(sandbox.ips.length).toBeGreaterThan(0);
      const listed = (await runtime.list()).filter(({ podUid }) => podUid === sandbox.podUid);
      expect(listed).toMatchObject([
        { namespace: "default", name: "pod", cluster: "c1", attempt: 0, sandbox: { id: sandbox.id, ready: true } },
      ]);
    });

    test("running the same sandbox again finds it", async () => {
      const { id, spec } = await runSandbox();
      expect((await runtime.runSandbox(spec)).id).toBe(id);
    });

    test("a started container is running, with its name and attempt", async () => {
      const { id } = await runSandbox();
      const containerId = await start(id, containerSpec("sleep 60", { attempt: 3 }));
      expect(await find(containerId)).toMatchObject({ name: "main", attempt: 3, state: { kind: "running" } });
    });

    test("stopping ends a container and repeating it does no harm; removing forgets it", async () => {
      const { id } = await runSandbox();
      const containerId = await start(id, containerSpec("trap 'exit 0' TERM; sleep 60 & wait"));
      await runtime.stopContainer(containerId, 5);
      expect((await find(containerId))?.state.kind).toBe("exited");
      await runtime.stopContainer(containerId, 5);
      await runtime.removeContainer(containerId);
      await runtime.removeContainer(containerId);
      expect(await find(containerId)).toBeUndefined();
    });

    test("stopping a sandbox ends what runs in it and takes its readiness; removing forgets it", async () => {
      const sandbox = await runSandbox();
      const containerId = await start(sandbox.id, containerSpec("sleep 60"));
      await runtime.stopSandbox(sandbox.id);
      await runtime.stopSandbox(sandbox.id);
      expect((await find(containerId))?.state.kind).toBe("exited");
      expect((await runtime.list()).find(({ podUid }) => podUid === sandbox.podUid)?.sandbox.ready).toBe(false);
      await runtime.removeSandbox(sandbox.id);
      await runtime.removeSandbox(sandbox.id);
      expect((await runtime.list()).some(({ podUid }) => podUid === sandbox.podUid)).toBe(false);
    });

    test("a watcher hears of the end of a container", async () => {
      const heard: string[] = [];
      const unwatch = runtime.watch((podUid) => heard.push(podUid));
      const sandbox = await runSandbox({ annotations: { "hollow.coracle.dev/ends-after-ms": "main=10" } });
      await start(sandbox.id, containerSpec("true"));
      await expect.poll(() => heard.includes(sandbox.podUid), { timeout: 10_000, interval: 20 }).toBe(true);
      unwatch();
    });

    // Hollow containers are gone with their process, as they are nothing else.
    test.skipIf(name === "hollow")("what runs is found again after a restart of the agent, and how it ended is known", async () => {
      const { id } = await runSandbox();
      const longer = await start(id, containerSpec("sleep 60"));
      const shorter = await start(id, containerSpec("sleep 0.2; exit 5", { name: "short" }));
      await runtime.close();
      await new Promise((resolve) => setTimeout(resolve, 600));
      runtime = await under.open();
      expect((await find(longer))?.state.kind).toBe("running");
      expect((await exited(shorter)).exitCode).toBe(5);
    });

    describe.skipIf(name === "hollow")(name === "hollow" ? "that runs commands (hollow runs none)" : "that runs commands", () => {
      test("exit codes and their reasons are kept", async () => {
        expect((await run("exit 0")).state).toMatchObject({ exitCode: 0, reason: "Completed" });
        expect((await run("exit 3")).state).toMatchObject({ exitCode: 3, reason: "Error" });
      });

      test("output goes to the log in CRI format, both streams", async () => {
        const { output: said } = await run("echo out; echo err >&2; printf tail");
        expect(said).toContain("stdout: out\n");
        expect(said).toContain("stderr: err\n");
        expect(said).toContain("stdout: tail\n");
      });

      test("environment and working directory are the container's", async () => {
        const { output: said } = await run('echo "$GREETING in $(pwd)"', {
          environment: [{ name: "GREETING", value: "a 'quoted' word" }],
          workingDirectory: "/tmp",
        });
        expect(said).toBe("stdout: a 'quoted' word in /tmp\n");
      });

      test("what ignores SIGTERM is killed after its grace", async () => {
        const { id } = await runSandbox();
        const containerId = await start(id, containerSpec("trap '' TERM; while :; do sleep 0.05; done"));
        await new Promise((resolve) => setTimeout(resolve, 200));
        await runtime.stopContainer(containerId, 1);
        expect((await exited(containerId)).exitCode).toBe(137);
      });

      test("commands run inside with their exit code and output, and time out", async () => {
        const { id } = await runSandbox();
        const containerId = await start(id, containerSpec("sleep 60", { environment: [{ name: "WHO", value: "inside" }] }));
        const shell = (script: string) => ["/bin/sh", "-c", script];
        expect(await runtime.exec(containerId, shell('echo "$WHO"; exit 4'), 5)).toEqual({
          exitCode: 4,
          output: "inside\n",
          timedOut: false,
        });
        expect((await runtime.exec(containerId, shell("sleep 30"), 1)).timedOut).toBe(true);
      });

      test("a container that asks for a terminal has one, which who is attached writes to, reads from and resizes", async (context) => {
        if (runtime.streaming === undefined) return context.skip("no streams");
        const { id } = await runSandbox();
        const waits = 'tty; until [ "$(stty size)" = "33 99" ]; do sleep 0.05; done; echo sized';
        const script = `${waits}; read line; echo "got $line by $(id -u)"; : > "$(tty)" && exit 7`;
        const security = { ...plainSecurity, ...(process.getuid?.() === 0 && { runAsUser: 1234 }) };
        const spec = containerSpec(script, { tty: true, stdin: true, security });
        const containerId = await start(id, spec);
        const [stdin, stdout] = [new PassThrough(), new PassThrough()];
        let seen = "";
        stdout.on("data", (chunk) => {
          seen += String(chunk);
        });
        const sized: ((size: TerminalSize) => void)[] = [];
        const { signal } = new AbortController();
        const io: ContainerStreams = {
          stdin,
          stdout,
          stderr: undefined,
          tty: true,
          onResize: (listener) => sized.push(listener),
          gone: signal,
        };
        const attached = runtime.streaming.attach(containerId, io);
        await expect.poll(() => sized.length, { timeout: 10_000 }).toBe(1);
        // As kubectl does it, and what came last holds.
        for (const more of [3, 2, 1, 0]) sized[0]?.({ columns: 99 + more, rows: 33 + more });
        await expect.poll(() => output(spec), { timeout: 10_000 }).toContain("sized");
        stdin.write("word\n");
        await attached;
        expect((await exited(containerId)).exitCode).toBe(7);
        expect(seen).toContain(`got word by ${process.getuid?.() === 0 ? 1234 : process.getuid?.()}\r\n`);
        expect(await output(spec)).toMatch(/^stdout: \/dev\/(pts\/\d+|console)\r?\n/);
      });

      test("a command gets its input whole, however much of it is there at once", async (context) => {
        if (runtime.streaming === undefined) return context.skip("no streams");
        const { id } = await runSandbox();
        const containerId = await start(id, containerSpec("sleep 60"));
        const [stdin, stdout, stderr] = [new PassThrough({ highWaterMark: 16_000_000 }), new PassThrough(), new PassThrough()];
        stdin.end(Buffer.alloc(12_000_000, "x"));
        const { signal } = new AbortController();
        const io: ContainerStreams = { stdin, stdout, stderr, tty: false, onResize: () => {}, gone: signal };
        const command = ["/bin/sh", "-c", "wc -c"];
        expect(await runtime.streaming.exec(containerId, command, io)).toEqual({ exitCode: 0 });
        expect(String(stdout.read()).trim()).toBe("12000000");
      });

      test("a terminal without input stays open until the container is stopped", async () => {
        const { id } = await runSandbox();
        const spec = containerSpec("trap 'exit 3' TERM; exec 3<&0; echo begun; (read line <&3; echo over) & wait", { tty: true });
        const containerId = await start(id, spec);
        await expect.poll(() => output(spec), { timeout: 10_000 }).toContain("begun");
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect((await find(containerId))?.state.kind).toBe("running");
        await runtime.stopContainer(containerId, 10);
        expect(await exited(containerId)).toMatchObject({ exitCode: 3, reason: "Error" });
        expect(await output(spec)).not.toContain("over");
      });

      test("a program that is not there cannot be started", async () => {
        const { id } = await runSandbox();
        await expect(start(id, containerSpec("", { command: ["/no/such/program"] }))).rejects.toMatchObject({
          reason: "RunContainerError",
        });
      });

      test("mounts appear where the pod expects them, read-only where it says so", async (context) => {
        if (process.getuid?.() !== 0) context.skip("needs root");
        const source = await mkdtemp(join(tmpdir(), "mount-"));
        await writeFile(join(source, "key"), "value");
        const mount = { hostPath: source, readOnly: true, propagation: "None" } as const;
        const spec = { mounts: [{ ...mount, containerPath: "/var/run/secrets/coracle-test" }] };
        const { output: said } = await run("cat /var/run/secrets/coracle-test/key; echo; echo x > /var/run/secrets/coracle-test/no", spec);
        expect(said).toContain("stdout: value");
        expect(said).toMatch(/stderr: .*[Rr]ead-only/);
        await expect(readFile("/var/run/secrets/coracle-test/key")).rejects.toThrow();
        await rm(source, { recursive: true });
      });

      test("runs as the user it is told to", async (context) => {
        if (process.getuid?.() !== 0) context.skip("needs root");
        const security = { ...plainSecurity, runAsUser: 1234, runAsGroup: 4321 };
        expect((await run("id -u; id -g", { security })).output).toBe("stdout: 1234\nstdout: 4321\n");
      });
    });
  });
}
