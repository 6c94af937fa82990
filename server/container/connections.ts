import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";

export interface Connections {
  /** Takes no new ones; resolves when the last has ended. */
  refuse(): Promise<void>;
  /** Ends those on which nobody is answered. */
  endIdle(): void;
}

/**
 * The connections of a server that is to end without cutting anybody off. Node's own `close` and `closeIdleConnections` take an answer for sent while its end still
 * lies in the process's buffers, and destroy its connection.
 */
export function trackConnections(server: Server): Connections {
  const answers = new Map<TLSSocket, ServerResponse | undefined>();
  server.on("secureConnection", (socket) => {
    answers.set(socket, undefined);
    socket.once("close", () => answers.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (answers.has(socket as TLSSocket)) answers.set(socket as TLSSocket, response);
  });
  return {
    refuse: () => new Promise((resolve) => void NetServer.prototype.close.call(server, () => resolve())),
    endIdle() {
      for (const [socket, answer] of answers) if (!answer || answer.writableFinished) socket.end();
    },
  };
}
