import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export interface Following {
  text(): string;
  readonly ended: Promise<unknown>;
  /** Undefined while it runs. */
  exitCode(): number | undefined;
  stop(): void;
}

/** A command that goes on, with what it has written so far. */
export function follow(file: string, args: readonly string[], environment: Readonly<Record<string, string>>): Following {
  const child: ChildProcess = spawn(file, args, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return {
    text: () => text,
    ended: once(child, "close"),
    exitCode: () => child.exitCode ?? undefined,
    stop: () => void child.kill("SIGKILL"),
  };
}
