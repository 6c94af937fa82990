import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { CliContext } from "./context.ts";
import { CliError } from "./exit-codes.ts";
import { note } from "./session.ts";

export interface JoinRequest {
  readonly token: string;
  readonly serverUrl: string;
  readonly caFile: string | undefined;
  /** Used when there is no file. */
  readonly caPem: string | undefined;
  readonly name?: string;
  readonly runtime: "auto" | "containerd" | "process" | "hollow";
  readonly count: number;
  readonly stateDir?: string;
  readonly directRoutes?: boolean;
}

/** Runs one agent, or a fleet of hollow ones, until the user interrupts or the node is taken out of its pool. Pods outlive an interruption. */
export async function joinNodes(context: CliContext, request: JoinRequest): Promise<void> {
  const { token, runtime, count, serverUrl, stateDir } = request;
  const ca = request.caFile === undefined ? request.caPem : await readCa(resolve(context.workingDirectory, request.caFile));
  const nodeName = request.name ?? hostname().toLowerCase();
  const stateDirectory = resolve(context.workingDirectory, stateDir ?? join(defaultStateDirectory(context), nodeName));
  const { directRoutes = false } = request;
  const agents = await context.startAgents({ serverUrl, ca, joinToken: token, runtime, nodeName, count, stateDirectory, directRoutes });
  let pods: "keep" | "end" = "keep";
  try {
    const [only] = agents.nodeNames;
    const who = count === 1 ? `node ${only}` : `${agents.nodeNames.length} nodes`;
    note(context, `${who} joined ${serverUrl}; stop with Ctrl-C`);
    const ended = await Promise.race([agents.removed.then(() => "removed"), interruption(context.interrupted).then(() => "interrupted")]);
    if (ended === "removed") {
      pods = "end";
      note(context, `${who} ${count === 1 ? "was removed from its" : "were removed from their"} pool`);
    }
  } finally {
    await agents.stop({ pods });
  }
}

function interruption(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function defaultStateDirectory({ environment, homeDirectory }: CliContext): string {
  return join(environment.XDG_STATE_HOME || join(homeDirectory, ".local", "state"), "coracle", "agent");
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliError("usage", `${path} cannot be read`, error);
  }
}
