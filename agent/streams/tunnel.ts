import { constants, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { type TunnelTarget, tunnelTarget, tunnelTargetHeader } from "../../shared/api/agent/protocol.ts";
import { TunnelStream } from "../../shared/api/agent/tunnel-stream.ts";

const streamWindowBytes = 256 * 1024;
const sessionWindowBytes = 4 * 1024 * 1024;
/** The server pings more often than that while it is there. */
const silenceMs = 45_000;
const maxStreams = 1000;

/** Where a stream of a tunnel leads to. `connected` is called before its first byte is read. */
export type AnswerConnect = (target: TunnelTarget, stream: { accept(): Duplex; refuse(message: string): void }) => void;

/** The node's end of a tunnel: the server opens streams, one `CONNECT` of HTTP/2 each. Resolves when the tunnel has ended. */
export function serveTunnel(connection: Duplex, answer: AnswerConnect): { readonly ended: Promise<void>; close(): void } {
  const session = performServerHandshake(connection, {
    settings: { enableConnectProtocol: false, initialWindowSize: streamWindowBytes, maxConcurrentStreams: maxStreams },
    maxSessionMemory: 64,
  });
  session.setLocalWindowSize(sessionWindowBytes);
  session.setTimeout(silenceMs, () => session.destroy());
  session.on("error", () => session.destroy());
  // A connection that may be half open would not tell it of its end.
  connection.once("end", () => session.destroy());
  session.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    const refuse = (status: number, message: string): void => {
      if (stream.destroyed) return;
      stream.respond({ [constants.HTTP2_HEADER_STATUS]: status });
      stream.end(message);
    };
    const target = tunnelTarget.safeParse(parseJson(headers[tunnelTargetHeader]));
    if (headers[constants.HTTP2_HEADER_METHOD] !== "CONNECT" || !target.success) return refuse(501, "not known to this node");
    answer(target.data, {
      accept() {
        if (!stream.destroyed) stream.respond({ [constants.HTTP2_HEADER_STATUS]: 200 });
        return new TunnelStream(stream);
      },
      refuse: (message) => refuse(502, message),
    });
  });
  const ended = new Promise<void>((resolve) => {
    session.once("close", () => {
      connection.destroy();
      resolve();
    });
  });
  return { ended, close: () => session.destroy() };
}

function parseJson(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
