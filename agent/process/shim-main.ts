import { spawn } from "node:child_process";
import { closeSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, Socket } from "node:net";
import { constants as osConstants } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { createLogWriter } from "./log-writer.ts";
import { openInputPipe, openOutputPipe, openSilentPipe } from "./named-pipe.ts";
import { startTicksOf, targetOf } from "./process-facts.ts";
import { type ExitRecord, lineSplitter, type ShimMessage, type StartRecord, shimRequest, shimSocket } from "./shim-protocol.ts";
import { processOn } from "./terminal.ts";

/**
 * The supervisor of a process node: the parent of its containers' processes, which outlives the agent. It writes their output in CRI
 * format and how they ended to disk, so that an agent that comes back knows both. Run as `node shim-main.ts` in its state directory;
 * it ends by itself when it has neither children nor an agent.
 */
const idleMs = 60_000;
/** Output may follow the end of its process; a descendant that keeps the pipe open is not waited for longer than this. */
const drainMs = 500;
/** A program that holds a terminal has its child within this. */
const terminalMs = 1_000;

interface Child {
  /** The container's own process. */
  pid: number;
  readonly attached: Set<Socket>;
  /** Keeps its input open. */
  input: number | undefined;
  readonly inputEndsOnce: boolean;
}

const children = new Map<string, Child>();
const refused = new Set<string>();
const agents = new Set<Socket>();
let idleTimer: NodeJS.Timeout | undefined;

function send(socket: Socket, message: ShimMessage): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

function endWhenIdle(): void {
  clearTimeout(idleTimer);
  if (children.size > 0 || agents.size > 0) return;
  idleTimer = setTimeout(() => process.exit(0), idleMs);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function endInput(child: Child): void {
  if (child.input !== undefined) closeSync(child.input);
  child.input = undefined;
}

/** Tells whoever is attached; the container waits for the slowest of them, as containerd's do. */
function tell(child: Child, source: Socket, stream: "stdout" | "stderr", chunk: Buffer): void {
  const message = `${JSON.stringify({ event: "output", stream, base64: chunk.toString("base64") } satisfies ShimMessage)}\n`;
  for (const socket of child.attached) {
    if (socket.write(message)) continue;
    source.pause();
    const resume = (): void => {
      socket.off("drain", resume);
      socket.off("close", resume);
      source.resume();
    };
    socket.on("drain", resume);
    socket.on("close", resume);
  }
}

function attach(socket: Socket, containerId: string): void {
  const child = children.get(containerId);
  if (child === undefined) throw new Error(`container ${containerId} is not running`);
  child.attached.add(socket);
  socket.once("close", () => child.attached.delete(socket));
}

/** Where a terminal is held by a program of its own, the container's process is a moment later; that program's, when it has ended before. */
function awaitProcessOn(holder: number): number {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < terminalMs && startTicksOf(holder) !== ""; waited++) {
    const pid = processOn(holder);
    if (pid !== undefined) return pid;
    Atomics.wait(pause, 0, 0, 1);
  }
  return holder;
}

type StartRequest = Extract<z.output<typeof shimRequest>, { kind: "start" }>;

function inputOf({ stdin, terminal, directory }: StartRequest): { readonly read?: number; readonly held?: number } {
  if (stdin !== "none") return openInputPipe(join(directory, "stdin"));
  // A terminal's input must not end: the terminal would say so to what runs there.
  return terminal ? { read: openSilentPipe(join(directory, "silence")) } : {};
}

