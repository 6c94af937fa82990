import { Readable, type Writable } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ApiRequest } from "../../shared/api/request-info.ts";
import { type ApiResponse, isStream, isUpgrade, type Sink, type StreamBody } from "../../shared/api/response.ts";
import { isClusterPath } from "../../shared/api/surface.ts";
import type { Clock } from "../../shared/clock.ts";
import { drained } from "../../shared/host/drained.ts";
import { StatusError } from "../../shared/kubernetes/status-error.ts";
import type { Answers, Framing, Head, Outgoing } from "../answers.ts";
import { certificateOf } from "../client-certificate.ts";
import { answerHead, type BodyLength } from "./answer-head.ts";
import { type HeaderFields, type RequestText, readRequest } from "./request-text.ts";

export interface FastPathOptions {
  readonly clusterApi: (request: ApiRequest) => Promise<ApiResponse>;
  readonly answers: Answers;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly keepAliveMs: number;
  /** Takes a connection for good; what it read of it and did not answer has been put back. */
  readonly handOver: (socket: TLSSocket) => void;
  /** An answer could not be sent. */
  readonly onError: (error: unknown) => void;
}

/** A body that has not come whole in so many pieces comes too slowly to be waited for here. */
const mostPieces = 32;
/** Of a client that does not wait for its answer. */
const mostHeldBytes = 64 * 1024;
/** Statuses that have no body (RFC 9110 §6.4.1). */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

/**
 * A connection whose requests to the cluster API are read and answered without Node's HTTP server, which costs as much as all the rest of a small one. The first that
 * is not in the plain form, is for another surface, or comes before the last was answered goes to that server, with all that follow.
 */
export class FastConnection implements Outgoing {
  readonly #socket: TLSSocket;
  readonly #options: FastPathOptions;
  /** Those of the last request. */
  #fields: HeaderFields | undefined;
  #partial: Buffer | undefined;
  #pieces = 0;
  #answering: FastRequest | undefined;
  #headSent = false;
  #draining = false;
  /** Set false, the connection ends when it is answered. */
  shouldKeepAlive = true;

