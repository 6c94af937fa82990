import { promisify } from "node:util";
import { constants, crc32, deflateRaw } from "node:zlib";
import { combineCrc32 } from "./crc32-combine.ts";

const deflate = promisify(deflateRaw);

/** A stretch of a body: whole chunks, one after another. */
interface Segment {
  readonly chunks: readonly Buffer[];
  readonly length: number;
}

interface Packed {
  /** Deflate blocks that end on a byte and are not the last ones (RFC 1951 §3.2.3, after a sync flush). */
  readonly blocks: Buffer;
  readonly crc: number;
}

interface Kept {
  readonly segment: Segment;
  readonly packed: Promise<Packed>;
}

export interface SegmentedGzipOptions {
  /** A segment ends at the first boundary behind this many bytes. Default 64 KiB: twice what deflate looks back. */
  readonly leastBytes?: number;
  /** And at the latest here. Default 512 KiB. */
  readonly mostBytes?: number;
  /** Called for each segment that is really compressed. */
  readonly onDeflate?: (bytes: number) => void;
}

/** Chunks below this are punctuation between objects. */
const objectFromBytes = 64;
/** What identifies an object stands at its beginning; a change of its status leaves that alone. */
const identityBytes = 96;
/** One object of so many ends a segment. */
const objectsPerBoundary = 16;

/** gzip's header without name and time (RFC 1952 §2.3), from an unknown system. */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
/** An empty last block with fixed codes. */
const lastBlock = Buffer.from([3, 0]);

/**
 * gzip for bodies that are made of shared buffers, most of which were in an earlier body too: a list is compressed in segments, and a
 * segment whose objects are all the very same as before is not compressed again. Where segments end depends on what the objects are, not
 * on where they stand, so that an object more or less changes one segment only (content-defined chunking; Muthitacharoen et al., LBFS, 2001).
 * The result is one ordinary gzip member. Level 1, as kube-apiserver's. A segment is kept as long as its first object is.
 */
export class SegmentedGzip {
  readonly #leastBytes: number;
  readonly #mostBytes: number;
  readonly #onDeflate: (bytes: number) => void;
  readonly #kept = new WeakMap<ArrayBufferLike, Kept>();

  constructor({ leastBytes = 64 * 1024, mostBytes = 512 * 1024, onDeflate = () => {} }: SegmentedGzipOptions = {}) {
    this.#leastBytes = leastBytes;
    this.#mostBytes = mostBytes;
    this.#onDeflate = onDeflate;
  }

  async compress(chunks: readonly Buffer[]): Promise<Buffer> {
    const segments = this.#split(chunks);
    const packed = await Promise.all(segments.map((segment) => this.#pack(segment)));
    let crc = 0;
    let length = 0;
    for (const [index, { length: of }] of segments.entries()) {
      crc = combineCrc32(crc, packed[index]?.crc ?? 0, of);
      length += of;
    }
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc, 0);
    trailer.writeUInt32LE(length % 2 ** 32, 4);
    return Buffer.concat([header, ...packed.map(({ blocks }) => blocks), lastBlock, trailer]);
  }

  #split(chunks: readonly Buffer[]): Segment[] {
    const segments: Segment[] = [];
    let begin = 0;
    let length = 0;
    for (const [index, chunk] of chunks.entries()) {
      length += chunk.length;
      if (length < this.#leastBytes || chunk.length < objectFromBytes) continue;
      if (length < this.#mostBytes && crc32(chunk.subarray(0, identityBytes)) % objectsPerBoundary !== 0) continue;
      segments.push({ chunks: chunks.slice(begin, index + 1), length });
      begin = index + 1;
      length = 0;
    }
    if (length > 0) segments.push({ chunks: chunks.slice(begin), length });
    return segments;
  }

  #pack(segment: Segment): Promise<Packed> {
    const anchor = segment.chunks.find((chunk) => chunk.length >= objectFromBytes)?.buffer;
    const kept = anchor && this.#kept.get(anchor);
    if (kept && isSame(kept.segment, segment)) return kept.packed;
    const packed = this.#deflate(segment);
    if (anchor) this.#kept.set(anchor, { segment, packed });
    return packed;
  }

  async #deflate({ chunks, length }: Segment): Promise<Packed> {
    this.#onDeflate(length);
    const bytes = Buffer.concat(chunks, length);
    const blocks = await deflate(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
    return { blocks, crc: crc32(bytes) };
  }
}

/** The same memory, piece by piece; punctuation is compared as text. */
function isSame(a: Segment, b: Segment): boolean {
  if (a.length !== b.length || a.chunks.length !== b.chunks.length) return false;
  return a.chunks.every((chunk, index) => {
    const other = b.chunks[index];
    if (chunk === other) return true;
    if (other === undefined || chunk.length !== other.length) return false;
    if (chunk.buffer === other.buffer && chunk.byteOffset === other.byteOffset) return true;
    return chunk.length < objectFromBytes && chunk.equals(other);
  });
}