function start(request: StartRequest): void {
  const { containerId, directory } = request;
  if (refused.has(containerId)) throw new Error(`container ${containerId} was given up`);
  if (children.has(containerId)) throw new Error(`container ${containerId} runs already`);
  const writer = createLogWriter(request.logPath, Date.now);
  const pipes = { stdout: openOutputPipe(join(directory, "stdout")), stderr: openOutputPipe(join(directory, "stderr")) };
  const input = inputOf(request);
  const child = spawn(request.file, request.args, {
    cwd: request.workingDirectory,
    env: request.environment,
    detached: true,
    stdio: [input.read ?? "ignore", pipes.stdout.write, pipes.stderr.write],
  });
  if (input.read !== undefined) closeSync(input.read);
  closeSync(pipes.stdout.write);
  closeSync(pipes.stderr.write);
  const attached = new Set<Socket>();
  const drained = (["stdout", "stderr"] as const).map((stream) => {
    const socket = new Socket({ fd: pipes[stream].read, readable: true, writable: false });
    socket.on("data", (chunk: Buffer) => {
      writer.write(stream, chunk);
      if (attached.size > 0) tell(entry, socket, stream, chunk);
    });
    socket.on("error", () => socket.destroy());
    return { socket, ended: new Promise<void>((resolve) => socket.once("close", () => resolve())) };
  });
  const entry: Child = { pid: 0, attached, input: input.held, inputEndsOnce: request.stdin === "once" };
  const startedAtMs = Date.now();
  const finish = async (exitCode: number, signal: number, reason: string): Promise<void> => {
    const finishedAtMs = Date.now();
    await Promise.race([Promise.all(drained.map(({ ended }) => ended)), new Promise((resolve) => setTimeout(resolve, drainMs))]);
    for (const { socket } of drained) socket.destroy();
    writer.end();
    endInput(entry);
    for (const stream of ["stdin", "silence", "stdout", "stderr"]) rmSync(join(directory, stream), { force: true });
    const record: ExitRecord = { startedAtMs, finishedAtMs, exitCode, signal, reason };
    try {
      writeJson(join(directory, "exit.json"), record);
    } catch {
      // The container's directory was removed: nobody asks any more.
    }
    children.delete(containerId);
    for (const agent of agents) send(agent, { event: "exited", containerId });
    endWhenIdle();
  };
  child.once("error", () => void finish(128, 0, "StartError"));
  child.once("exit", (code, signalName) => {
    const signal = signalName === null ? 0 : osConstants.signals[signalName];
    const exitCode = code ?? 128 + signal;
    void finish(exitCode, signal, exitCode === 0 ? "Completed" : "Error");
  });
  if (child.pid === undefined) return;
  entry.pid = request.terminal ? awaitProcessOn(child.pid) : child.pid;
  children.set(containerId, entry);
  const record: StartRecord = { pid: entry.pid, startedAtMs, startTicks: startTicksOf(entry.pid) };
  writeJson(join(directory, "started.json"), record);
}

function handle(socket: Socket, line: string): void {
  const parsed = shimRequest.safeParse(JSON.parse(line));
  if (!parsed.success) return;
  const request = parsed.data;
  try {
    if (request.kind === "start") start(request);
    if (request.kind === "list") for (const id of request.neverStart ?? []) if (!children.has(id)) refused.add(id);
    if (request.kind === "signal") {
      const pid = children.get(request.containerId)?.pid;
      if (pid !== undefined) process.kill(targetOf(pid, request.signal), request.signal);
    }
    if (request.kind === "attach") attach(socket, request.containerId);
    if (request.kind === "inputEnded") {
      const child = children.get(request.containerId);
      if (child?.inputEndsOnce) endInput(child);
    }
    send(socket, { id: request.id, ok: true, ...(request.kind === "list" ? { containerIds: [...children.keys()] } : {}) });
  } catch (error) {
    send(socket, { id: request.id, ok: false, error: error instanceof Error ? error.message : String(error) });
  }
}

function serve(): Server {
  const server = createServer((socket) => {
    agents.add(socket);
    clearTimeout(idleTimer);
    socket.setEncoding("utf8");
    const split = lineSplitter((line) => handle(socket, line));
    socket.on("data", (chunk) => split(String(chunk)));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      agents.delete(socket);
      endWhenIdle();
    });
  });
  return server;
}

const server = serve();
server.on("error", () => {
  // The socket is there: either another supervisor serves this node, or one died and left it.
  const probe = connect(shimSocket);
  probe.once("connect", () => process.exit(0));
  probe.once("error", () => {
    rmSync(shimSocket, { force: true });
    server.listen(shimSocket);
  });
});
process.umask(0o077);
server.listen(shimSocket, () => {
  process.umask(0o022);
  writeFileSync("shim.pid", String(process.pid), { mode: 0o600 });
  endWhenIdle();
});
for (const signal of ["SIGINT", "SIGHUP", "SIGPIPE"] as const) process.on(signal, () => {});
