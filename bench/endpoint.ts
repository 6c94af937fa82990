import { Pool } from "undici";

/** A server over HTTPS, who asks, and the authority of its certificate. Plain data: it is sent to load processes. */
export interface Endpoint {
  /** URL that paths are appended to. */
  readonly base: string;
  readonly token: string;
  /** PEM */
  readonly ca: string;
}

export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly bytes: Buffer;
}

export interface Connections {
  send(request: Request): Promise<Answer>;
  /** @throws Error when the status is not one of success */
  json<T>(request: Request): Promise<T>;
  close(): Promise<void>;
}

/** Kept-alive connections to an endpoint, one request at a time on each. */
export function connect(endpoint: Endpoint, connections: number): Connections {
  const { origin, pathname } = new URL(endpoint.base);
  const prefix = pathname === "/" ? "" : pathname;
  const pool = new Pool(origin, { connections, pipelining: 1, connect: { ca: endpoint.ca }, headersTimeout: 0, bodyTimeout: 0 });
  const send = async ({ method, path, contentType, body }: Request): Promise<Answer> => {
    const headers = {
      accept: "application/json",
      authorization: `Bearer ${endpoint.token}`,
      ...(contentType !== undefined && { "content-type": contentType }),
    };
    const answer = await pool.request({ method, path: prefix + path, headers, ...(body !== undefined && { body }) });
    return { status: answer.statusCode, bytes: Buffer.from(await answer.body.arrayBuffer()) };
  };
  return {
    send,
    async json<T>(request: Request) {
      const { status, bytes } = await send(request);
      const text = bytes.toString();
      if (status >= 300) throw new Error(`${request.method} ${request.path}: ${status} ${text.slice(0, 300)}`);
      return JSON.parse(text) as T;
    },
    close: () => pool.close(),
  };
}

/** Runs `work` for 0 … count - 1, at most `atOnce` at a time. */
export async function inParallel(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}
