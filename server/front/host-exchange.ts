import type { ApiResponse, Sink, StreamBody } from "../../shared/api/response.ts";
import type { Broadcast } from "./broadcast.ts";
import type { BodyReceiver, ComingBody } from "./front-request.ts";
import { type Headers, type Letters, type ToFront, tellFromBytes, to, windowBytes } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { Pieces } from "./pieces.ts";
import { SwitchedConnection } from "./switched-connection.ts";

type Head = Omit<ApiResponse, "body">;
/** What a body comes as: bytes, its end, or that it ended early. */
type BodyEvent = Buffer | "end" | "broken";

/** Pieces on their way at once: one is filled while the other is encrypted. */
const mostPieces = 2;

/** One request and its answer, in the thread that answers. */
export class HostExchange implements ComingBody {
  readonly number: number;
  readonly #outbox: Outbox<ToFront>;
  readonly #broadcast: Broadcast;
  #gone = false;
  #bodyReceiver: BodyReceiver | undefined;
  #bodyEvents: BodyEvent[] = [];
  #bodyEnded = false;
  /** Of the body: taken, and not told yet. */
  #untold = 0;
  #connection: SwitchedConnection | undefined;
  #whenSwitched = (): void => {};
  #stop = (): void => {};
  /** Written and not yet taken. */
  #underWay = 0;
  #drained: (() => void)[] = [];
  #pieceFree: (() => void)[] = [];

  constructor(number: number, outbox: Outbox<ToFront>, broadcast: Broadcast) {
    this.number = number;
    this.#outbox = outbox;
    this.#broadcast = broadcast;
  }

  /** Whoever asked has gone, or has all of an answer that was begun. */
  get gone(): boolean {
    return this.#gone;
  }

  // What the front tells.

  data(letters: Letters): void {
    const bytes = Buffer.from(letters, "latin1");
    if (this.#connection) this.#connection.receive(bytes);
    else this.#body(bytes);
  }

  dataEnd(): void {
    if (this.#connection) this.#connection.receiveEnd();
    else this.#body("end");
  }

  dataBroken(): void {
    if (!this.#connection) this.#body("broken");
  }

  frontTook(bytes: number): void {
    if (this.#connection) {
      this.#connection.taken(bytes);
      return;
    }
    this.#underWay -= bytes;
    if (this.#underWay < windowBytes) this.#release();
  }

  pieceFree(): void {
    this.#pieceFree.shift()?.();
  }

  switched(): void {
    this.#whenSwitched();
  }

  closed(): void {
    this.#gone = true;
    this.#body("broken");
    this.#stop();
    this.#whenSwitched();
    this.#connection?.receiveClosed();
    this.#release();
    for (const free of this.#pieceFree.splice(0)) free();
  }

  #release(): void {
    for (const drained of this.#drained.splice(0)) drained();
  }

  // The body of the request.

  #body(event: BodyEvent): void {
    if (this.#bodyEnded) return;
    this.#bodyEnded = event === "end" || event === "broken";
    if (this.#bodyReceiver) give(this.#bodyReceiver, event);
    else this.#bodyEvents.push(event);
  }

  receive(receiver: BodyReceiver): void {
    this.#bodyReceiver = receiver;
    for (const event of this.#bodyEvents.splice(0)) give(receiver, event);
  }

  took(bytes: number): void {
    this.#untold += bytes;
    if (this.#untold < tellFromBytes) return;
    this.#outbox.post([to.hostTook, this.number, this.#untold]);
    this.#untold = 0;
  }

  // The answer.

  answer(head: Head, body: Letters): void {
    this.#outbox.post([to.answer, this.number, head.status, headersOf(head), body]);
  }

  fail(): void {
    this.#outbox.post([to.fail, this.number]);
  }

  stream(head: Head, body: StreamBody): void {
    const { number } = this;
    this.#outbox.post([to.begin, number, head.status, headersOf(head)]);
    const hasRoom = (): boolean => this.#gone || this.#underWay < windowBytes;
    const sink: Sink = {
      write: (chunk) => {
        this.#underWay += chunk.length;
        this.#broadcast.write(number, chunk);
        return hasRoom();
      },
      drained: () => (hasRoom() ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve))),
      end: () => this.#outbox.post([to.finish, number]),
      abort: () => this.#outbox.post([to.cut, number]),
    };
    const stop = body.start(sink);
    if (this.#gone) stop();
    else this.#stop = stop;
  }

  /** A body of megabytes, through a few pieces of memory that both threads see. */
  async pieces(head: Head, chunks: readonly Buffer[], pieces: Pieces): Promise<void> {
    const { number } = this;
    this.#outbox.post([to.begin, number, head.status, headersOf(head)]);
    const underWay: Promise<void>[] = [];
    for (const { piece, bytes } of pieces.filled(chunks)) {
      this.#outbox.post([to.piece, number, piece.memory, bytes]);
      this.#outbox.flush();
      // What the front may still read from is not used again.
      underWay.push(this.#freed().then(() => (this.#gone ? undefined : pieces.giveBack(piece))));
      if (underWay.length >= mostPieces) await underWay.shift();
      if (this.#gone) return;
    }
    this.#outbox.post([to.finish, number]);
  }

  #freed(): Promise<void> {
    return new Promise((resolve) => this.#pieceFree.push(resolve));
  }

  /** Answers 101; the connection is the caller's from then on. */
  async switch(headers: Readonly<Record<string, string>>): Promise<SwitchedConnection> {
    const { number } = this;
    this.#outbox.post([to.switch, number, headers]);
    if (!this.#gone)
      await new Promise<void>((resolve) => {
        this.#whenSwitched = resolve;
      });
    const connection = new SwitchedConnection({
      write: (bytes) => this.#outbox.post([to.write, [number], bytes]),
      took: (bytes) => this.took(bytes),
      finish: () => this.#outbox.post([to.finish, number]),
      cut: () => this.#outbox.post([to.cut, number]),
    });
    this.#connection = connection;
    if (this.#gone) connection.receiveClosed();
    return connection;
  }
}

function give(receiver: BodyReceiver, event: BodyEvent): void {
  if (event === "end") receiver.end();
  else if (event === "broken") receiver.broken();
  else receiver.data(event);
}

const headersOf = ({ headers, cookies }: Head): Headers => (cookies === undefined ? headers : { ...headers, "set-cookie": cookies });
