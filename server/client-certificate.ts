import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** Whose certificate it is only the cluster that it is for can say, so the handshake takes any. */
export const asksForCertificate = { requestCert: true, rejectUnauthorized: false } as const;

const certificates = new WeakMap<TLSSocket, Buffer | "none">();

/** Read once for each connection: the same buffer for each of its requests. */
export function certificateOf(socket: Duplex): Buffer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let found = certificates.get(socket);
  if (found === undefined) {
    found = socket.getPeerX509Certificate()?.raw ?? "none";
    certificates.set(socket, found);
  }
  return found === "none" ? undefined : found;
}
