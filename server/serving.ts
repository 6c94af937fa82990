import type { Clock } from "../shared/clock.ts";
import { trackConnections } from "./connections.ts";
import { createFrontedServer } from "./front/fronted-server.ts";
import { createHttpServer, type HttpOptions } from "./http.ts";
import { listen } from "./listening.ts";

/** An HTTPS server, whichever thread holds its connections. */
export interface Serving {
  /** Answers the port. @throws Error */
  listen(port: number, host: string): Promise<number>;
  /** Takes no new connections, and lets those go on which nobody is answered; resolves when the last has ended, or is cut off when `patienceMs` are over. */
  end(patienceMs: number): Promise<void>;
  /** Of a server that nobody was told of. */
  close(): void;
}

/** `own`: TLS and HTTP have a thread of their own, which leaves this one the answers alone. */
export function createServing(thread: "shared" | "own", options: HttpOptions, clock: Clock): Serving {
  if (thread === "own") return createFrontedServer(options);
  const server = createHttpServer(options);
  const connections = trackConnections(server, clock);
  return {
    listen: (port, host) => listen(server, port, host),
    end: (patienceMs) => connections.end(patienceMs),
    close: () => void server.close(),
  };
}
