import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { type ContainerStreams, RuntimeError, type StreamingRuntime } from "../runtime.ts";
import { createSpdyConnection, type SpdyConnection, type SpdyStream, spdyProtocol } from "../streams/spdy/connection.ts";
import { type CriClient, CriError } from "./cri-client.ts";

const streamUrl = z.object({ url: z.url() });
const openMs = 30_000;
const commandProtocol = "v4.channel.k8s.io";
const forwardProtocol = "portforward.k8s.io";
const longestStatus = 64 * 1024;

/** What a command of the runtime ended with: a `Status` on the error stream (protocol version 4). */
const status = z.looseObject({
  status: z.string(),
  message: z.string().default(""),
  reason: z.string().default(""),
  details: z
    .looseObject({ causes: z.array(z.looseObject({ reason: z.string().default(""), message: z.string().default("") })).default([]) })
    .nullish(),
});

/**
 * Streams by the runtime's own server: CRI answers a URL of the machine, and SPDY/3.1 is spoken there, which containerd 1.6 and all later speak
 * and which, unlike their WebSockets, can end an input.
 */
export function createCriStreaming(cri: CriClient): StreamingRuntime {
  const urlOf = async (method: "Exec" | "Attach" | "PortForward", request: object): Promise<string> => {
    try {
      return (await cri.call("RuntimeService", method, request, streamUrl)).url;
    } catch (error) {
      throw error instanceof CriError ? new RuntimeError(`${method}Error`, error.message, error) : error;
    }
  };
  const asked = (io: ContainerStreams) => ({
    ...{ tty: io.tty, stdin: io.stdin !== undefined, stdout: io.stdout !== undefined, stderr: io.stderr !== undefined },
  });
  return {
    async exec(containerId, command, io) {
      const url = await urlOf("Exec", { container_id: containerId, cmd: command, ...asked(io) });
      return { exitCode: await runCommand(url, io) };
    },
    async attach(containerId, io) {
      await runCommand(await urlOf("Attach", { container_id: containerId, ...asked(io) }), io);
    },
    async forward(sandboxId, port) {
      const spdy = await openSpdy(await urlOf("PortForward", { pod_sandbox_id: sandboxId, port: [port] }), forwardProtocol);
      try {
        const headers = { port: String(port), requestid: "0" };
        const error = await spdy.open({ ...headers, streamtype: "error" });
        error.end();
        const data = await spdy.open({ ...headers, streamtype: "data" });
        data.once("close", () => spdy.close());
        return await connected(data, error);
      } catch (error) {
        spdy.close();
        throw error;
      }
    },
  };
}

/** How long a refusal by the pod is waited for: the runtime tells no success, only failure. */
const refusalMs = 100;

/** The stream, unless the runtime says at once that nothing listens. */
async function connected(data: SpdyStream, error: SpdyStream): Promise<Duplex> {
  const text = textOf(error);
  const said = await Promise.race([text, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), refusalMs))]);
  if (said) throw new Error(said);
  void text.then((later) => {
    if (later) data.destroy();
  });
  return data;
}

async function runCommand(url: string, io: ContainerStreams): Promise<number> {
  const spdy = await openSpdy(url, commandProtocol);
  const close = (): void => spdy.close();
  io.gone.addEventListener("abort", close);
  try {
    if (io.gone.aborted) close();
    const error = await spdy.open({ streamtype: "error" });
    error.end();
    const said = textOf(error);
    const stdin = io.stdin && (await spdy.open({ streamtype: "stdin" }));
    const outputs = [];
    for (const name of ["stdout", "stderr"] as const) {
      const receiver = io[name];
      if (!receiver) continue;
      const source = await spdy.open({ streamtype: name });
      source.end();
      source.pipe(receiver, { end: false });
      outputs.push(source);
    }
    if (io.tty) {
      const sizes = await spdy.open({ streamtype: "resize" });
      io.onResize(({ columns, rows }) => sizes.write(JSON.stringify({ Width: columns, Height: rows })));
    }
    // Only now: the runtime reads no input before it has all streams, and much of it would leave no way for the opening of another.
    if (io.stdin && stdin) feed(io.stdin, stdin);
    const text = await said;
    await Promise.allSettled(outputs.map((source) => finished(source, { writable: false })));
    return exitCodeOf(text);
  } finally {
    io.gone.removeEventListener("abort", close);
    close();
  }
}

function feed(source: NonNullable<ContainerStreams["stdin"]>, stdin: SpdyStream): void {
  source.pipe(stdin);
  stdin.resume();
  // What nobody reads any more is thrown away, so that the client's other streams go on.
  stdin.once("close", () => source.resume());
}

function exitCodeOf(text: string): number {
  let parsed: z.output<typeof status> | undefined;
  try {
    parsed = status.safeParse(JSON.parse(text)).data;
  } catch {
    // No document: told below.
  }
  if (parsed === undefined) throw new RuntimeError("ExecError", text === "" ? "the runtime's connection was lost" : text);
  if (parsed.status === "Success") return 0;
  const code = Number(parsed.details?.causes.find(({ reason }) => reason === "ExitCode")?.message);
  if (parsed.reason === "NonZeroExitCode" && Number.isInteger(code)) return code;
  throw new RuntimeError("ExecError", parsed.message);
}

/** What comes on a stream until it ends, whoever ends it. */
function textOf(stream: SpdyStream): Promise<string> {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(0, longestStatus);
  });
  return finished(stream, { writable: false }).then(
    () => text,
    () => text,
  );
}

function openSpdy(url: string, protocol: string): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const isSecure = url.startsWith("https:");
    const headers = { connection: "Upgrade", upgrade: spdyProtocol, "x-stream-protocol-version": protocol };
    // It is the machine's own server: what vouches for it is the socket that named it.
    const options = { method: "POST", headers, timeout: openMs, agent: false, ...(isSecure && { rejectUnauthorized: false }) };
    const outgoing = (isSecure ? httpsRequest : httpRequest)(url, options);
    outgoing.once("upgrade", (_answer, socket, head) => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      if (head.length > 0) socket.unshift(head);
      resolve(createSpdyConnection(socket, { role: "client" }));
    });
    outgoing.once("response", (answer) => {
      answer.destroy();
      reject(new RuntimeError("StreamError", `the runtime's server answers ${answer.statusCode}`));
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.once("error", (error) => reject(new RuntimeError("StreamError", `the runtime's server: ${error.message}`, error)));
    outgoing.end();
  });
}
