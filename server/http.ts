import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex, Readable, Writable } from "node:stream";
import { TLSSocket } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import type { ApiRequest } from "../shared/api/request-info.ts";
import { type ApiResponse, isStream, isUpgrade, type Sink, type StreamBody } from "../shared/api/response.ts";
import { isClusterPath } from "../shared/api/surface.ts";
import { drained } from "../shared/host/drained.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import { SegmentedGzip } from "./segmented-gzip.ts";
import { type AcceptTunnel, type Failed, headerOf, takeUpgrades, wantsUpgrade } from "./upgrades.ts";

/** kube-apiserver compresses answers from this size on, at the fastest level. */
const compressFromBytes = 128 * 1024;
/** What fits into one record of TLS. */
const smallBytes = 16 * 1024;
/** Large answers go out in pieces of this size: they are joined and encrypted in the cache, and others are served in between. */
const pieceBytes = 256 * 1024;
const mostFreePieces = 4;
const keepAliveMs = 120_000;

export interface HttpOptions {
  readonly key: string;
  readonly cert: string;
  readonly clusterApi: (request: ApiRequest) => Promise<ApiResponse>;
  /** Everything that is not the cluster API. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Takes an agent's connection over, or refuses it as a request that is not upgraded. Absent: agents open none. */
  readonly tunnel?: AcceptTunnel;
  /** An answer could not be sent. Whoever asked is told (500) when nothing was sent yet, and cut off otherwise; the process goes on. */
  readonly onError: (error: unknown) => void;
}

/** The HTTPS server of the single process. The cluster API goes past web-standard objects: its bodies are shared buffers. */
export function createHttpServer({ key, cert, clusterApi, fetch, tunnel, onError }: HttpOptions): Server {
  const rest = getRequestListener(fetch);
  const parts: Parts = { framing: createFraming(), gzip: new SegmentedGzip(), pieces: new Pieces() };
  const underWay = new WeakMap<Duplex, ServerResponse>();
  const failed: Failed = (response) => (error: unknown) => {
    onError(error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("500 Internal Server Error\n");
  };
  const server = createServer(
    { key, cert, ALPNProtocols: ["http/1.1"], ...asksForCertificate, shouldUpgradeCallback: wantsUpgrade(tunnel) },
    (request, response) => {
      underWay.set(request.socket, response);
      if (isClusterPath(request.url ?? "/")) serve(clusterApi, parts, request, response).catch(failed(response));
      else void rest(request, response);
    },
  );
  takeUpgrades(server, {
    serve: (request, response, switchTo) => serve(clusterApi, parts, request, response, switchTo),
    ...{ tunnel, failed },
  });
  server.keepAliveTimeout = keepAliveMs;
  server.headersTimeout = keepAliveMs + 1000;
  server.on("clientError", (_error, socket) => {
    if (!socket.writable) return socket.destroy();
    // What Go's server answers to bytes that are no request; behind the answer to the request before them.
    const refuse = (): void =>
      void socket.end("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request");
    const answering = underWay.get(socket);
    if (answering && !answering.writableFinished) answering.once("finish", refuse);
    else refuse();
  });
  return server;
}

/** What all answers of a server share. */
interface Parts {
  readonly framing: Framing;
  readonly gzip: SegmentedGzip;
  readonly pieces: Pieces;
}

async function serve(
  clusterApi: HttpOptions["clusterApi"],
  parts: Parts,
  request: IncomingMessage,
  response: ServerResponse,
  /** Present where the request may be upgraded. */
  switchTo?: (headers: ApiResponse["headers"]) => Promise<Duplex>,
): Promise<void> {
  const answer = await clusterApi(new IncomingRequest(request, response, switchTo !== undefined));
  const { body } = answer;
  if (isUpgrade(body)) {
    if (!switchTo) throw new Error("an answer upgrades a request that cannot be upgraded");
    return body.take(await switchTo(answer.headers));
  }
  if (response.destroyed) return;
  if (isStream(body)) stream(answer, body, response, parts.framing);
  else await send(answer, body, parts, request, response);
}

/** Whose certificate it is only the cluster that it is for can say, so the handshake takes any. */
const asksForCertificate = { requestCert: true, rejectUnauthorized: false } as const;

const certificates = new WeakMap<TLSSocket, Buffer | "none">();

/** Read once for each connection. */
function certificateOf(socket: Duplex): Buffer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  let found = certificates.get(socket);
  if (found === undefined) {
    found = socket.getPeerX509Certificate()?.raw ?? "none";
    certificates.set(socket, found);
  }
  return found === "none" ? undefined : found;
}

