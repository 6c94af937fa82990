import type { IncomingMessage } from "node:http";
import { PassThrough, type Readable, Writable } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { UpgradeRequest } from "./command-request.ts";

const mostPayload = 1024 * 1024;

/** One channel of a WebSocket: each message begins with its number (`k8s.io/apimachinery/pkg/util/httpstream/wsstream`). */
export interface Channels {
  readonly protocol: string;
  /** What comes on a channel; ends with the connection, and earlier where the client says so. */
  input(channel: number): Readable;
  /** A channel to the client, which waits for one that reads slowly. */
  output(channel: number): Writable;
  send(channel: number, bytes: Buffer): void;
  readonly gone: AbortSignal;
  close(): void;
}

const closeSignal = 255;
const closesStreams = "v5.channel.k8s.io";
const isText = (protocol: string): boolean => protocol.endsWith("base64.channel.k8s.io");

/** Names with a slash (`SPDY/3.1+portforward.k8s.io`) are none of RFC 6455, so the library gets them in other letters. */
const inside = (protocols: string): string => protocols.replaceAll("/", "|");
const outside = (protocol: string): string => protocol.replaceAll("|", "/");
const protocolHeader = "sec-websocket-protocol";

/** Answers a request to go on as a WebSocket in one of these protocols. A refusal is answered, and then it never resolves. */
export function acceptWebSocket(request: UpgradeRequest, message: IncomingMessage, protocols: readonly string[]): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: mostPayload,
    perMessageDeflate: false,
    handleProtocols: (offered) => [...offered].find((each) => protocols.includes(outside(each))) ?? false,
  });
  const offered = message.headers[protocolHeader];
  if (offered !== undefined) message.headers[protocolHeader] = inside(offered);
  server.on("headers", (lines) => {
    for (const [index, line] of lines.entries()) if (line.toLowerCase().startsWith(`${protocolHeader}:`)) lines[index] = outside(line);
  });
  return new Promise((resolve) => {
    server.handleUpgrade(message, request.connection, Buffer.alloc(0), (socket) => {
      socket.on("error", () => socket.terminate());
      resolve(socket);
    });
  });
}

export function channelsOf(socket: WebSocket, known: readonly number[]): Channels {
  const { protocol } = socket;
  const text = isText(protocol);
  const inputs = new Map(known.map((channel) => [channel, new PassThrough({ highWaterMark: mostPayload })]));
  const gone = new AbortController();
  const end = (channel: number): void => void inputs.get(channel)?.end();
  socket.on("message", (bytes: Buffer, isBinary: boolean) => {
    const channel = text ? (bytes[0] ?? 0) - 0x30 : (bytes[0] ?? 0);
    if (protocol === closesStreams && isBinary && channel === closeSignal) return end(bytes[1] ?? closeSignal);
    const input = inputs.get(channel);
    const payload = text ? Buffer.from(bytes.toString("latin1", 1), "base64") : bytes.subarray(1);
    if (!input || input.writableEnded || payload.length === 0 || input.write(payload)) return;
    socket.pause();
    const resume = (): void => {
      input.off("drain", resume);
      input.off("close", resume);
      socket.resume();
    };
    input.on("drain", resume);
    input.on("close", resume);
  });
  socket.on("close", () => {
    gone.abort();
    for (const channel of inputs.keys()) end(channel);
  });
  const framed = (channel: number, bytes: Buffer): string | Buffer =>
    text ? `${channel}${bytes.toString("base64")}` : Buffer.concat([Buffer.from([channel]), bytes]);
  return {
    protocol,
    gone: gone.signal,
    input: (channel) => inputs.get(channel) ?? new PassThrough().end(),
    output: (channel) =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          // A client that is gone wants no more of it: what runs hears of that by `gone`.
          socket.send(framed(channel, chunk), () => done());
        },
      }),
    send: (channel, bytes) => socket.send(framed(channel, bytes), () => {}),
    close: () => socket.close(1000),
  };
}
