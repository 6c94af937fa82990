import type { Server } from "node:https";
import { type AddressInfo, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

const everywhere = new Set(["0.0.0.0", "::"]);

/** What the server's certificate must name beyond loopback. */
export function servedAddresses(host: string): string[] {
  if (!everywhere.has(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses
    .flatMap((address) => (address && !address.internal && !address.address.startsWith("fe80:") ? [address.address] : []))
    .sort();
}

/** Where this machine's own clients reach it. */
export const urlHost = (host: string): string => (everywhere.has(host) ? "127.0.0.1" : isIPv6(host) ? `[${host}]` : host);

/** Answers the port. @throws Error */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new Error(`port ${port} is taken; choose another with CORACLE_PORT`) : error),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}
