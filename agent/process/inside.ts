import { readFile, readlink } from "node:fs/promises";
import type { Isolation } from "./launch.ts";
import type { ExecSecurity } from "./state.ts";

export interface InsideRequest {
  readonly isolation: Isolation;
  /** The container's process. */
  readonly pid: number;
  readonly command: readonly string[];
  readonly security: ExecSecurity;
}

export interface InsideCommand {
  readonly file: string;
  readonly args: string[];
  readonly environment: Record<string, string>;
  readonly workingDirectory: string;
}

/** How a command is run beside a container's process: with its mounts, root, working directory, environment and user. */
export async function insideCommand({ isolation, pid, command, security }: InsideRequest): Promise<InsideCommand> {
  const environment = Object.fromEntries(
    (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => ""))
      .split("\0")
      .filter((entry) => entry.includes("="))
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
  const enter = isolation === "links" ? [] : ["nsenter", "--target", String(pid), "--mount", "--uts", "--root", "--wd", "--"];
  const [file = "", ...args] = [...enter, ...asUser(security), ...command];
  const workingDirectory = isolation === "links" ? await readlink(`/proc/${pid}/cwd`).catch(() => "/") : "/";
  return { file, args, environment, workingDirectory };
}

function asUser({ runAsUser, runAsGroup, supplementalGroups }: ExecSecurity): string[] {
  if (runAsUser === undefined && runAsGroup === undefined) return [];
  const groups = supplementalGroups.length > 0 ? `--groups=${supplementalGroups.join(",")}` : "--clear-groups";
  return ["setpriv", ...(runAsUser === undefined ? [] : [`--reuid=${runAsUser}`]), `--regid=${runAsGroup ?? 0}`, groups];
}