class IncomingRequest implements ApiRequest {
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly upgradable: boolean;
  constructor(message: IncomingMessage, response: ServerResponse, upgradable: boolean) {
    this.#message = message;
    this.#response = response;
    this.upgradable = upgradable;
  }
  get method(): string {
    return this.#message.method ?? "GET";
  }
  get url(): string {
    return this.#message.url ?? "/";
  }
  header(name: string): string | undefined {
    return headerOf(this.#message, name);
  }
  get clientAddress(): string | undefined {
    return this.#message.socket.remoteAddress;
  }
  stream(): Readable {
    return this.#message;
  }
  onClosed(listener: () => void): void {
    this.#response.once("close", listener);
  }
  headersFrom(prefix: string): [string, string][] {
    for (const name in this.#message.headers) {
      if (!name.startsWith(prefix)) continue;
      return Object.entries(this.#message.headersDistinct).flatMap(([name, values = []]) =>
        name.startsWith(prefix) ? values.map((value): [string, string] => [name, value]) : [],
      );
    }
    return [];
  }
  clientCertificate(): Buffer | undefined {
    return certificateOf(this.#message.socket);
  }
  body(limit: number): Promise<Buffer> {
    return readBody(this.#message, limit);
  }
}

async function send(
  answer: ApiResponse,
  body: Buffer | readonly Buffer[],
  { gzip, pieces }: Parts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks = Buffer.isBuffer(body) ? [body] : body;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  if (length < smallBytes) return small(answer, chunks, length, request, response);
  if (length < compressFromBytes) return whole(answer, joined(chunks), request, response);
  if (/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
    const headers = { ...answer.headers, "content-encoding": "gzip", vary: "Accept-Encoding" };
    return whole({ ...answer, headers }, await gzip.compress(chunks), request, response);
  }
  response.writeHead(answer.status, { ...headersOf(answer), "content-length": length });
  if (request.method !== "HEAD") await pieces.write(chunks, response);
  response.end();
}

/** As text of one byte a letter Node puts it behind the headers and writes both at once: a twentieth of what a small answer costs. */
function small(
  answer: ApiResponse,
  chunks: readonly Buffer[],
  length: number,
  { method }: IncomingMessage,
  response: ServerResponse,
): void {
  response.writeHead(answer.status, { ...headersOf(answer), "content-length": length });
  if (method === "HEAD") return void response.end();
  let letters = "";
  for (const chunk of chunks) letters += chunk.toString("latin1");
  response.end(letters, "latin1");
}

const headersOf = ({ headers, cookies }: ApiResponse): Record<string, string | string[]> | ApiResponse["headers"] =>
  cookies === undefined ? headers : { ...headers, "set-cookie": [...cookies] };

function whole(answer: ApiResponse, bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.status, { ...headersOf(answer), "content-length": bytes.length });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

const joined = (chunks: readonly Buffer[]): Buffer => (chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));

/** A list of megabytes goes through a few pieces' memory: memory made anew for each costs as much as the copying. */
class Pieces {
  readonly #free: Buffer[] = [];

  async write(chunks: readonly Buffer[], response: ServerResponse): Promise<void> {
    const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
    let size = 0;
    for (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length; ) {
        const copied = chunk.copy(piece, size, taken);
        taken += copied;
        size += copied;
        if (size < pieceBytes) continue;
        if (!(await written(piece, response))) return;
        size = 0;
      }
    }
    if (size > 0 && !(await written(piece.subarray(0, size), response))) return;
    if (this.#free.length < mostFreePieces) this.#free.push(piece);
  }
}

/** Resolves when the bytes have been taken over, so that their memory may be used again; `false`: the receiver has gone. */
function written(bytes: Buffer, response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = (): void => resolve(false);
    response.once("close", gone);
    response.write(bytes, (error) => {
      response.off("close", gone);
      resolve(!error);
    });
    if (response.destroyed) resolve(false);
  });
}

type Framing = (chunk: Buffer) => Buffer;

/** A chunk of a chunked body (RFC 9112 §7.1). A watch's event goes to many receivers, one after another: the last chunk is kept. */
function createFraming(): Framing {
  let last: { readonly chunk: Buffer; readonly bytes: Buffer } | undefined;
  return (chunk) => {
    if (last?.chunk === chunk) return last.bytes;
    const bytes = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
    last = { chunk, bytes };
    return bytes;
  };
}

/** Past Node's framing, which writes each chunk in three parts; it is left what has no chunks or waits for the answer before it. */
function stream(answer: ApiResponse, body: StreamBody, response: ServerResponse, framing: Framing): void {
  response.writeHead(answer.status, headersOf(answer));
  response.flushHeaders();
  let receiver: Writable = response;
  const sink: Sink = {
    write(chunk) {
      const socket = response.chunkedEncoding ? response.socket : null;
      receiver = socket ?? response;
      return receiver.write(socket ? framing(chunk) : chunk);
    },
    drained: () => drained(receiver),
    end: () => response.end(),
    abort: () => response.destroy(),
  };
  const stop = body.start(sink);
  response.on("close", stop);
}

/** The declared length is checked first, so that a body over the limit is refused without being read. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = (): StatusError => new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${limit}`);
  const declared = request.headers["content-length"];
  if (declared === "0" || (declared === undefined && request.headers["transfer-encoding"] === undefined))
    return Promise.resolve(Buffer.alloc(0));
  if (Number(declared ?? 0) > limit) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.removeAllListeners("data");
        request.resume();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on("error", () => reject(new StatusError("BadRequest", "the request body ended early")));
    request.on("aborted", () => reject(new StatusError("BadRequest", "the request body ended early")));
  });
}
