import { Duplex } from "node:stream";
import { dataFrame, type Frame, FrameReader, goAwayFrame, longestData, openFrame, pingFrame, replyFrame, resetFrame } from "./frames.ts";
import { createHeaderReader, createHeaderWriter, type Headers } from "./header-block.ts";

export const spdyProtocol = "SPDY/3.1";

/** Statuses of `RST_STREAM` (draft-mbelshe-httpbis-spdy-00 §2.6.3). */
const resets = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5 } as const;
/** What a stream holds for a reader that is slow; then the whole connection waits, as its peers have no windows. */
const heldBytes = 256 * 1024;
const mostStreams = 1024;

/** One stream: its bytes in both directions, each with an end of its own. A reset destroys it; what a lost connection brought can still be read. */
export interface SpdyStream extends Duplex {
  readonly streamId: number;
  readonly headers: Headers;
  /** Ends it so that the other side sees a failure. */
  reset(): void;
}

export interface SpdyConnection {
  /** Resolves when the other side has answered. Rejects when it refuses, or the connection ends. */
  open(headers: Readonly<Record<string, string>>): Promise<SpdyStream>;
  /** The connection has ended, by whomever. */
  readonly ended: Promise<void>;
  readonly streams: number;
  /** Sends what is written and ends the connection. */
  close(): void;
}

export interface SpdyOptions {
  readonly role: "client" | "server";
  /** A stream that the other side opens; answered already. Answers why it is refused, if it is. */
  readonly onStream?: (stream: SpdyStream) => "refused" | undefined;
  readonly onIdle?: () => void;
}

/** SPDY/3.1 over a connection whose upgrade has been answered. */
export function createSpdyConnection(connection: Duplex, { role, onStream, onIdle }: SpdyOptions): SpdyConnection {
  const streams = new Map<number, Stream>();
  const waiting = new Map<number, { resolve(stream: SpdyStream): void; reject(error: Error): void }>();
  const write = createHeaderWriter();
  const reader = createHeaderReader();
  const frames = new FrameReader();
  let lastOwn = role === "client" ? -1 : 0;
  let lastPeer = 0;
  let closing = false;

  /** Resolves to whether it went out, when more may follow. */
  const send = (bytes: Buffer): Promise<boolean> => {
    if (connection.destroyed || connection.writableEnded) return Promise.resolve(false);
    if (connection.write(bytes)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (): void => {
        connection.off("drain", done);
        connection.off("close", done);
        resolve(!connection.destroyed);
      };
      connection.on("drain", done);
      connection.on("close", done);
    });
  };
  const adopt = (streamId: number, headers: Headers): Stream => {
    const stream = new Stream(streamId, headers, send);
    streams.set(streamId, stream);
    stream.on("error", () => {});
    stream.once("close", () => {
      streams.delete(streamId);
      if (streams.size === 0) onIdle?.();
    });
    return stream;
  };

  const handle = async (frame: Frame): Promise<void> => {
    switch (frame.type) {
      case "open": {
        const headers = await reader.read(frame.block);
        const isPeers = frame.streamId % 2 === (role === "server" ? 1 : 0) && frame.streamId > lastPeer;
        if (!isPeers) return void send(resetFrame(frame.streamId, resets.protocolError));
        lastPeer = frame.streamId;
        if (streams.size >= mostStreams || onStream === undefined) return void send(resetFrame(frame.streamId, resets.refused));
        const stream = adopt(frame.streamId, headers);
        if (onStream(stream) === "refused") {
          stream.destroy();
          return void send(resetFrame(frame.streamId, resets.refused));
        }
        void send(replyFrame(frame.streamId, write({})));
        if (frame.end) stream.finished();
        return;
      }
      case "reply": {
        await reader.read(frame.block);
        const stream = streams.get(frame.streamId);
        if (stream) waiting.get(frame.streamId)?.resolve(stream);
        waiting.delete(frame.streamId);
        if (frame.end) stream?.finished();
        return;
      }
      case "headers":
        await reader.read(frame.block);
        if (frame.end) streams.get(frame.streamId)?.finished();
        return;
      case "data": {
        const stream = streams.get(frame.streamId);
        if (frame.bytes.length > 0) await stream?.received(frame.bytes);
        if (frame.end) stream?.finished();
        return;
      }
      case "reset": {
        const refusal = new Error("the stream was reset");
        waiting.get(frame.streamId)?.reject(refusal);
        waiting.delete(frame.streamId);
        streams.get(frame.streamId)?.destroy(refusal);
        return;
      }
      case "ping":
        // Of whom it is tells the number: one of ours that comes back is an answer.
        if (frame.id % 2 === (role === "server" ? 1 : 0)) await send(pingFrame(frame.id));
        return;
      case "goAway":
      case "ignored":
        return;
      default:
        return frame satisfies never;
    }
  };

  const run = async (): Promise<void> => {
    try {
      for await (const chunk of connection) for (const frame of frames.read(chunk)) await handle(frame);
    } catch {
      // A broken connection and broken frames end alike.
    }
    for (const { reject } of waiting.values()) reject(new Error("the connection was lost"));
    // What has come is still to be read.
    for (const stream of streams.values()) stream.lost();
    if (!connection.writableEnded) connection.end();
    connection.destroy();
    reader.close();
  };

  return {
    ended: run(),
    get streams() {
      return streams.size;
    },
    open(headers) {
      return new Promise((resolve, reject) => {
        if (connection.destroyed || closing) return reject(new Error("the connection has ended"));
        lastOwn += 2;
        const streamId = lastOwn;
        adopt(streamId, new Map(Object.entries(headers)));
        waiting.set(streamId, { resolve, reject });
        void send(openFrame(streamId, write(headers)));
      });
    },
    close() {
      if (closing) return;
      closing = true;
      void send(goAwayFrame(lastPeer));
      connection.end();
      connection.once("finish", () => connection.destroy());
    },
  };
}

class Stream extends Duplex implements SpdyStream {
  readonly streamId: number;
  readonly headers: Headers;
  readonly #send: (bytes: Buffer) => Promise<boolean>;
  #wanted: (() => void) | undefined;
  #finished = false;

  constructor(streamId: number, headers: Headers, send: (bytes: Buffer) => Promise<boolean>) {
    super({ readableHighWaterMark: heldBytes });
    this.streamId = streamId;
    this.headers = headers;
    this.#send = send;
  }

  /** Resolves when more may come. */
  received(bytes: Buffer): Promise<void> | undefined {
    if (this.destroyed || this.#finished || this.push(bytes)) return undefined;
    return new Promise((resolve) => {
      this.#wanted = resolve;
      this.once("close", resolve);
    });
  }

  finished(): void {
    if (this.destroyed || this.#finished) return;
    this.#finished = true;
    this.push(null);
  }

  reset(): void {
    if (this.destroyed) return;
    void this.#send(resetFrame(this.streamId, resets.cancel));
    this.destroy();
  }

  lost(): void {
    this.finished();
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const run = async (): Promise<void> => {
      for (let at = 0; at < chunk.length; at += longestData) {
        const part = chunk.subarray(at, at + longestData);
        if (!(await this.#send(dataFrame(this.streamId, part, false)))) throw new Error("the connection was lost");
      }
    };
    run().then(() => done(), done);
  }

  override _final(done: () => void): void {
    void this.#send(dataFrame(this.streamId, Buffer.alloc(0), true));
    done();
  }
}
