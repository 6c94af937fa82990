import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { Socket } from "node:net";
import { constants as osConstants, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type ContainerStreams, RuntimeError } from "../runtime.ts";
import { type InsideRequest, insideCommand } from "./inside.ts";
import { openInputPipe, openOutputPipe } from "./named-pipe.ts";
import { onTerminal, processOn, terminalSizer } from "./terminal.ts";

/** A descendant that keeps the output open is not waited for longer than this. */
const drainMs = 1000;

/** Runs a command beside a container's process with streams of its own. Ends the command when whoever wanted it has gone. */
export async function execStreams(request: InsideRequest, io: ContainerStreams): Promise<{ exitCode: number }> {
  const inside = await insideCommand(request);
  const { file, args, environment } = io.tty ? onTerminal(inside, request.security.runAsUser) : inside;
  const directory = await mkdtemp(join(tmpdir(), "coracle-exec-"));
  const input = io.stdin === undefined ? undefined : openInputPipe(join(directory, "stdin"));
  const outputs = { stdout: openOutputPipe(join(directory, "stdout")), stderr: openOutputPipe(join(directory, "stderr")) };
  let child: ChildProcess;
  let exit: Promise<number>;
  try {
    child = spawn(file, args, {
      cwd: inside.workingDirectory,
      env: environment,
      detached: true,
      stdio: [input?.read ?? "ignore", outputs.stdout.write, outputs.stderr.write],
    });
    // Before anything is waited for: a short command may end meanwhile.
    exit = ended(child);
  } finally {
    for (const fd of [input?.read, outputs.stdout.write, outputs.stderr.write]) if (fd !== undefined) closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  }
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
  };
  io.gone.addEventListener("abort", kill);
  if (io.gone.aborted) kill();
  if (io.stdin && input) {
    const writer = new Socket({ fd: input.held, readable: false, writable: true });
    // A command that does not read to the end of its input is no failure.
    pipeline(io.stdin, writer).catch(() => io.stdin?.resume());
    child.once("exit", () => writer.destroy());
  }
  const drained = (["stdout", "stderr"] as const).map((name) => forward(outputs[name].read, io[name]));
  if (io.tty) io.onResize(terminalSizer(() => (child.pid === undefined ? undefined : processOn(child.pid))));
  try {
    const exitCode = await exit;
    await Promise.race([Promise.all(drained.map(({ done }) => done)), new Promise((resolve) => setTimeout(resolve, drainMs))]);
    return { exitCode };
  } finally {
    io.gone.removeEventListener("abort", kill);
    for (const { source } of drained) source.destroy();
  }
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new RuntimeError("ExecError", error.message, error)));
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : osConstants.signals[signal])));
  });
}

/** Everything that comes from a pipe, at the receiver's pace; without a receiver it is thrown away. */
function forward(fd: number, receiver: ContainerStreams["stdout"]): { readonly source: Socket; readonly done: Promise<void> } {
  const source = new Socket({ fd, readable: true, writable: false });
  source.on("error", () => source.destroy());
  const done = new Promise<void>((resolve) => void source.once("close", () => resolve()));
  if (receiver === undefined) source.resume();
  else source.pipe(receiver, { end: false });
  return { source, done };
}
