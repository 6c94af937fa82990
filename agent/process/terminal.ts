import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { promisify } from "node:util";
import type { TerminalSize } from "../runtime.ts";
import { type CommandLine, quoted } from "./launch.ts";

const run = promisify(execFile);

/** Holds the terminal's other end, needs no native module, and hands the exit code on. Of util-linux, as `unshare` and `nsenter` are. */
export const terminalProgram = "script";

export interface TerminalCommand extends CommandLine {
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The same command on a terminal of its own, which belongs to `owner`: `script` runs it as its only child and passes on what comes and goes. When
 * the input ends, the terminal is told so (Ctrl-D).
 */
export function onTerminal({ file, args, environment }: TerminalCommand, owner: number | undefined): TerminalCommand {
  const { SHELL: shell, ...others } = environment;
  const line = [
    // `script` takes the shell to run the line with from there.
    shell === undefined ? "unset SHELL" : `SHELL=${quoted(shell)}`,
    ...(owner === undefined ? [] : [`chown ${owner} /proc/self/fd/0 2>/dev/null`]),
    `exec ${[file, ...args].map(quoted).join(" ")}`,
  ].join("; ");
  return {
    file: terminalProgram,
    args: ["-q", "-e", "-E", "always", "-c", line, "/dev/null"],
    environment: { TERM: "xterm", ...others, SHELL: "/bin/sh" },
  };
}

/** The process on the terminal that a `script` holds; undefined: it is not there yet, or no more. */
export function processOn(script: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${script}/task/${script}/children`, "utf8").split(" ");
    return child ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}

const terminalTries = 50;
const terminalTryMs = 20;
const sttyMs = 1000;

/** Gives the terminal of a process a size; false: it has none (yet). A failure is for good. */
export type ResizeTerminal = (pid: number, size: TerminalSize) => Promise<boolean>;

/** The kernel tells the foreground program of the terminal. */
const resizeTerminal: ResizeTerminal = async (pid, { columns, rows }) => {
  const terminal = await readlink(`/proc/${pid}/fd/0`).catch(() => "");
  if (!/^\/dev\/pts\/\d+$/.test(terminal)) return false;
  await run("stty", ["-F", terminal, "rows", String(rows), "cols", String(columns)], { timeout: sttyMs, killSignal: "SIGKILL" });
  return true;
};

/**
 * Takes the sizes of a client's terminal in their order: one is carried out at a time, and of those that came meanwhile the last. (kubectl sends
 * two at once, a wrong one first, so that the program inside draws anew.) The first may come when the command has hardly begun: each is tried
 * again for a second.
 */
export function terminalSizer(processId: () => number | undefined, resize = resizeTerminal): (size: TerminalSize) => void {
  let wanted: TerminalSize | undefined;
  let working = false;
  /** Whether there was a terminal: one that takes no size now takes it no more later. */
  const attempt = async (size: TerminalSize): Promise<boolean> => {
    const pid = processId();
    return pid !== undefined && (await resize(pid, size).catch(() => true));
  };
  const carryOut = async (): Promise<void> => {
    for (let tries = 1; wanted !== undefined; tries++) {
      const size = wanted;
      const isOver = (await attempt(size)) || tries === terminalTries;
      if (!isOver) await new Promise((resolve) => setTimeout(resolve, terminalTryMs));
      if (wanted !== size) tries = 0;
      else if (isOver) wanted = undefined;
    }
    working = false;
  };
  return (size) => {
    wanted = size;
    if (working) return;
    working = true;
    void carryOut();
  };
}
