import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request } from "node:https";

export interface HttpRequest {
  readonly method?: string;
  /** A string or bytes as they are; anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the client's own; `none`: no Authorization at all. */
  readonly token?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** @throws SyntaxError when the body is not JSON */
  json<T = unknown>(): T;
}

export interface HttpClient {
  send(path: string, request?: HttpRequest): Promise<HttpAnswer>;
  /** The lines of an answer as they arrive. Ends when the server ends it, throws when the connection breaks. */
  lines(
    path: string,
    options?: { readonly signal?: AbortSignal; readonly headers?: Readonly<Record<string, string>> },
  ): AsyncGenerator<string>;
  /** The request itself, for who wants to hang up in the middle. */
  open(path: string, request: HttpRequest): ClientRequest;
  close(): void;
}

/** Speaks to one server by its own certificate authority, with a certificate where it is given one. Paths are below `base`. */
export function createHttp(base: string, caPem: string, token: string, identity: { cert?: string; key?: string } = {}): HttpClient {
  const agent = new Agent({ keepAlive: true, ca: caPem, ...identity });
  const open = (path: string, { method = "GET", body, headers = {}, token: other = token }: HttpRequest): ClientRequest =>
    request(new URL(base + path), {
      method,
      agent,
      headers: {
        ...(body !== undefined && !(typeof body === "string" || body instanceof Uint8Array) && { "content-type": "application/json" }),
        ...(other !== "none" && { authorization: `Bearer ${other}` }),
        ...headers,
      },
    });
  const responseOf = (outgoing: ClientRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => outgoing.once("response", resolve).once("error", reject));
  return {
    open,
    async send(path, options = {}) {
      const outgoing = open(path, options);
      const answered = responseOf(outgoing);
      const { body } = options;
      if (body === undefined) outgoing.end();
      else outgoing.end(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
      const incoming = await answered;
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      return { status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: () => JSON.parse(text) };
    },
    async *lines(path, { signal, headers } = {}) {
      const outgoing = open(path, headers === undefined ? {} : { headers });
      const hangUp = (): void => void outgoing.destroy();
      signal?.addEventListener("abort", hangUp, { once: true });
      outgoing.on("error", () => {});
      try {
        const answered = responseOf(outgoing);
        outgoing.end();
        const incoming = await answered;
        if (incoming.statusCode !== 200) throw new Error(`${path}: status ${incoming.statusCode}`);
        let rest = "";
        for await (const chunk of incoming.setEncoding("utf8")) {
          const parts = (rest + chunk).split("\n");
          rest = parts.pop() ?? "";
          yield* parts;
        }
      } catch (error) {
        if (signal?.aborted !== true) throw error;
      } finally {
        signal?.removeEventListener("abort", hangUp);
        outgoing.destroy();
      }
    },
    close: () => agent.destroy(),
  };
}
