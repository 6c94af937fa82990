import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

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

/** Starts an emulator and waits until it answers. It has a process group of its own, since its Lambdas are its children. */
export async function startEmulator(emulator: EmulatorProcess): Promise<Emulator> {
  const { name, port, command, args, environment, logFile, startSeconds, retries, bindWithinMs } = emulator;
  const child = spawn(command, args, { detached: true, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
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
    await stopGroup(child);
    throw new Error(`${name} did not start within ${startSeconds} s: see ${logFile}`);
  }
  return {
    name,
    endpoint,
    retries,
    bindWithinMs,
    async stop() {
      await stopGroup(child);
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

async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGKILL");
  await ended;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
