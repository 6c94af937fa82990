import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Exit codes that are not zero are expected: they come back instead of being thrown. */
  readonly mayFail?: boolean;
  /** Ends the command with SIGKILL; default 60. */
  readonly timeoutSeconds?: number;
  /** Told of what it prints as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface CommandResult {
  /** -1: ended by a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Words between blanks; whoever has a blank in a word gives a list. */
export type CommandArguments = string | readonly string[];

export const wordsOf = (args: CommandArguments): string[] => (typeof args === "string" ? args.split(" ").filter(Boolean) : [...args]);

/** Runs a program to its end. @throws Error with what it wrote, when it fails and may not. */
export function runCommand(file: string, args: CommandArguments, options: CommandOptions = {}): Promise<CommandResult> {
  const words = wordsOf(args);
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { env: { ...process.env, ...options.environment }, stdio: ["pipe", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        output[stream] += chunk;
        if (stream === "stdout") options.onOutput?.(chunk);
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), (options.timeoutSeconds ?? 60) * 1000);
    child.once("error", reject);
    child.once("close", (exitCode) => {
      clearTimeout(timer);
      const code = exitCode ?? -1;
      if (code === 0 || options.mayFail === true) return resolve({ code, ...output });
      reject(new Error(`${[file, ...words].join(" ")}: exit ${code}\n${output.stdout.slice(-2000)}\n${output.stderr.slice(-2000)}`));
    });
    // A program that does not read to the end is no failure of the test's.
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
  });
}
