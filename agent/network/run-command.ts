import { spawn } from "node:child_process";

interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the machine to its end, as a port so that tests see what would be run. Throws only when the program cannot be started. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>;

export const runCommand: RunCommand = (program, args, input) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const output: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
    child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
    // A program that ends without reading its input breaks the pipe; its exit code says why.
    child.stdin.on("error", () => {});
    child.once("error", reject);
    child.once("close", (code) => {
      const text = (of: "stdout" | "stderr"): string => Buffer.concat(output[of]).toString("utf8");
      resolve({ exitCode: code ?? -1, stdout: text("stdout"), stderr: text("stderr") });
    });
    child.stdin.end(input ?? "");
  });
