/** Longer texts are written by native code, shorter ones sooner without the call. */
const shortText = 48;

/**
 * Writes protocol buffers from the end to the beginning, as Kubernetes' generated code does: what is inside a message is there before its length
 * is needed. So calls go from the last field to the first, and of a field its value comes before its tag. One writer serves one message after
 * another.
 */
export class ReverseWriter {
  #buffer: Buffer;
  /** Where the written part begins; it ends with the buffer. */
  #at: number;

  /** @param size of what is to be written, as far as it is known */
  constructor(size = 4096) {
    this.#buffer = Buffer.allocUnsafe(size);
    this.#at = size;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** An unsigned varint, or a negative number as the ten bytes of its two's complement. */
  varint(value: number): void {
    if (value < 0 || value > 0x7fffffff) this.#wide(BigInt.asUintN(64, BigInt(value)));
    else if (value < 128) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
    } else this.#narrow(value);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  text(value: string): void {
    const { length } = value;
    if (length <= shortText && this.#ascii(value)) return;
    const size = Buffer.byteLength(value);
    this.#reserve(size);
    this.#at -= size;
    this.#buffer.write(value, this.#at, size, "utf8");
  }

  /** What was written, in memory of its own; the writer is empty again. */
  finish(): Buffer {
    const made = Buffer.from(new Uint8Array(this.#buffer.subarray(this.#at)).buffer);
    this.#at = this.#buffer.length;
    return made;
  }

  /** Answers false, with nothing written, when there is more than ASCII in it. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#reserve(length);
    const from = this.#at - length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) return false;
      this.#buffer[from + index] = code;
    }
    this.#at = from;
    return true;
  }

  #narrow(value: number): void {
    const length = value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    this.#reserve(length);
    this.#at -= length;
    let at = this.#at;
    let rest = value;
    for (; rest > 127; rest >>>= 7) this.#buffer[at++] = (rest & 127) | 128;
    this.#buffer[at] = rest;
  }

  #wide(value: bigint): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  #reserve(size: number): void {
    if (size <= this.#at) return;
    const { length } = this;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, length + size));
    this.#buffer.copy(grown, grown.length - length, this.#at);
    this.#at = grown.length - length;
    this.#buffer = grown;
  }
}
