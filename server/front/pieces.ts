const pieceBytes = 256 * 1024;
const mostFree = 8;

/** Memory that both threads see. */
export interface Piece {
  readonly memory: SharedArrayBuffer;
  readonly view: Buffer;
}

/** Large answers go out in pieces: they are joined and encrypted in the cache, and others are served in between. */
export class Pieces {
  readonly #free: Piece[] = [];

  /** The bytes of these, copied together. Each piece is the receiver's until it is given back. */
  *filled(chunks: readonly Buffer[]): Generator<{ readonly piece: Piece; readonly bytes: number }> {
    let piece = this.#take();
    let bytes = 0;
    for (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length; ) {
        const copied = chunk.copy(piece.view, bytes, taken);
        taken += copied;
        bytes += copied;
        if (bytes < pieceBytes) continue;
        yield { piece, bytes };
        piece = this.#take();
        bytes = 0;
      }
    }
    if (bytes > 0) yield { piece, bytes };
    else this.giveBack(piece);
  }

  giveBack(piece: Piece): void {
    if (this.#free.length < mostFree) this.#free.push(piece);
  }

  #take(): Piece {
    const free = this.#free.pop();
    if (free) return free;
    const memory = new SharedArrayBuffer(pieceBytes);
    return { memory, view: Buffer.from(memory) };
  }
}
