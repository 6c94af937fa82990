import { constants, type Http2Stream } from "node:http2";
import { Duplex } from "node:stream";

/**
 * A stream of a tunnel as bytes in two directions. Cut off on one side, it fails on the other. Writes go down one by one and as buffers: what Node
 * gathers into one write with strings among it arrives garbled over HTTP/2 (Node 24.21).
 */
export class TunnelStream extends Duplex {
  readonly #stream: Http2Stream;

  constructor(stream: Http2Stream) {
    super();
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.once("end", () => this.push(null));
    stream.on("error", (error) => this.destroy(error));
    stream.once("close", () => {
      const cut = (): void => void this.destroy(new Error("the stream was cut off"));
      const isWhole = stream.readableEnded && stream.rstCode === constants.NGHTTP2_NO_ERROR;
      if (isWhole && this.writableFinished) return;
      // What has come whole is still to be read, though nothing can be answered any more.
      if (isWhole && this.readableLength > 0) this.once("end", cut);
      else cut();
    });
    // Whoever uses it hears of its end by `close`.
    this.on("error", () => {});
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#stream.destroyed || this.#stream.closed) done(new Error("the stream was cut off"));
    else this.#stream.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isWhole = this.readableEnded && this.writableFinished;
    this.#stream.close(isWhole ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    done(error);
  }
}
