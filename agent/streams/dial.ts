import { connect, isIP, type Socket } from "node:net";

const dialMs = 10_000;
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

/** A TCP connection. @throws Error (rejects) in the words of Go's dialer, as clients of Kubernetes know them */
export function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const fail = (code: string): void => {
      socket.destroy();
      const shown = isIP(host) === 6 ? `[${host}]` : host;
      reject(new Error(`dial tcp ${shown}:${port}: ${words[code] ?? code}`));
    };
    socket.setTimeout(dialMs, () => fail("ETIMEDOUT"));
    socket.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners("error");
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}

/** The first of several hosts that answers. @throws Error as the first of them does */
export async function dialOneOf(hosts: readonly string[], port: number): Promise<Socket> {
  let first: unknown;
  for (const host of hosts) {
    try {
      return await dial(host, port);
    } catch (error) {
      first ??= error;
    }
  }
  throw first ?? new Error(`no address for port ${port}`);
}
