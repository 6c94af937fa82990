import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** Whether a process runs; a zombie, which Linux alone tells apart, does not. */
export function isRunning(pid: number): boolean {
  const [state] = statOf(pid);
  if (state !== undefined) return state !== "Z";
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What stands in `/proc/PID/stat` from the state on (proc_pid_stat(5), field 3); nothing where there is none. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(") ") + 2).split(" ");
  } catch {
    return [];
  }
}

/** Linux counts in hundredths of a second. */
const msPerTick = 10;

/** The processor time of a process so far; infinity where that cannot be known. */
export function processorMsOf(pid: number | undefined): number {
  const fields = pid === undefined ? [] : statOf(pid);
  return fields.length === 0 ? Number.POSITIVE_INFINITY : (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** Resolves to the URL when a server says that it is ready; `hear` is told what it writes, also afterwards. @throws when it ends before, or is late */
export function readyUrl(child: ChildProcess, withinMs: number, hear: (text: string) => void = () => {}): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the server ${why}: ${said.slice(-3000)}`));
    const timer = setTimeout(() => fail("was not ready in time"), withinMs);
    const take = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-10_000);
      hear(chunk.toString());
      const url = /is ready on (https:\S+)/.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("error", reject);
    child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
  });
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
