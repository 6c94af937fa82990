import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { descendantsOf, kill } from "./process-tree.ts";

/** What answers AWS' APIs in place of AWS. */
export interface Emulator {
  /** As the README names it. */
  readonly name: string;
  readonly endpoint: string;
  /** Whether it gives up on a batch of a stream that fails, and tells the queue. */
  readonly retries: boolean;
  /** What the median from a pod's creation to its binding is held to: one that looks at streams once a second cannot be quicker. */
  readonly bindWithinMs: number;
  stop(): Promise<void>;
}

/** For an emulator whose Lambdas are processes: the Node of this process, and what each loads first. */
export const lambdaEnvironment = () => ({
  PATH: pathWithNode(),
  NODE_OPTIONS: `--import=${join(import.meta.dirname, "awslambda.mjs")}`,
  CORACLE_NODE_VERSION: process.version,
});

/** With the Node of this process first: others run whichever they find. */
export const pathWithNode = (): string => `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ""}`;

export interface EmulatorProcess {
  readonly name: string;
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly startSeconds: number;
  readonly retries: boolean;
  readonly bindWithinMs: number;
}

/** Started, and not stopped yet: whoever waits in vain for one to be ready has nothing to stop. */
const running = new Set<ChildProcess>();

/** Stops every emulator that this process started. */
export async function stopEmulators(): Promise<void> {
  await Promise.all([...running].map(stopWhole));
}

/** Starts an emulator and waits until it answers. It ends with this process, in whatever way that ends. */
export async function startEmulator(emulator: EmulatorProcess): Promise<Emulator> {
  const { name, port, command, args, environment, logFile, startSeconds, retries, bindWithinMs } = emulator;
  const guarded = [join(import.meta.dirname, "guard.ts"), command, ...args];
  const child = spawn(process.execPath, guarded, { detached: true, env: { ...process.env, ...environment }, stdio: "pipe" });
  running.add(child);
  const log = createWriteStream(logFile, { flags: "a" });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + startSeconds * 1000;
  while (!(await isHealthy(endpoint))) {
    if (child.exitCode === null && Date.now() < deadline) {
      await pause(200);
      continue;
    }
    await stopWhole(child);
    throw new Error(`${name} did not start within ${startSeconds} s: see ${logFile}`);
  }
  return {
    name,
    endpoint,
    retries,
    bindWithinMs,
    async stop() {
      await stopWhole(child);
      log.end();
    },
  };
}

/** LocalStack's path, which others serve too. */
async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/_localstack/health`)).ok;
  } catch {
    return false;
  }
}

/** With all that it started: some put what they start (DynamoDB Local) into a session of its own, which the end of their group does not reach. */
async function stopWhole(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const started = descendantsOf(child.pid);
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await ended;
  for (const pid of started) kill(pid);
}
