import { Duplex } from "node:stream";
import { type Letters, windowBytes } from "./messages.ts";

/** What such a connection says to the front. */
export interface ToConnection {
  write(bytes: Letters): void;
  /** So many of the received bytes have been read. */
  took(bytes: number): void;
  finish(): void;
  cut(): void;
}

/** A connection that was switched to another protocol: the front holds it, somebody in this thread has taken it over. */
export class SwitchedConnection extends Duplex {
  readonly #front: ToConnection;
  #unread = 0;
  /** Written and not yet taken. */
  #underWay = 0;
  #written: (() => void) | undefined;
  #ended = false;
  #gone = false;

  constructor(front: ToConnection) {
    super();
    this.#front = front;
  }

  receive(bytes: Buffer): void {
    if (this.destroyed) return;
    if (this.push(bytes)) this.#front.took(bytes.length);
    else this.#unread += bytes.length;
  }

  receiveEnd(): void {
    this.#ended = true;
    if (!this.destroyed) this.push(null);
  }

  /** So much of what was written has been taken. */
  taken(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay < windowBytes) this.#release();
  }

  /** Nothing more comes or goes. Of a connection that ended, what came is read first. */
  receiveClosed(): void {
    this.#gone = true;
    this.#release();
    if (this.#ended && !this.readableEnded) this.once("end", () => this.destroy());
    else this.destroy();
  }

  #release(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _read(): void {
    if (this.#unread > 0) this.#front.took(this.#unread);
    this.#unread = 0;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // As of a socket whose other end has gone: nobody is there to be told.
    if (this.#gone) {
      done();
      return;
    }
    this.#underWay += chunk.length;
    this.#front.write(chunk.toString("latin1"));
    if (this.#underWay < windowBytes) done();
    else this.#written = done;
  }

  override _final(done: () => void): void {
    this.#front.finish();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#gone) this.#front.cut();
    this.#gone = true;
    this.#release();
    done(error);
  }
}
