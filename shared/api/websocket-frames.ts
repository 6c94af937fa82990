import type { Duplex } from "node:stream";

/** One whole message to a client: final, not masked (RFC 6455 §5.2). */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 0x10000 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (head.length === 2) head[1] = length;
  else if (head.length === 4) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

/** Of a control frame; what is longer is data, which is passed over. */
const mostControlBytes = 125;

/** Reads what a client sends, for the sake of its control frames; data is passed over without being kept. What is no frame of a client ends the connection. */
export function readFrames(connection: Duplex, onControl: (opcode: number, payload: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  let skip = 0;
  connection.on("data", (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const skipped = Math.min(skip, held.length);
      skip -= skipped;
      held = held.subarray(skipped);
      const frame = skip === 0 ? headerOf(held) : undefined;
      if (frame === "bad") return void connection.destroy();
      if (!frame) return;
      if (frame.opcode < 8) {
        skip = frame.start + frame.length;
        continue;
      }
      if (frame.length > mostControlBytes) return void connection.destroy();
      if (held.length < frame.start + frame.length) return;
      const mask = held.subarray(frame.start - 4, frame.start);
      const payload = Buffer.from(held.subarray(frame.start, frame.start + frame.length));
      for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0);
      held = held.subarray(frame.start + frame.length);
      onControl(frame.opcode, payload);
    }
  });
}

/** `undefined`: not all of it has come. `bad`: no client may send it. */
function headerOf(bytes: Buffer): { readonly opcode: number; readonly start: number; readonly length: number } | "bad" | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  if ((second & 0x80) === 0) return "bad";
  const short = second & 0x7f;
  const start = 6 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  return { opcode: first & 0x0f, start, length };
}
