import { spawn } from "node:child_process";
import { type InsideRequest, insideCommand } from "./inside.ts";

const maximumOutput = 10 * 1024;

export interface ExecRequest extends InsideRequest {
  readonly timeoutSeconds: number;
}

/** Runs a command beside a container's process: its mounts, root, working directory, environment and user. */
export async function execInside(request: ExecRequest): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const { timeoutSeconds } = request;
  const { file, args, environment, workingDirectory } = await insideCommand(request);
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: workingDirectory, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] });
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
