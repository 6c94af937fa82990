import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { createWebSocketStream } from "ws";
import { listed, type UpgradeRequest } from "./command-request.ts";
import { joinStreams } from "./join.ts";
import { acceptSpdy } from "./spdy/accept.ts";
import { createSpdyConnection, type SpdyConnection, type SpdyStream } from "./spdy/connection.ts";
import { acceptWebSocket, channelsOf } from "./websocket.ts";

/** Connects to a port of the pod. @throws Error (rejects) */
export type Forward = (port: number) => Promise<Duplex>;

export interface ForwardedPod {
  readonly name: string;
  readonly uid: string;
  readonly forward: Forward;
}

const spdyProtocols = ["portforward.k8s.io"];
const tunnelPrefix = "SPDY/3.1+";
const channelProtocols = ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"];
/** kubelet's `DefaultStreamCreationTimeout`. */
const pairMs = 30_000;

const problemOf = ({ name, uid }: ForwardedPod, port: number, error: unknown): string =>
  `error forwarding port ${port} to pod ${name}, uid ${uid}: ${error instanceof Error ? error.message : String(error)}`;

interface Pair {
  data: SpdyStream | undefined;
  error: SpdyStream | undefined;
  readonly stopTimer: () => void;
}

/** The streams of SPDY come in pairs of one request: data, and what went wrong. */
function pairs(pod: ForwardedPod): (stream: SpdyStream) => "refused" | undefined {
  const waiting = new Map<string, Pair>();
  return (stream) => {
    const { headers } = stream;
    const port = Number(headers.get("port"));
    const type = headers.get("streamtype");
    if (!Number.isInteger(port) || port < 1 || port > 65535 || (type !== "data" && type !== "error")) return "refused";
    // Clients of old name no request: theirs are streams that follow each other.
    const id = headers.get("requestid") ?? String(type === "error" ? stream.streamId : stream.streamId - 2);
    const pair = waiting.get(id) ?? newPair(id);
    if (pair[type] !== undefined) return "refused";
    pair[type] = stream;
    const { data, error } = pair;
    if (!data || !error) return undefined;
    pair.stopTimer();
    waiting.delete(id);
    // What the other side says on it is nothing, but its end must be read.
    error.resume();
    setImmediate(() => void serve(pod, port, data, error));
    return undefined;
  };

  function newPair(id: string): Pair {
    const timer = setTimeout(() => {
      waiting.delete(id);
      pair.error?.end(`(request=${id}) timed out waiting for streams`);
      pair.data?.reset();
    }, pairMs);
    const pair: Pair = { data: undefined, error: undefined, stopTimer: () => clearTimeout(timer) };
    waiting.set(id, pair);
    return pair;
  }
}

async function serve(pod: ForwardedPod, port: number, data: SpdyStream, error: SpdyStream): Promise<void> {
  try {
    const connection = await pod.forward(port);
    if (data.destroyed) return void connection.destroy();
    await joinStreams(data, connection);
    error.end();
  } catch (cause) {
    error.end(problemOf(pod, port, cause));
    data.reset();
  }
}

/** Serves a pod's ports over SPDY/3.1. */
export async function forwardOverSpdy(request: UpgradeRequest, pod: ForwardedPod): Promise<void> {
  const accepted = acceptSpdy(request, spdyProtocols, pairs(pod));
  await accepted?.spdy.ended;
}

/**
 * Serves a pod's ports over a WebSocket: SPDY/3.1 through it (KEP-4006), or the channels of version 4, two a port of the query: data and error,
 * each of which begins with the port's number.
 */
export async function forwardOverWebSocket(
  request: UpgradeRequest,
  message: IncomingMessage,
  pod: ForwardedPod,
  query: URLSearchParams,
): Promise<void> {
  const offered = listed(request.header("sec-websocket-protocol"));
  if (offered.some((protocol) => protocol.startsWith(tunnelPrefix))) {
    const socket = await acceptWebSocket(
      request,
      message,
      spdyProtocols.map((protocol) => `${tunnelPrefix}${protocol}`),
    );
    const spdy: SpdyConnection = createSpdyConnection(createWebSocketStream(socket), { role: "server", onStream: pairs(pod) });
    return spdy.ended;
  }
  const ports = portsOf(query);
  if (typeof ports === "string") return request.refuse(400, ports);
  const socket = await acceptWebSocket(request, message, channelProtocols);
  const client = channelsOf(
    socket,
    ports.map((_, index) => index * 2),
  );
  await Promise.all(
    ports.map(async (port, index) => {
      const [data, error] = [index * 2, index * 2 + 1];
      const number = Buffer.alloc(2);
      number.writeUInt16LE(port);
      client.send(data, number);
      client.send(error, number);
      try {
        const connection = await pod.forward(port);
        await joinStreams(Duplex.from({ readable: client.input(data), writable: client.output(data) }), connection);
      } catch (cause) {
        client.send(error, Buffer.from(problemOf(pod, port, cause)));
      }
    }),
  );
  client.close();
}

function portsOf(query: URLSearchParams): number[] | string {
  const texts = query.getAll("port");
  if (texts.length === 0) return 'query parameter "port" is required';
  const ports: number[] = [];
  for (const text of texts.flatMap((each) => each.split(","))) {
    if (text === "") return 'query parameter "port" cannot be empty';
    if (!/^\d+$/.test(text) || Number(text) > 65535)
      return `unable to parse ${JSON.stringify(text)} as a port: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${/^\d+$/.test(text) ? "value out of range" : "invalid syntax"}`;
    if (Number(text) < 1) return `port ${JSON.stringify(text)} must be > 0`;
    ports.push(Number(text));
  }
  return ports;
}
