import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { Agent } from "undici";
import type { Fetch } from "./transport.ts";

/** Keeps connections to the server open and shares them between all nodes of the process. `ca`: PEM; absent: the system's. */
export function createHttpClient(ca: string | undefined): { fetch: Fetch; close(): Promise<void> } {
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
    close: () => dispatcher.destroy(),
  };
}
