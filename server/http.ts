import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex, Readable, Writable } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { ApiRequest } from "../shared/api/request-info.ts";
import { type ApiResponse, isStream, isUpgrade, type Sink, type StreamBody } from "../shared/api/response.ts";
import { isClusterPath } from "../shared/api/surface.ts";
import { drained } from "../shared/host/drained.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import type { Answers, Framing, Head, Outgoing } from "./answers.ts";
import { asksForCertificate, certificateOf } from "./client-certificate.ts";
import { type AcceptTunnel, type Failed, headerOf, takeUpgrades, wantsUpgrade } from "./upgrades.ts";

export const keepAliveMs = 120_000;

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
export function createHttpServer({ key, cert, clusterApi, fetch, tunnel, onError }: HttpOptions, parts: Parts): Server {
  const rest = getRequestListener(fetch);
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
export interface Parts {
  readonly framing: Framing;
  readonly answers: Answers;
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
  else await parts.answers.send(answer, body, headerOf(request, "accept-encoding"), new NodesAnswer(request, response));
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

/** How Node's server is given an answer. */
class NodesAnswer implements Outgoing {
  readonly #response: ServerResponse;
  readonly #wanted: boolean;
  constructor({ method }: IncomingMessage, response: ServerResponse) {
    this.#response = response;
    this.#wanted = method !== "HEAD";
  }
  #head(head: Head, length: number): void {
    this.#response.writeHead(head.status, { ...headersOf(head), "content-length": length });
  }
  letters(head: Head, length: number, letters: string): void {
    this.#head(head, length);
    if (this.#wanted) this.#response.end(letters, "latin1");
    else this.#response.end();
  }
  bytes(head: Head, bytes: Buffer): void {
    this.#head(head, bytes.length);
    this.#response.end(this.#wanted ? bytes : undefined);
  }
  begin(head: Head, length: number): Writable | undefined {
    this.#head(head, length);
    return this.#wanted ? this.#response : undefined;
  }
  end(): void {
    this.#response.end();
  }
}

const headersOf = ({ headers, cookies }: Head): Record<string, string | string[]> | ApiResponse["headers"] =>
  cookies === undefined ? headers : { ...headers, "set-cookie": [...cookies] };

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
