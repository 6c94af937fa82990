import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { failure } from "../shared/api/rendering.ts";
import type { ApiRequest } from "../shared/api/request-info.ts";
import type { ApiResponse } from "../shared/api/response.ts";
import { type Clock, sleep } from "../shared/clock.ts";
import { repeatedly } from "../shared/host/repeatedly.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import type { Log } from "../shared/telemetry/log.ts";

/** What a server that ends answers on connections which are there already. */
export const refusedByApi = (request: ApiRequest): ApiResponse =>
  failure(new StatusError("ServiceUnavailable", "this server ends: ask again", { retryAfterSeconds: 1 }), request);
export const refused = (): Response => new Response("503 Service Unavailable\n", { status: 503, headers: { "retry-after": "1" } });

export interface Connections {
  /** Takes no new ones, and lets those go on which nobody is answered; resolves when the last has ended, or is cut off when `patienceMs` are over. */
  end(patienceMs: number): Promise<void>;
}

const lookEveryMs = 50;

/**
 * The connections of a server that is to end without cutting anybody off. Node's own `close` and `closeIdleConnections` take an answer for sent while its end still
 * lies in the process's buffers, and destroy its connection.
 */
export function trackConnections(server: Server, { clock, log }: { clock: Clock; log: Log }): Connections {
  const answers = new Map<TLSSocket, ServerResponse | undefined>();
  let ending = false;
  server.on("secureConnection", (socket) => {
    answers.set(socket, undefined);
    socket.once("close", () => answers.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (ending) response.shouldKeepAlive = false;
    if (answers.has(socket as TLSSocket)) answers.set(socket as TLSSocket, response);
  });
  return {
    async end(patienceMs) {
      ending = true;
      const closed = new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()));
      const endIdle = async (): Promise<void> => {
        for (const [socket, answer] of answers) if (!answer || answer.writableFinished) socket.end();
      };
      const stop = repeatedly({ clock, log }, lookEveryMs, endIdle);
      await Promise.race([closed, sleep(clock, patienceMs)]);
      stop();
      server.closeAllConnections();
    },
  };
}
