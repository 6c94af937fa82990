import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentRequest, CliContext, RunningAgents } from "../../../cli/context.ts";
import { runCli } from "../../../cli/program.ts";
import { openPlatform } from "../platform/fixture.ts";

export const serverUrl = "https://coracle.test";

const terminal = (written: string[]) => ({ write: (text: string) => void written.push(text), isTTY: false });

/** The CLI over the real platform API, without a socket: what it would send goes straight into the application. */
export async function openCli() {
  const bench = await openPlatform();
  const folder = await mkdtemp(join(tmpdir(), "coracle-cli-"));
  const environment: Record<string, string> = { CORACLE_URL: serverUrl, CORACLE_API_KEY: bench.admin };
  const requests: string[] = [];
  const joined: AgentRequest[] = [];
  const interruption = new AbortController();
  let removeNode = () => {};
  let failures = 0;
  let underWay = 0;
  let stdin = "";

  async function run(...args: string[]) {
    const stdout: string[] = [];
    const stderr: string[] = [];
    const context: CliContext = {
      environment,
      workingDirectory: folder,
      homeDirectory: join(folder, "home"),
      stdout: terminal(stdout),
      stderr: terminal(stderr),
      readStdin: async () => stdin,
      // Waiting costs no time: the clock moves on by itself.
      clock: {
        now: bench.clock.now,
        after(delayMs, call) {
          const timer = setImmediate(() => {
            bench.clock.advance(delayMs);
            call();
          });
          return () => clearImmediate(timer);
        },
      },
      uid: randomUUID,
      random: Math.random,
      async connect() {
        return async (url, { method, headers, body }) => {
          requests.push(`${method} ${url.slice(serverUrl.length)}`);
          if (failures > 0) {
            failures--;
            throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
          }
          if (underWay > 0) {
            underWay--;
            return Response.json({ code: "request-in-progress", detail: "The same request is being worked on." }, { status: 409 });
          }
          return bench.platform.app.request(url, { method, headers, ...(body !== undefined && { body }) });
        };
      },
      async startAgents(request): Promise<RunningAgents> {
        joined.push(request);
        const removed = new Promise<void>((resolve) => {
          removeNode = resolve;
        });
        return { nodeNames: [request.nodeName], removed, stop: async () => {} };
      },
      version: "1.2.3",
      entry: "/opt/coracle/cli/coracle.mjs",
      interrupted: interruption.signal,
    };
    const code = await runCli(args, context);
    return { code, stdout: stdout.join(""), stderr: stderr.join("") };
  }

  return {
    ...{ bench, folder, environment, requests, joined, run },
    interrupt: () => interruption.abort(),
    removeNode: () => removeNode(),
    failNext: (count: number) => {
      failures = count;
    },
    /** So many requests meet their own former attempt at the server. */
    busyNext: (count: number) => {
      underWay = count;
    },
    type: (text: string) => {
      stdin = text;
    },
    async dispose() {
      await bench.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
