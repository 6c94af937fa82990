import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { type Headers, type Letters, type ToFront, type ToHost, tellFromBytes, to, windowBytes } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** What is told of one exchange alone. */
type Told = Exclude<ToFront, readonly [typeof to.listen | typeof to.end | typeof to.write, ...unknown[]]>;

/** One request and its answer, in the thread of its connection. */
export class FrontExchange {
  readonly #number: number;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgradable: Duplex | undefined;
  readonly #outbox: Outbox<ToHost>;
  #switched: Duplex | undefined;
  /** What the host says from now on comes too late. */
  #failed = false;
  /** Of what was written: taken by the connection, and not told yet. */
  #untold = 0;
  #waitsForDrain = false;
  /** What the host is told of. */
  #source: Readable | undefined;
  /** Of what was read there: told, and not taken yet. */
  #underWay = 0;

  constructor(number: number, request: IncomingMessage, response: ServerResponse, upgradable: Duplex | undefined, outbox: Outbox<ToHost>) {
    this.#number = number;
    this.#request = request;
    this.#response = response;
    this.#upgradable = upgradable;
    this.#outbox = outbox;
  }

  take(message: Told): void {
    if (this.#failed) return;
    switch (message[0]) {
      case to.answer:
        this.#answer(message[2], message[3], message[4]);
        break;
      case to.begin:
        this.#send((response) => writeHead(response, message[2], message[3]).flushHeaders());
        break;
      case to.piece:
        this.#response.write(new Uint8Array(message[2], 0, message[3]), (error) => {
          if (!error) this.#outbox.post([to.pieceFree, this.#number]);
        });
        break;
      case to.finish:
        this.#discardRest();
        (this.#switched ?? this.#response).end();
        break;
      case to.cut:
        (this.#switched ?? this.#response).destroy();
        break;
      case to.fail:
        this.#fail();
        break;
      case to.switch:
        this.#switch(message[2]);
        break;
      case to.hostTook:
        this.#underWay -= message[2];
        if (this.#underWay < windowBytes) this.#source?.resume();
        break;
      default:
        message satisfies never;
    }
  }

  /** Gives a body when all of it is there. */
  whenWhole(take: (body: Letters) => void): void {
    let body = "";
    this.#request.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    this.#request.once("end", () => take(body));
    this.#request.once("error", () => {});
  }

  /** Tells what comes from there, and no more than is taken. */
  forward(source: Readable): void {
    const number = this.#number;
    this.#source = source;
    source.on("data", (chunk: Buffer) => {
      this.#underWay += chunk.length;
      if (this.#underWay >= windowBytes) source.pause();
      this.#outbox.post([to.data, number, chunk.toString("latin1")]);
    });
    source.once("end", () => this.#outbox.post([to.dataEnd, number]));
    source.once("error", () => this.#outbox.post([to.dataBroken, number]));
  }

  /** `message` is what told it, and the same for all receivers of the same bytes. */
  write(bytes: Letters, message: ToFront): void {
    if (this.#failed) return;
    const response = this.#response;
    // Past Node's framing, which writes each chunk in three parts; it is left what has no chunks or waits for the answer before it.
    const raw = response.chunkedEncoding ? response.socket : null;
    const receiver: Writable = this.#switched ?? raw ?? response;
    const more = receiver.write(raw && !this.#switched ? framed(bytes, message) : bytes, "latin1");
    this.#untold += bytes.length;
    if (this.#waitsForDrain) return;
    if (more) {
      if (this.#untold >= tellFromBytes) this.#tell();
      return;
    }
    this.#waitsForDrain = true;
    receiver.once("drain", () => {
      this.#waitsForDrain = false;
      this.#tell();
    });
  }

  #tell(): void {
    this.#outbox.post([to.frontTook, this.#number, this.#untold]);
    this.#untold = 0;
  }

  #answer(status: number, headers: Headers, body: Letters): void {
    this.#discardRest();
    this.#send((response) => {
      writeHead(response, status, headers);
      if (this.#request.method === "HEAD") response.end();
      else response.end(body, "latin1");
    });
  }

  #send(send: (response: ServerResponse) => void): void {
    if (this.#response.destroyed) return;
    try {
      send(this.#response);
    } catch (error) {
      this.#outbox.post([to.unsendable, error]);
      this.#fail();
    }
  }

  #fail(): void {
    this.#failed = true;
    const response = this.#response;
    if (this.#switched || response.headersSent) (this.#switched ?? response).destroy();
    else response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("500 Internal Server Error\n");
  }

  /** Only when the answer is sent is the connection told of: HTTP/2 takes it over below its stream. */
  #switch(headers: Readonly<Record<string, string>>): void {
    const connection = this.#upgradable;
    if (!connection) throw new Error("an answer upgrades a request that cannot be upgraded");
    this.#response.detachSocket(connection as Socket);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`, () => {
      this.#switched = connection;
      this.#outbox.post([to.switched, this.#number]);
      this.forward(connection);
    });
  }

  /** What is left of a body would hold up the next request of the connection. */
  #discardRest(): void {
    if (this.#source !== this.#request || this.#request.readableEnded) return;
    this.#source = undefined;
    this.#request.removeAllListeners("data");
    this.#request.resume();
  }
}

const writeHead = (response: ServerResponse, status: number, headers: Headers): ServerResponse =>
  response.writeHead(status, headers as Record<string, string | string[]>);

let last: { readonly message: ToFront; readonly bytes: Letters } | undefined;

/** A chunk of a chunked body (RFC 9112 §7.1), made once for all its receivers. */
function framed(bytes: Letters, message: ToFront): Letters {
  if (last?.message !== message) last = { message, bytes: `${bytes.length.toString(16)}\r\n${bytes}\r\n` };
  return last.bytes;
}
