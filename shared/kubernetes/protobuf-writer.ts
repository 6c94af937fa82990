/** Writes one message of protocol buffers (the wire format of proto3): fields in the order of the calls, defaults left out. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** A string field; nothing when it is empty or absent. */
  string(field: number, value: string | undefined): this {
    return value ? this.#text(field, value) : this;
  }

  /** A repeated string field: every value, the empty ones too. */
  strings(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.#text(field, value);
    return this;
  }

  /** `always`: also false, as a member of a `oneof` has it. */
  bool(field: number, value: boolean | undefined, always = false): this {
    return value || always ? this.#push(header(field << 3, value ? 1 : 0)) : this;
  }

  /** An integer that is not negative, and below 2^31; zero is left out. */
  integer(field: number, value: number | undefined): this {
    return value ? this.#push(header(field << 3, value)) : this;
  }

  double(field: number, value: number | undefined, always = false): this {
    if (!value && !always) return this;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value ?? 0);
    return this.#push(header((field << 3) | 1)).#push(bytes);
  }

  /** A message field; nothing when it is absent. An empty message is written. */
  message(field: number, value: ProtobufWriter | undefined): this {
    if (!value) return this;
    this.#push(header((field << 3) | 2, value.#length));
    for (const part of value.#parts) this.#parts.push(part);
    this.#length += value.#length;
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  #text(field: number, value: string): this {
    const bytes = Buffer.from(value);
    return this.#push(header((field << 3) | 2, bytes.length)).#push(bytes);
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}

/** Varints: a field's tag, and mostly its value or length. All are below 2^31. */
function header(...values: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (let rest of values) {
    for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}
