import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import packageFile from "../package.json" with { type: "json" };
import type { Clock } from "../shared/clock.ts";
import type { AgentRequest, CliContext, Fetch, RunningAgents } from "./context.ts";
import { CliError, type ExitReason } from "./exit-codes.ts";
import { runCli } from "./program.ts";

/** Unlike the server's, a timer of the CLI is something it waits for: it keeps the process alive. */
const clock: Clock = {
  now: Date.now,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Runs the CLI of this process; answers its exit code. */
export async function main(): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // The second one is meant for who does not want to wait.
      if (interruption.signal.aborted) process.exit(130);
      interruption.abort();
    });
  }
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  const context: CliContext = {
    environment: process.env,
    workingDirectory: process.cwd(),
    homeDirectory: homedir(),
    stdout: { write: (chunk) => void process.stdout.write(chunk), isTTY: process.stdout.isTTY === true },
    stderr: { write: (chunk) => void process.stderr.write(chunk), isTTY: process.stderr.isTTY === true },
    readStdin: () => text(process.stdin),
    clock,
    uid: randomUUID,
    random: Math.random,
    connect,
    startAgents,
    version: packageFile.version,
    entry: fileURLToPath(new URL("./coracle.mjs", import.meta.url)),
    interrupted: interruption.signal,
  };
  return runCli(process.argv.slice(2), context);
}

const joinRefusals: Readonly<Record<number, ExitReason>> = {
  401: "notAuthorised",
  403: "notAuthorised",
  409: "conflict",
  410: "notAuthorised",
};

async function startAgents({ count, ...request }: AgentRequest): Promise<RunningAgents> {
  const [{ startAgent, startHollowFleet }, { TransportError }, { createJsonLog }] = await Promise.all([
    import("../agent/main.ts"),
    import("../agent/transport.ts"),
    import("../shared/telemetry/log.ts"),
  ]);
  const log = createJsonLog((line) => process.stderr.write(line), Date.now, process.env.CORACLE_DEBUG ? "debug" : "warn");
  const runtimeEndpoint = process.env.CONTAINER_RUNTIME_ENDPOINT || undefined;
  const common = { ...request, runtimeEndpoint, clock, random: Math.random, log };
  try {
    if (count !== 1) {
      const fleet = await startHollowFleet({ ...common, namePrefix: request.nodeName, count });
      return fleet;
    }
    const { nodeName, removed, stop } = await startAgent(common);
    return { nodeNames: [nodeName], removed, stop };
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new CliError(joinRefusals[error.status ?? 0] ?? "failure", error.message, error);
  }
}

async function connect(caPem: string | undefined): Promise<Fetch> {
  const { Agent, fetch } = await import("undici");
  const dispatcher = new Agent({ connect: caPem === undefined ? {} : { ca: caPem }, keepAliveTimeout: 1 });
  return (url, init) => fetch(url, { ...init, dispatcher });
}
