import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, sleep } from "../shared/clock.ts";

export interface Connections {
  /** Takes no new ones, and lets those go on which nobody is answered; resolves when the last has ended, or is cut off when `patienceMs` are over. */
  end(patienceMs: number): Promise<void>;
}

const lookEveryMs = 50;

/**
 * The connections of a server that is to end without cutting anybody off. Node's own `close` and `closeIdleConnections` take an answer for sent while its end still
 * lies in the process's buffers, and destroy its connection.
 */
export function trackConnections(server: Server, clock: Clock): Connections {
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
      let stop = (): void => {};
      const endIdle = (): void => {
        for (const [socket, answer] of answers) if (!answer || answer.writableFinished) socket.end();
        stop = clock.after(lookEveryMs, endIdle);
      };
      endIdle();
      await Promise.race([closed, sleep(clock, patienceMs)]);
      stop();
      server.closeAllConnections();
    },
  };
}
