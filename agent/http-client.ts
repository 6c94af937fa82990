import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Duplex, Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { Agent } from "undici";
import { type Fetch, type Upgrade, UpgradeRefused } from "./transport.ts";

/** Keeps connections to the server open and shares them between all nodes of the process. `ca`: PEM; absent: the system's. */
export function createHttpClient(ca: string | undefined): { fetch: Fetch; upgrade: Upgrade; close(): Promise<void> } {
  const dispatcher = new Agent({
    // A held call answers late on purpose; each call has its own signal for when it is too late.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 60_000,
    connect: { timeout: 10_000, ...(ca === undefined ? {} : { ca }) },
  });
  return {
    async fetch(url, { method, headers, body, signal }) {
      const { origin, pathname } = new URL(url);
      const payload = typeof body === "string" ? body : Readable.fromWeb(body as NodeReadableStream<Uint8Array>);
      const response = await dispatcher.request({ origin, path: pathname, method, headers, body: payload, ...(signal && { signal }) });
      return { status: response.statusCode, text: () => response.body.text() };
    },
    upgrade: (url, headers, protocol) => upgrade(url, { ca, headers: { ...headers, connection: "Upgrade", upgrade: protocol } }),
    close: () => dispatcher.destroy(),
  };
}

const upgradeMs = 20_000;

/** A connection of its own: it is given away for good. */
function upgrade(
  url: string,
  { ca, headers }: { readonly ca: string | undefined; readonly headers: Record<string, string> },
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? httpsRequest : httpRequest;
    const outgoing = send(url, { headers, agent: false, timeout: upgradeMs, ...(ca !== undefined && { ca }) });
    outgoing.once("upgrade", (_answer, socket, head) => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.once("response", (answer) => {
      answer.destroy();
      reject(new UpgradeRefused(answer.statusCode ?? 0));
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.once("error", reject);
    outgoing.end();
  });
}
