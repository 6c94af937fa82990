import { Worker } from "node:worker_threads";
import { type ApiResponse, isStream, isUpgrade } from "../../shared/api/response.ts";
import { isClusterPath } from "../../shared/api/surface.ts";
import type { HttpOptions } from "../http.ts";
import { portProblem } from "../listening.ts";
import { SegmentedGzip } from "../segmented-gzip.ts";
import type { Serving } from "../serving.ts";
import { Broadcast } from "./broadcast.ts";
import { type FrontConnection, FrontRequest } from "./front-request.ts";
import { HostExchange } from "./host-exchange.ts";
import { type FrontOptions, type ToFront, type ToHost, to } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Pieces } from "./pieces.ts";
import { toAnswer, toRequest } from "./web-standard.ts";

/** kube-apiserver compresses answers from this size on, at the fastest level. */
const compressFromBytes = 128 * 1024;

/**
 * An HTTPS server whose connections (TLS, HTTP) have a thread of their own. What that cannot go on without, it ends the process with, as it would if it happened in
 * this thread.
 */
export function createFrontedServer(options: HttpOptions): Serving {
  const { key, cert, tunnel } = options;
  const workerData: FrontOptions = { key, cert, tunnels: tunnel !== undefined };
  const thread = new Worker(new URL("./thread.mjs", import.meta.url), { workerData, name: "https" });
  const outbox = new Outbox<ToFront>((batch) => thread.postMessage(batch));
  const host = new FrontedHost(options, outbox);
  thread.on("message", (batch: readonly ToHost[]) => {
    for (const message of batch) host.take(message);
  });
  thread.on("error", (error) => {
    throw error;
  });
  return {
    async listen(port, address) {
      outbox.post([to.listen, port, address]);
      try {
        return await host.listening;
      } catch (error) {
        throw error instanceof Error ? portProblem(error, port) : error;
      }
    },
    async end(patienceMs) {
      outbox.post([to.end, patienceMs]);
      await host.ended;
      await thread.terminate();
    },
    close: () => void thread.terminate(),
  };
}

