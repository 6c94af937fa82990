import { type IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { mayUpgrade } from "../../shared/api/request-info.ts";
import type { Clock } from "../../shared/clock.ts";
import { type Connections, trackConnections } from "../connections.ts";
import { FrontExchange } from "./front-exchange.ts";
import { type FrontOptions, type ToFront, type ToHost, to } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

const keepAliveMs = 120_000;
/** A body of this size comes with its request; of a larger one the host decides whether it wants it. */
const wholeBytes = 64 * 1024;
const tunnelsPath = "/agent/v1/tunnels/";

/** TLS and HTTP/1.1 of a server: tells the host of requests, and does what the host says about their answers. */
export class Front {
  readonly #outbox: Outbox<ToHost>;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #exchanges = new Map<number, FrontExchange>();
  readonly #numbers = new WeakMap<Duplex, number>();
  /** The last answer of each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();
  #last = 0;

  constructor({ key, cert, tunnels }: FrontOptions, clock: Clock, outbox: Outbox<ToHost>) {
    this.#outbox = outbox;
    const server = createServer(
      {
        ...{ key, cert, ALPNProtocols: ["http/1.1"] },
        // Whose certificate it is only the cluster that it is for can say, so the handshake takes any.
        ...{ requestCert: true, rejectUnauthorized: false },
        shouldUpgradeCallback: ({ url = "/" }: IncomingMessage) => mayUpgrade(url) || (tunnels && url.startsWith(tunnelsPath)),
      },
      (request, response) => {
        this.#answers.set(request.socket, response);
        this.#begin(request, response, undefined);
      },
    );
    server.keepAliveTimeout = keepAliveMs;
    server.headersTimeout = keepAliveMs + 1000;
    server.on("clientError", (_error, socket) => this.#refuse(socket));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      // Until it has a taker: a client that goes away meanwhile is nobody's error.
      socket.on("error", () => socket.destroy());
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(socket as Socket);
      response.once("finish", () => socket.end());
      this.#begin(request, response, socket);
    });
    this.#connections = trackConnections(server, clock);
    this.#server = server;
  }

  take(message: ToFront): void {
    switch (message[0]) {
      case to.write:
        for (const exchange of message[1]) this.#exchanges.get(exchange)?.write(message[2], message);
        break;
      case to.listen:
        this.#listen(message[1], message[2]);
        break;
      case to.end:
        void this.#end(message[1]);
        break;
      default:
        this.#exchanges.get(message[1])?.take(message);
        if (message[0] === to.answer) this.#exchanges.delete(message[1]);
    }
  }

  #listen(port: number, host: string): void {
    this.#server.once("error", (error: NodeJS.ErrnoException) => this.#outbox.post([to.refused, error, error.code]));
    this.#server.listen(port, host, () => this.#outbox.post([to.listening, (this.#server.address() as AddressInfo).port]));
  }

  async #end(patienceMs: number): Promise<void> {
    await this.#connections.end(patienceMs);
    this.#outbox.post([to.ended]);
  }

  #begin(request: IncomingMessage, response: ServerResponse, upgradable: Duplex | undefined): void {
    const number = ++this.#last;
    const exchange = new FrontExchange(number, request, response, upgradable, this.#outbox);
    (upgradable ?? response).once("close", () => {
      if (this.#exchanges.delete(number)) this.#outbox.post([to.closed, number]);
    });
    const tell = (body: string | undefined): void => {
      // Who went away before his body had come has asked nothing.
      if (response.destroyed) return;
      this.#exchanges.set(number, exchange);
      const { method = "GET", url = "/", rawHeaders, socket } = request;
      this.#outbox.post([to.request, [number, this.#connectionOf(socket), method, url, rawHeaders, upgradable !== undefined], body]);
    };
    const { "content-length": declared = "0", "transfer-encoding": encoding } = request.headers;
    if (upgradable || (encoding === undefined && declared === "0")) tell("");
    else if (encoding === undefined && Number(declared) <= wholeBytes) exchange.whenWhole(tell);
    else {
      tell(undefined);
      exchange.forward(request);
    }
  }

  #connectionOf(socket: Socket): number {
    const known = this.#numbers.get(socket);
    if (known !== undefined) return known;
    const number = ++this.#last;
    this.#numbers.set(socket, number);
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined;
    this.#outbox.post([to.connected, number, socket.remoteAddress, certificate?.toString("latin1")]);
    socket.once("close", () => this.#outbox.post([to.disconnected, number]));
    return number;
  }

  /** What Go's server answers to bytes that are no request; behind the answer to the request before them. */
  #refuse(socket: Duplex): void {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const refuse = (): void =>
      void socket.end("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request");
    const answer = this.#answers.get(socket);
    if (answer && !answer.writableFinished) answer.once("finish", refuse);
    else refuse();
  }
}
