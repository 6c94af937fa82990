import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lineSplitter, type ShimRequest, shimMessage, shimSocket } from "./shim-protocol.ts";

type Plain<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** The agent's end of the supervisor: starts one when there is none, and finds the one that is there. */
export interface ShimClient {
  /** @throws Error as the supervisor refuses, or when none can be reached. */
  call(request: Plain<ShimRequest>): Promise<readonly string[]>;
  /** Tells what a container writes from now on. Answers how to stop it. @throws Error as `call` */
  attach(containerId: string, listener: OutputListener): Promise<() => void>;
  close(): void;
}

export interface OutputListener {
  /** false: no more until `resume` is called, which `drained` gets. */
  output(stream: "stdout" | "stderr", bytes: Buffer): boolean;
  drained(resume: () => void): void;
  /** The container has ended, or its supervisor has. */
  ended(): void;
}

/** One of an older version does not answer what it does not know. */
const attachMs = 5_000;
const startTries = 250;
const tryMs = 20;
/** A Unix socket's path must fit in 108 bytes; a longer one is reached through the supervisor's working directory. */
const longestPath = 100;

export function createShimClient(directory: string, onExited: (containerId: string) => void): ShimClient {
  const waiting = new Map<number, { resolve(ids: readonly string[]): void; reject(error: Error): void }>();
  let connecting: Promise<Socket> | undefined;
  let lastId = 0;
  let closed = false;

  const attach = (socket: Socket): void => {
    socket.setEncoding("utf8");
    const split = lineSplitter((line) => {
      const parsed = shimMessage.safeParse(JSON.parse(line));
      if (!parsed.success) return;
      const message = parsed.data;
      if ("event" in message) {
        if (message.event === "exited") onExited(message.containerId);
        return;
      }
      const entry = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.ok) entry?.resolve(message.containerIds ?? []);
      else entry?.reject(new Error(message.error));
    });
    socket.on("data", (chunk) => split(String(chunk)));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      connecting = undefined;
      for (const { reject } of waiting.values()) reject(new Error("the supervisor of processes went away"));
      waiting.clear();
    });
  };

  const reach = async (): Promise<Socket | undefined> => {
    const path = join(directory, shimSocket);
    const pid = path.length > longestPath ? (await readFile(join(directory, "shim.pid"), "utf8").catch(() => "")).trim() : "";
    if (path.length > longestPath && pid === "") return undefined;
    return new Promise((resolve) => {
      const socket = connect(pid === "" ? path : `/proc/${pid}/cwd/${shimSocket}`);
      socket.once("connect", () => resolve(socket));
      socket.once("error", () => resolve(undefined));
    });
  };

  const open = async (): Promise<Socket> => {
    let socket = await reach();
    if (socket === undefined) {
      const main = fileURLToPath(new URL("./shim-main.ts", import.meta.url));
      const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
      spawn(process.execPath, [main], { cwd: directory, detached: true, stdio: "ignore", env }).unref();
    }
    for (let tries = 0; socket === undefined && tries < startTries; tries++) {
      await new Promise((resolve) => setTimeout(resolve, tryMs));
      socket = await reach();
    }
    if (socket === undefined) throw new Error("the supervisor of processes does not start");
    attach(socket);
    return socket;
  };

  return {
    async call(request) {
      if (closed) throw new Error("the runtime is closed");
      connecting ??= open().catch((error: unknown) => {
        connecting = undefined;
        throw error;
      });
      const socket = await connecting;
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        socket.write(`${JSON.stringify({ id, ...request })}\n`);
      });
    },
    async attach(containerId, { output, drained, ended }) {
      const socket = await reach();
      if (socket === undefined) throw new Error("the supervisor of processes is not there");
      socket.setEncoding("utf8");
      const attached = Promise.withResolvers<void>();
      const timer = setTimeout(() => attached.reject(new Error("the supervisor of processes does not attach")), attachMs);
      const take = (line: string): void => {
        const message = shimMessage.safeParse(JSON.parse(line)).data;
        if (message === undefined) return;
        if (!("event" in message)) {
          if (message.ok) attached.resolve();
          else attached.reject(new Error(message.error));
          return;
        }
        if (message.event === "exited") {
          if (message.containerId === containerId) socket.destroy();
          return;
        }
        if (output(message.stream, Buffer.from(message.base64, "base64"))) return;
        socket.pause();
        drained(() => socket.resume());
      };
      const split = lineSplitter(take);
      socket.on("data", (chunk) => split(String(chunk)));
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        attached.reject(new Error("the supervisor of processes went away"));
        ended();
      });
      socket.write(`${JSON.stringify({ id: 1, kind: "attach", containerId })}\n`);
      try {
        await attached.promise;
      } catch (error) {
        socket.destroy();
        throw error;
      } finally {
        clearTimeout(timer);
      }
      return () => socket.destroy();
    },
    close() {
      closed = true;
      void connecting?.then(
        (socket) => socket.destroy(),
        () => undefined,
      );
    },
  };
}
