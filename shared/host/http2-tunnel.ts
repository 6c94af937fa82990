import { type ClientHttp2Session, connect } from "node:http2";
import type { Duplex } from "node:stream";
import type { TunnelSession } from "../api/agent/node-tunnels.ts";
import { tunnelTargetHeader } from "../api/agent/protocol.ts";
import { TunnelStream } from "../api/agent/tunnel-stream.ts";
import { ConnectError } from "../api/pod-streams.ts";
import type { Clock } from "../clock.ts";

/** What one stream, and what all of them, may have on the way unread. */
const streamWindowBytes = 256 * 1024;
const sessionWindowBytes = 4 * 1024 * 1024;
/** A connection whose other end vanished without a word is noticed by this. */
const pingMs = 15_000;
const maxStreams = 1000;
const longestProblem = 4096;

/** The server's end of a tunnel over a connection that an agent opened: it is the client of HTTP/2 there. */
export function createTunnelSession(connection: Duplex, clock: Clock): TunnelSession {
  const session: ClientHttp2Session = connect("http://node", {
    createConnection: () => connection,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes },
    peerMaxConcurrentStreams: maxStreams,
    maxSessionMemory: 64,
  });
  session.on("connect", () => session.setLocalWindowSize(sessionWindowBytes));
  const closeListeners = new Set<() => void>();
  const idleListeners = new Set<() => void>();
  let open = 0;
  let cancelPing = (): void => {};
  const ping = (): void => {
    let answered = false;
    const sent = session.destroyed || session.ping(() => (answered = true));
    cancelPing = clock.after(pingMs, () => {
      if (!sent || !answered) session.destroy();
      else ping();
    });
  };
  ping();
  session.on("error", () => session.destroy());
  // A connection that may be half open would not tell it of its end.
  connection.once("end", () => session.destroy());
  session.on("close", () => {
    cancelPing();
    connection.destroy();
    for (const listener of closeListeners) listener();
  });
  const released = (): void => {
    open--;
    if (open === 0) for (const listener of idleListeners) listener();
  };

  return {
    get idle() {
      return open === 0;
    },
    connect(target) {
      return new Promise((resolve, reject) => {
        if (session.destroyed || session.closed) return reject(new ConnectError("the node's connection has ended"));
        const stream = session.request(
          { ":method": "CONNECT", ":authority": "node", [tunnelTargetHeader]: JSON.stringify(target) },
          { endStream: false },
        );
        open++;
        stream.once("close", released);
        const fail = (): void => reject(new ConnectError("the node's connection has ended"));
        stream.once("close", fail);
        // Before there is an answer, `close` says it.
        stream.on("error", () => {});
        stream.once("response", (headers) => {
          stream.off("close", fail);
          if (headers[":status"] === 200) return resolve(new TunnelStream(stream));
          readText(stream, (text) => reject(new ConnectError(text)));
        });
      });
    },
    end: () => session.close(),
    close: () => session.destroy(),
    onIdle(listener) {
      idleListeners.add(listener);
      if (open === 0) listener();
    },
    onClose: (listener) => void closeListeners.add(listener),
  };
}

function readText(stream: Duplex, take: (text: string) => void): void {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(0, longestProblem);
  });
  stream.once("close", () => take(text));
  stream.end();
}
