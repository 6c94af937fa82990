import type { Server } from "node:net";

/** Listens on an address; port 0 takes a free one. @throws the error of the socket, e.g. EADDRINUSE */
export function listenOn(server: Server, address: string, port: number): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      const bound = server.address();
      resolve({ port: typeof bound === "object" && bound !== null ? bound.port : port });
    });
  });
}
