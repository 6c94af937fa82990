import { createServer, connect as openConnection, type Socket } from "node:net";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { listenOn } from "./listen-on.ts";

export interface ApiProxyOptions {
  /** `https://host:port` of the server; only host and port matter, what passes through stays encrypted from end to end. */
  readonly serverUrl: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** The way of a node's pods to the API server: bytes in, bytes out. */
export interface ApiProxy {
  /** Port 0 takes a free one. Rejects when the address cannot be bound. */
  listen(address: string, port: number): Promise<{ readonly port: number }>;
  /** Ends at once, connections too. */
  close(): Promise<void>;
}

const connectTimeoutMs = 10_000;
const keepAliveMs = 30_000;

export function createApiProxy({ serverUrl, clock, log }: ApiProxyOptions): ApiProxy {
  const { hostname, port: serverPort, protocol } = new URL(serverUrl);
  const target = {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: serverPort === "" ? (protocol === "http:" ? 80 : 443) : Number(serverPort),
    allowHalfOpen: true,
  };
  const open = new Set<Socket>();

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = openConnection(target);
    const cancel = clock.after(connectTimeoutMs, () => {
      log.warn("the API server cannot be reached for a pod", { host: target.host, port: target.port });
      upstream.destroy();
    });
    upstream.once("connect", cancel);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveMs);
      socket.on("error", (cause) => log.debug("connection to the API server broke", { reason: cause.message }));
      socket.once("close", () => {
        cancel();
        open.delete(socket);
        other.destroySoon();
      });
      socket.pipe(other);
    }
  });

  return {
    listen: (address, port) => listenOn(server, address, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
