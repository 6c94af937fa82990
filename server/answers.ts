import type { Writable } from "node:stream";
import type { ApiResponse } from "../shared/api/response.ts";
import { SegmentedGzip } from "./segmented-gzip.ts";

/** kube-apiserver compresses answers from this size on, at the fastest level. */
const compressFromBytes = 128 * 1024;
/** What fits into one record of TLS. */
const smallBytes = 16 * 1024;
/** Large answers go out in pieces of this size: they are joined and encrypted in the cache, and others are served in between. */
const pieceBytes = 256 * 1024;
const mostFreePieces = 4;

/** An answer without its body. */
export type Head = Omit<ApiResponse, "body">;

/** Where an answer of known length goes. */
export interface Outgoing {
  /** The whole of it, its body as text of one letter a byte. */
  letters(head: Head, length: number, letters: string): void;
  /** The whole of it. */
  bytes(head: Head, bytes: Buffer): void;
  /** Its head, before `length` bytes that follow; answers where they go to. `undefined`: there they are not wanted. */
  begin(head: Head, length: number): Writable | undefined;
  /** Behind what followed `begin`. */
  end(): void;
}

/** How answers of known length are sent; what all of a server share. */
export class Answers {
  readonly #gzip = new SegmentedGzip();
  readonly #pieces = new Pieces();

  /** Resolves when the answer has been handed over, or its receiver has gone. */
  async send(head: Head, body: Buffer | readonly Buffer[], accepts: string | undefined, to: Outgoing): Promise<void> {
    const chunks = Buffer.isBuffer(body) ? [body] : body;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length < smallBytes) return to.letters(head, length, lettersOf(chunks));
    if (length < compressFromBytes) return to.bytes(head, joined(chunks));
    if (/\bgzip\b/.test(accepts ?? "")) {
      const headers = { ...head.headers, "content-encoding": "gzip", vary: "Accept-Encoding" };
      return to.bytes({ ...head, headers }, await this.#gzip.compress(chunks));
    }
    const receiver = to.begin(head, length);
    if (receiver) await this.#pieces.write(chunks, receiver);
    to.end();
  }
}

/** As text of one byte a letter Node puts it behind the headers and writes both at once: a twentieth of what a small answer costs. */
function lettersOf(chunks: readonly Buffer[]): string {
  let letters = "";
  for (const chunk of chunks) letters += chunk.toString("latin1");
  return letters;
}

const joined = (chunks: readonly Buffer[]): Buffer => (chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));

/** A list of megabytes goes through a few pieces' memory: memory made anew for each costs as much as the copying. */
class Pieces {
  readonly #free: Buffer[] = [];

  async write(chunks: readonly Buffer[], receiver: Writable): Promise<void> {
    const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes);
    let size = 0;
    for (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length; ) {
        const copied = chunk.copy(piece, size, taken);
        taken += copied;
        size += copied;
        if (size < pieceBytes) continue;
        if (!(await written(piece, receiver))) return;
        size = 0;
      }
    }
    if (size > 0 && !(await written(piece.subarray(0, size), receiver))) return;
    if (this.#free.length < mostFreePieces) this.#free.push(piece);
  }
}

/** Resolves when the bytes have been taken over, so that their memory may be used again; `false`: the receiver has gone. */
function written(bytes: Buffer, receiver: Writable): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = (): void => resolve(false);
    receiver.once("close", gone);
    receiver.write(bytes, (error) => {
      receiver.off("close", gone);
      resolve(!error);
    });
    if (receiver.destroyed) resolve(false);
  });
}

export type Framing = (chunk: Buffer) => Buffer;

/** A chunk of a chunked body (RFC 9112 §7.1). A watch's event goes to many receivers, one after another: the last chunk is kept. */
export function createFraming(): Framing {
  let last: { readonly chunk: Buffer; readonly bytes: Buffer } | undefined;
  return (chunk) => {
    if (last?.chunk === chunk) return last.bytes;
    const bytes = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
    last = { chunk, bytes };
    return bytes;
  };
}