  constructor(socket: TLSSocket, options: FastPathOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setTimeout(options.keepAliveMs);
    socket.on("data", this.#onData).on("timeout", this.#onTimeout).on("close", this.#onClose).on("error", this.#onError);
  }

  /** Nobody waits for an answer or for its bytes. */
  get writableFinished(): boolean {
    return this.#answering === undefined && this.#socket.writableLength === 0;
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#partial ? Buffer.concat([this.#partial, chunk]) : chunk;
    this.#partial = undefined;
    if (this.#answering || this.#socket.writableNeedDrain) {
      // While it is read on its end is seen; whoever sends much without waiting for an answer is not.
      this.#partial = bytes;
      if (bytes.length > mostHeldBytes) this.#socket.pause();
      if (!this.#answering) this.#readOnDrained();
      return;
    }
    const read = readRequest(bytes, this.#fields);
    if (read === "more" && ++this.#pieces < mostPieces) this.#partial = bytes;
    else if (read === undefined || read === "more" || !isClusterPath(read.url)) this.#handOver(bytes);
    else {
      this.#pieces = 0;
      this.#fields = read.fields;
      void this.#serve(new FastRequest(read, this.#socket));
    }
  };

  readonly #onTimeout = (): void => {
    if (!this.#answering) this.#socket.destroy();
  };

  readonly #onClose = (): void => this.#answering?.close();

  readonly #onError = (): void => void this.#socket.destroy();

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    socket.off("data", this.#onData).off("timeout", this.#onTimeout).off("close", this.#onClose);
    socket.unshift(bytes);
    this.#options.handOver(socket);
    socket.off("error", this.#onError);
    if (socket.isPaused()) socket.resume();
  }

  async #serve(request: FastRequest): Promise<void> {
    this.#answering = request;
    this.#headSent = false;
    try {
      const answer = await this.#options.clusterApi(request);
      const { body } = answer;
      if (isUpgrade(body)) throw new Error("an answer upgrades a request that cannot be upgraded");
      if (!this.#socket.writable) return;
      if (isStream(body)) return this.#stream(answer, body);
      await this.#options.answers.send(answer, body, request.header("accept-encoding"), this);
    } catch (error) {
      this.#options.onError(error);
      if (this.#headSent) this.#socket.destroy();
      else
        this.bytes({ status: 500, headers: { "content-type": "text/plain; charset=utf-8" } }, Buffer.from("500 Internal Server Error\n"));
    }
    this.#answered(request);
  }

  #answered(request: FastRequest): void {
    if (this.#answering !== request) return;
    this.#answering = undefined;
    request.close();
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (!this.shouldKeepAlive) return void socket.end();
    if (socket.writableNeedDrain) this.#readOnDrained();
    else this.#readOn();
  }

  /** Who does not take his answers is not answered on. */
  #readOnDrained(): void {
    if (this.#draining) return;
    this.#draining = true;
    void drained(this.#socket).then(() => {
      this.#draining = false;
      this.#readOn();
    });
  }

  /** What came while the last request was answered. */
  #readOn(): void {
    const bytes = this.#partial;
    if (bytes === undefined || this.#answering || this.#socket.destroyed) return;
    this.#partial = undefined;
    this.#socket.resume();
    this.#onData(bytes);
  }

  #head(head: Head, length: BodyLength): string {
    const { clock, keepAliveMs } = this.#options;
    const text = answerHead(
      head,
      bodiless.has(head.status) ? "none" : length,
      dateAt(clock.now()),
      this.shouldKeepAlive ? keepAliveMs / 1000 : undefined,
    );
    this.#headSent = true;
    return text;
  }

  letters(head: Head, length: number, letters: string): void {
    const text = this.#head(head, length);
    this.#socket.write(bodiless.has(head.status) ? text : text + letters, "latin1");
  }

  bytes(head: Head, bytes: Buffer): void {
    const socket = this.#socket;
    const text = this.#head(head, bytes.length);
    socket.cork();
    socket.write(text, "latin1");
    if (!bodiless.has(head.status)) socket.write(bytes);
    socket.uncork();
  }

  begin(head: Head, length: number): Writable | undefined {
    this.#socket.write(this.#head(head, length), "latin1");
    return bodiless.has(head.status) ? undefined : this.#socket;
  }

  end(): void {}

  #stream(answer: ApiResponse, body: StreamBody): void {
    const socket = this.#socket;
    const request = this.#answering;
    const declared = answer.headers["content-length"];
    const chunked = declared === undefined;
    socket.write(this.#head(answer, chunked ? "chunked" : Number(declared)), "latin1");
    let ended = false;
    const dropped = bodiless.has(answer.status);
    const sink: Sink = {
      write: (chunk) => ended || dropped || chunk.length === 0 || socket.write(chunked ? this.#options.framing(chunk) : chunk),
      drained: () => (socket.writableNeedDrain ? drained(socket) : Promise.resolve()),
      end: () => {
        if (ended) return;
        ended = true;
        if (chunked && !dropped && socket.writable) socket.write("0\r\n\r\n", "latin1");
        if (request) this.#answered(request);
      },
      abort: () => socket.destroy(),
    };
    const stop = body.start(sink);
    request?.onClosed(() => {
      ended = true;
      stop();
    });
  }
}

let dated = { second: 0, text: "" };

/** In the form of RFC 9110 §5.6.7. */
function dateAt(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== dated.second) dated = { second, text: new Date(second * 1000).toUTCString() };
  return dated.text;
}

const none: readonly (readonly [string, string])[] = [];

class FastRequest implements ApiRequest {
  readonly #text: RequestText;
  readonly #socket: TLSSocket;
  #listeners: (() => void)[] | undefined;
  #closed = false;
  readonly upgradable = false;

  constructor(text: RequestText, socket: TLSSocket) {
    this.#text = text;
    this.#socket = socket;
  }
  get method(): string {
    return this.#text.method;
  }
  get url(): string {
    return this.#text.url;
  }
  header(name: string): string | undefined {
    return this.#text.fields.values.get(name);
  }
  headersFrom(prefix: string): readonly (readonly [string, string])[] {
    const { values } = this.#text.fields;
    let found: [string, string][] | undefined;
    for (const [name, value] of values) if (name.startsWith(prefix)) found = [...(found ?? []), [name, value]];
    return found ?? none;
  }
  get clientAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }
  clientCertificate(): Buffer | undefined {
    return certificateOf(this.#socket);
  }
  stream(): Readable {
    return Readable.from(this.#text.body.length === 0 ? [] : [this.#text.body]);
  }
  body(limit: number): Promise<Buffer> {
    const { body } = this.#text;
    if (body.length <= limit) return Promise.resolve(body);
    return Promise.reject(new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${limit}`));
  }
  onClosed(listener: () => void): void {
    if (this.#closed) listener();
    else if (this.#listeners) this.#listeners.push(listener);
    else this.#listeners = [listener];
  }
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#listeners ?? []) listener();
  }
}
