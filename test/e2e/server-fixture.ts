import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { type CommandArguments, type CommandOptions, type CommandResult, runCommand, wordsOf } from "./commands.ts";
import { createHttp, type HttpClient } from "./http.ts";
import { removeWithLeftovers } from "./leftovers.ts";
import { findKubectl, type KubectlVersion } from "./needs.ts";
import { processorMsOf, readyUrl } from "./processes.ts";

export interface ServerOptions {
  /** Machines of the default cluster; default none. */
  readonly nodes?: number;
  readonly runtime?: "process" | "hollow" | "containerd";
  /** Whether it is told its data directory as a path from its working directory, as it takes it by default. */
  readonly relative?: boolean;
  /** The folder in which its state gets a folder; default the system's for passing things. */
  readonly parent?: string;
  /** Of the server and of the tools, besides what the fixture sets. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface KubectlOptions extends CommandOptions {
  readonly version?: KubectlVersion;
  /** In place of the default cluster's. */
  readonly kubeconfig?: string;
}

export interface ServerFixture {
  readonly url: string;
  readonly kubeconfig: string;
  readonly dataDirectory: string;
  /** From spawning the process to the ready line; what a busy machine let it wait is not counted where that can be known (Linux). */
  readonly startedInMs: number;
  /** What the server wrote so far, all starts together. */
  output(): string;
  kubectl(args: CommandArguments, options?: KubectlOptions): Promise<CommandResult>;
  /** `kubectl … -o json`, parsed. */
  get<T>(args: CommandArguments, options?: KubectlOptions): Promise<T>;
  coracle(args: CommandArguments, options?: CommandOptions): Promise<CommandResult>;
  /** A CLI process that goes on, as `node join` does. */
  spawnCoracle(args: CommandArguments): ChildProcess;
  /** The Kubernetes API of the default cluster, as its administrator. */
  readonly api: HttpClient;
  /** The platform API, as the tenant of the embedded host. */
  readonly platform: HttpClient;
  /** Sends a signal and waits for the end of the process. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts again on the same port over the same state, after `kill` or after stopping it properly. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Machines of the default cluster have joined and are ready. They are waited for one by one: where one of several is not there yet, kubectl gives up, and
 * `--all` is all that are there.
 */
export async function untilNodesAreReady({ kubectl }: Pick<ServerFixture, "kubectl">, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await kubectl(`wait --for=create node/default-${index} --timeout=60s`);
  await kubectl("wait --for=condition=Ready node --all --timeout=60s");
}

const admin = z.object({ url: z.string(), apiKey: z.string(), ca: z.string() });
const user = z.object({ users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]) });
const readyWithinMs = 20_000;
const repository = fileURLToPath(new URL("../..", import.meta.url));

/** The embedded host as `npm start` runs it: a process of its own on a free port over a fresh data directory. */
export async function startServer({
  nodes = 0,
  runtime = "hollow",
  parent = tmpdir(),
  relative = false,
  environment: given = {},
}: ServerOptions = {}): Promise<ServerFixture> {
  const home = await mkdtemp(join(parent, "coracle-e2e-"));
  const dataDirectory = join(home, "data");
  const kubeconfig = join(dataDirectory, "kubeconfig");
  const settings = {
    ...given,
    CORACLE_DATA_DIR: relative ? "data" : dataDirectory,
    CORACLE_NODES: String(nodes),
    CORACLE_RUNTIME: runtime,
  };
  /** Of the tools too: their caches and configuration are the test's own. */
  const environment = {
    ...given,
    HOME: home,
    XDG_CONFIG_HOME: "",
    XDG_STATE_HOME: "",
    KUBECONFIG: kubeconfig,
    CORACLE_DATA_DIR: dataDirectory,
  };
  let child: ChildProcess | undefined;
  let output = "";
  let startedInMs = 0;

  const start = async (port: string): Promise<string> => {
    const startedAt = performance.now();
    const started = spawn(process.execPath, [join(repository, "server/main.mjs")], {
      cwd: home,
      env: { ...process.env, ...settings, HOME: home, CORACLE_PORT: port },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    const url = await readyUrl(started, readyWithinMs, (text) => {
      output += text;
    });
    startedInMs = Math.min(performance.now() - startedAt, processorMsOf(started.pid));
    return url;
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };

  try {
    const url = await start("0");
    const { apiKey, ca } = admin.parse(JSON.parse(await readFile(join(dataDirectory, "admin.json"), "utf8")));
    const token = user.parse(parse(await readFile(kubeconfig, "utf8"))).users[0].user.token;
    const api = createHttp(`${url}/clusters/default`, ca, token);
    const platform = createHttp(url, ca, apiKey);
    const entry = join(repository, "cli/coracle.mjs");
    const kubectl = (args: CommandArguments, { version, kubeconfig: other, ...options }: KubectlOptions = {}) => {
      const program = findKubectl(version);
      if (program === undefined) throw new Error("there is no kubectl");
      const config = other === undefined ? {} : { KUBECONFIG: other };
      return runCommand(program, args, { ...options, environment: { ...environment, ...config, ...options.environment } });
    };
    return {
      url,
      kubeconfig,
      dataDirectory,
      get startedInMs() {
        return startedInMs;
      },
      output: () => output,
      kubectl,
      get: async (args, options) => JSON.parse((await kubectl([...wordsOf(args), "-o", "json"], options)).stdout),
      coracle: (args, options = {}) =>
        runCommand(process.execPath, [entry, ...wordsOf(args)], { ...options, environment: { ...environment, ...options.environment } }),
      spawnCoracle: (args) =>
        spawn(process.execPath, [entry, ...wordsOf(args)], {
          env: { ...process.env, ...environment },
          stdio: ["ignore", "ignore", "pipe"],
        }),
      api,
      platform,
      kill,
      async restart() {
        await kill("SIGTERM");
        await start(new URL(url).port);
      },
      async stop() {
        api.close();
        platform.close();
        await kill("SIGTERM");
        await removeWithLeftovers(home);
      },
    };
  } catch (error) {
    await kill("SIGKILL");
    await removeWithLeftovers(home);
    throw error;
  }
}
