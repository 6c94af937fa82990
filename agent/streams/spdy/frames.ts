/** Frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 §2.2), as far as streams over Kubernetes use them. */
export type Frame =
  | { readonly type: "data"; readonly streamId: number; readonly end: boolean; readonly bytes: Buffer }
  | { readonly type: "open"; readonly streamId: number; readonly end: boolean; readonly block: Buffer }
  | { readonly type: "reply"; readonly streamId: number; readonly end: boolean; readonly block: Buffer }
  | { readonly type: "headers"; readonly streamId: number; readonly end: boolean; readonly block: Buffer }
  | { readonly type: "reset"; readonly streamId: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goAway" }
  | { readonly type: "ignored" };

const version = 3;
const types = { open: 1, reply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;
const endFlag = 1;
const headBytes = 8;
/** Peers write pieces of up to 32 KiB; what is longer is passed on in parts, control frames are refused. */
const longestControl = 64 * 1024;
export const longestData = 32 * 1024;

/** Takes a connection's bytes apart. Data comes as it arrives, so that no frame has to be held whole. @throws Error for what is no SPDY/3.1 */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  #data: { readonly streamId: number; readonly end: boolean; left: number } | undefined;

  *read(chunk: Buffer): Generator<Frame> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      if (this.#data) {
        const { streamId, end, left } = this.#data;
        if (left > 0 && this.#held.length === 0) return;
        const bytes = this.#take(Math.min(left, this.#held.length));
        this.#data.left -= bytes.length;
        const done = this.#data.left === 0;
        if (done) this.#data = undefined;
        yield { type: "data", streamId, end: end && done, bytes };
        continue;
      }
      if (this.#held.length < headBytes) return;
      const first = this.#held.readUInt32BE(0);
      const flags = this.#held.readUInt8(4);
      const length = this.#held.readUIntBE(5, 3);
      if (first < 0x8000_0000) {
        this.#take(headBytes);
        this.#data = { streamId: first, end: (flags & endFlag) !== 0, left: length };
        continue;
      }
      if (((first >>> 16) & 0x7fff) !== version) throw new Error("another version of SPDY");
      if (length > longestControl) throw new Error("a control frame is too long");
      if (this.#held.length < headBytes + length) return;
      const payload = this.#take(headBytes + length).subarray(headBytes);
      yield controlFrame(first & 0xffff, (flags & endFlag) !== 0, payload);
    }
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

function controlFrame(type: number, end: boolean, payload: Buffer): Frame {
  const id = (): number => payload.readUInt32BE(0) & 0x7fff_ffff;
  switch (type) {
    case types.open:
      return { type: "open", streamId: id(), end, block: payload.subarray(10) };
    case types.reply:
      return { type: "reply", streamId: id(), end, block: payload.subarray(4) };
    case types.headers:
      return { type: "headers", streamId: id(), end, block: payload.subarray(4) };
    case types.reset:
      return { type: "reset", streamId: id() };
    case types.ping:
      return { type: "ping", id: payload.readUInt32BE(0) };
    case types.goAway:
      return { type: "goAway" };
    default:
      // Settings and windows: no peer of this ecosystem heeds windows; TCP holds up whoever is too fast.
      return { type: "ignored" };
  }
}

function control(type: number, end: boolean, payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(0x8000_0000 + version * 0x1_0000 + type, 0);
  head.writeUInt8(end ? endFlag : 0, 4);
  head.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([head, payload]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

export const openFrame = (streamId: number, block: Buffer): Buffer =>
  control(types.open, false, Buffer.concat([numbers(streamId, 0), Buffer.alloc(2), block]));
export const replyFrame = (streamId: number, block: Buffer): Buffer =>
  control(types.reply, false, Buffer.concat([numbers(streamId), block]));
export const resetFrame = (streamId: number, status: number): Buffer => control(types.reset, false, numbers(streamId, status));
export const pingFrame = (id: number): Buffer => control(types.ping, false, numbers(id));
export const goAwayFrame = (lastStreamId: number): Buffer => control(types.goAway, false, numbers(lastStreamId, 0));

export function dataFrame(streamId: number, bytes: Buffer, end: boolean): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt8(end ? endFlag : 0, 4);
  head.writeUIntBE(bytes.length, 5, 3);
  return Buffer.concat([head, bytes]);
}
