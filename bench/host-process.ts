import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { readyUrl } from "../test/e2e/processes.ts";
import type { Endpoint } from "./endpoint.ts";

const admin = z.object({ url: z.string(), apiKey: z.string(), ca: z.string() });
const users = z.object({ users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]) });
const readyWithinMs = 30_000;
const repository = fileURLToPath(new URL("..", import.meta.url));
const manifest = z.object({ scripts: z.object({ start: z.string() }) });

/** The embedded host as a process of its own: what `npm start` runs, without a node. */
export interface HostProcess {
  /** The Kubernetes API of the default cluster, as its administrator. */
  readonly cluster: Endpoint;
  /** The platform API, as the tenant of the embedded host. */
  readonly platform: Endpoint;
  /** Milliseconds from spawning the process to its ready line, at the last start. */
  readonly startedInMs: number;
  /** Resident memory now, in MiB. */
  residentMiB(): number;
  /** Stops it and starts it again over the same state and on the same port. */
  restart(): Promise<void>;
  /** Stops it and removes its state. */
  stop(): Promise<void>;
}

/** Starts the embedded host on a free port over a fresh data directory. @throws Error when it is not ready in time */
export async function startHostProcess(): Promise<HostProcess> {
  const directory = await mkdtemp(join(tmpdir(), "coracle-bench-"));
  let child: ChildProcess | undefined;
  let startedInMs = 0;
  const [, ...args] = startCommand();
  const start = async (port: string): Promise<string> => {
    const startedAt = performance.now();
    child = spawn(process.execPath, args, {
      cwd: repository,
      env: { ...process.env, CORACLE_DATA_DIR: directory, CORACLE_PORT: port, CORACLE_NODES: "0", CORACLE_RUNTIME: "hollow" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const url = await readyUrl(child, readyWithinMs);
    startedInMs = performance.now() - startedAt;
    return url;
  };
  const end = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  const url = await start("0");
  const { apiKey, ca } = admin.parse(JSON.parse(readFileSync(join(directory, "admin.json"), "utf8")));
  const { token } = users.parse(parse(readFileSync(join(directory, "kubeconfig"), "utf8"))).users[0].user;
  return {
    cluster: { base: `${url}/clusters/default`, token, ca },
    platform: { base: url, token: apiKey, ca },
    get startedInMs() {
      return startedInMs;
    },
    residentMiB: () => residentMiB(child?.pid),
    async restart() {
      await end();
      await start(new URL(url).port);
    },
    async stop() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The words of `npm start`. */
function startCommand(): string[] {
  const { scripts } = manifest.parse(JSON.parse(readFileSync(join(repository, "package.json"), "utf8")));
  return scripts.start.split(" ");
}

/** Of a process, as `ps` counts it, on every Unix alike. */
export function residentMiB(pid: number | undefined): number {
  const kibibytes = execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  return Math.round(Number(kibibytes) / 1024);
}
