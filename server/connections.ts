import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, sleep } from "../shared/clock.ts";

export interface Connections {
  /** A connection's answers are told by this one. */
  began(socket: TLSSocket, answer: Answering): void;
  /** Takes no new ones, and lets those go on which nobody is answered; resolves when the last has ended, or is cut off when `patienceMs` are over. */
  end(patienceMs: number): Promise<void>;
}

/** Of a connection's last answer. */
export interface Answering {
  /** All of it is on its way. */
  readonly writableFinished: boolean;
  shouldKeepAlive: boolean;
}

const lookEveryMs = 50;

/**
 * The connections of a server that is to end without cutting anybody off. Node's own `close` and `closeIdleConnections` take an answer for sent while its end still
 * lies in the process's buffers, and destroy its connection.
 */
export function trackConnections(server: Server, clock: Clock): Connections {
  const answers = new Map<TLSSocket, Answering | undefined>();
  let ending = false;
  server.on("secureConnection", (socket) => {
    answers.set(socket, undefined);
    socket.once("close", () => answers.delete(socket));
  });
  const began = (socket: TLSSocket, answer: Answering): void => {
    if (ending) answer.shouldKeepAlive = false;
    if (answers.has(socket)) answers.set(socket, answer);
  };
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => began(socket as TLSSocket, response));
  return {
    began,
    async end(patienceMs) {
      ending = true;
      const closed = new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()));
      let stop = (): void => {};
      const endIdle = (): void => {
        for (const [socket, answer] of answers) {
          if (answer) answer.shouldKeepAlive = false;
          if (!answer || answer.writableFinished) socket.end();
        }
        stop = clock.after(lookEveryMs, endIdle);
      };
      endIdle();
      await Promise.race([closed, sleep(clock, patienceMs)]);
      stop();
      for (const socket of answers.keys()) socket.destroy();
      server.closeAllConnections();
    },
  };
}
