import { spawn } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import type { Isolation } from "./launch.ts";
import type { ExecSecurity } from "./state.ts";

const maximumOutput = 10 * 1024;

export interface ExecRequest {
  readonly isolation: Isolation;
  /** The container's process. */
  readonly pid: number;
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
  readonly security: ExecSecurity;
}

/** Runs a command beside a container's process: its mounts, root, working directory, environment and user. */
export async function execInside(request: ExecRequest): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const { isolation, pid, command, timeoutSeconds } = request;
  const environment = Object.fromEntries(
    (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => ""))
      .split("\0")
      .filter((entry) => entry.includes("="))
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
  const enter = isolation === "links" ? [] : ["nsenter", "--target", String(pid), "--mount", "--uts", "--root", "--wd", "--"];
  const [file = "", ...args] = [...enter, ...asUser(request.security), ...command];
  const cwd = isolation === "links" ? await readlink(`/proc/${pid}/cwd`).catch(() => "/") : "/";
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let timedOut = false;
    const collect = (chunk: Buffer): void => {
      if (output.length < maximumOutput) output = (output + chunk.toString("utf8")).slice(0, maximumOutput);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutSeconds * 1000);
    const finish = (exitCode: number): void => {
      clearTimeout(timer);
      resolve({ exitCode, output, timedOut });
    };
    child.once("error", (error) => {
      output = error.message;
      finish(126);
    });
    child.once("exit", () => setTimeout(() => finish(child.exitCode ?? 137), 20));
    child.once("close", () => finish(child.exitCode ?? 137));
  });
}

function asUser({ runAsUser, runAsGroup, supplementalGroups }: ExecSecurity): string[] {
  if (runAsUser === undefined && runAsGroup === undefined) return [];
  const groups = supplementalGroups.length > 0 ? `--groups=${supplementalGroups.join(",")}` : "--clear-groups";
  return ["setpriv", ...(runAsUser === undefined ? [] : [`--reuid=${runAsUser}`]), `--regid=${runAsGroup ?? 0}`, groups];
}
