import type { Clock } from "../shared/clock.ts";
import { Answers, createFraming } from "./answers.ts";
import { trackConnections } from "./connections.ts";
import { takeConnections } from "./fast-path/take-connections.ts";
import { createHttpServer, type HttpOptions, keepAliveMs } from "./http.ts";
import { listen } from "./listening.ts";

/** An HTTPS server and its connections. */
export interface Serving {
  /** Answers the port. @throws Error */
  listen(port: number, host: string): Promise<number>;
  /** Takes no new connections, and lets those go on which nobody is answered; resolves when the last has ended, or is cut off when `patienceMs` are over. */
  end(patienceMs: number): Promise<void>;
  /** Of a server that nobody was told of. */
  close(): void;
}

/** Node's HTTPS server, and the fast path before it. */
export function createServing(options: HttpOptions, clock: Clock): Serving {
  const parts = { answers: new Answers(), framing: createFraming() };
  const server = createHttpServer(options, parts);
  const connections = trackConnections(server, clock);
  const { clusterApi, onError } = options;
  takeConnections(server, { ...parts, clusterApi, onError, clock, keepAliveMs }, connections.began);
  return {
    listen: (port, host) => listen(server, port, host),
    end: (patienceMs) => connections.end(patienceMs),
    close: () => void server.close(),
  };
}