class FrontedHost {
  readonly #options: HttpOptions;
  readonly #outbox: Outbox<ToFront>;
  readonly #exchanges = new Map<number, { readonly exchange: HostExchange; readonly request: FrontRequest }>();
  readonly #connections = new Map<number, FrontConnection>();
  readonly #broadcast: Broadcast;
  readonly #pieces = new Pieces();
  readonly #gzip = new SegmentedGzip();
  readonly #listening = Promise.withResolvers<number>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: HttpOptions, outbox: Outbox<ToFront>) {
    this.#options = options;
    this.#outbox = outbox;
    this.#broadcast = new Broadcast(outbox);
  }

  get listening(): Promise<number> {
    return this.#listening.promise;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  take(message: ToHost): void {
    switch (message[0]) {
      case to.request:
        this.#begin(message);
        break;
      case to.data:
        this.#exchange(message[1])?.data(message[2]);
        break;
      case to.dataEnd:
        this.#exchange(message[1])?.dataEnd();
        break;
      case to.dataBroken:
        this.#exchange(message[1])?.dataBroken();
        break;
      case to.frontTook:
        this.#exchange(message[1])?.frontTook(message[2]);
        break;
      case to.pieceFree:
        this.#exchange(message[1])?.pieceFree();
        break;
      case to.switched:
        this.#exchange(message[1])?.switched();
        break;
      case to.closed:
        this.#exchange(message[1])?.closed();
        this.#forget(message[1]);
        break;
      case to.connected: {
        const [, connection, address, certificate] = message;
        this.#connections.set(connection, {
          address,
          certificate: certificate === undefined ? undefined : Buffer.from(certificate, "latin1"),
        });
        break;
      }
      case to.disconnected:
        this.#connections.delete(message[1]);
        break;
      case to.unsendable:
        this.#options.onError(message[1]);
        break;
      case to.listening:
        this.#listening.resolve(message[1]);
        break;
      case to.refused:
        this.#listening.reject(Object.assign(message[1], { code: message[2] }));
        break;
      case to.ended:
        for (const [number, { exchange }] of this.#exchanges) {
          exchange.closed();
          this.#forget(number);
        }
        this.#ended.resolve();
        break;
      default:
        message satisfies never;
    }
  }

  #exchange(number: number): HostExchange | undefined {
    return this.#exchanges.get(number)?.exchange;
  }

  #forget(number: number): void {
    const known = this.#exchanges.get(number);
    this.#exchanges.delete(number);
    known?.request.closed();
  }

  #begin([, head, body]: ToHost & readonly [typeof to.request, ...unknown[]]): void {
    const [number, connection] = head;
    const exchange = new HostExchange(number, this.#outbox, this.#broadcast);
    const request = new FrontRequest(head, this.#connections.get(connection) ?? unknownConnection, body ?? exchange);
    this.#exchanges.set(number, { exchange, request });
    // Each goes as far as it can before the next begins: of writers of one object that begin together all but one would have read it too early.
    setImmediate(() =>
      this.#serve(exchange, request).catch((error: unknown) => {
        this.#options.onError(error);
        exchange.fail();
      }),
    );
  }

  async #serve(exchange: HostExchange, request: FrontRequest): Promise<void> {
    const { clusterApi } = this.#options;
    const answer = isClusterPath(request.url) ? await clusterApi(request) : await this.#serveRest(exchange, request);
    if (!answer) return;
    const { body } = answer;
    if (isUpgrade(body)) {
      if (!request.upgradable) throw new Error("an answer upgrades a request that cannot be upgraded");
      return body.take(await exchange.switch(answer.headers));
    }
    if (exchange.gone) return;
    if (isStream(body)) exchange.stream(answer, body);
    else await this.#send(exchange, request, answer, Buffer.isBuffer(body) ? [body] : body);
  }

  /** The platform's and the agents' API, and agents' tunnels. `undefined`: the connection was given away. */
  async #serveRest(exchange: HostExchange, request: FrontRequest): Promise<ApiResponse | undefined> {
    const { tunnel, fetch } = this.#options;
    if (request.upgradable && tunnel?.isTunnelPath(request.url)) {
      const switched = { connection: "Upgrade", upgrade: request.header("upgrade") ?? "" };
      const accept = () => exchange.switch(switched);
      const refusal = await tunnel.accept(request.url, (name) => request.header(name), accept);
      return refusal && toAnswer(refusal);
    }
    const asked = toRequest(request, exchange);
    return asked ? toAnswer(await fetch(asked)) : badRequest;
  }

  async #send(exchange: HostExchange, request: FrontRequest, answer: ApiResponse, chunks: readonly Buffer[]): Promise<void> {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const isLarge = length >= compressFromBytes;
    if (isLarge && /\bgzip\b/.test(request.header("accept-encoding") ?? "")) {
      const headers = { ...answer.headers, "content-encoding": "gzip", vary: "Accept-Encoding" };
      const compressed = await this.#gzip.compress(chunks);
      return this.#sendAs(exchange, request, { ...answer, headers }, [compressed], compressed.length);
    }
    return this.#sendAs(exchange, request, answer, chunks, length);
  }

  async #sendAs(
    exchange: HostExchange,
    request: FrontRequest,
    answer: ApiResponse,
    chunks: readonly Buffer[],
    length: number,
  ): Promise<void> {
    const hasBody = request.method !== "HEAD";
    const head = bodiless.has(answer.status) ? answer : { ...answer, headers: { ...answer.headers, "content-length": String(length) } };
    if (hasBody && length >= compressFromBytes) return exchange.pieces(head, chunks, this.#pieces);
    let letters = "";
    if (hasBody) for (const chunk of chunks) letters += chunk.toString("latin1");
    exchange.answer(head, letters);
    this.#forget(exchange.number);
  }
}

const unknownConnection: FrontConnection = { address: undefined, certificate: undefined };
const bodiless = new Set([204, 304]);
const badRequest: ApiResponse = {
  status: 400,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: Buffer.from("400 Bad Request\n"),
};
