import type { Server } from "node:https";
import type { TLSSocket } from "node:tls";
import { FastConnection, type FastPathOptions } from "./fast-connection.ts";

/**
 * Puts the fast path before a server of Node: new connections begin there and are given to the server when they ask for what is not plain. `began` learns of each.
 * The server's own listener for connections is the one that its constructor added.
 */
export function takeConnections(
  server: Server,
  options: Omit<FastPathOptions, "handOver">,
  began: (socket: TLSSocket, connection: FastConnection) => void,
): void {
  const [nodes] = server.listeners("secureConnection");
  if (!nodes) throw new Error("a server of Node listens for its connections");
  server.off("secureConnection", nodes as (socket: TLSSocket) => void);
  const handOver = (socket: TLSSocket): void => nodes.call(server, socket);
  server.on("secureConnection", (socket) => began(socket, new FastConnection(socket, { ...options, handOver })));
}
