import { randomBytes } from "node:crypto";
import { crc32, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { combineCrc32 } from "../../../server/crc32-combine.ts";
import { SegmentedGzip } from "../../../server/segmented-gzip.ts";

const comma = Buffer.from(",");
const objectOf = (index: number): Buffer =>
  Buffer.from(Buffer.from(`"metadata":{"name":"pod-${index}","uid":"${randomBytes(16).toString("hex")}"},"rest":"${"x".repeat(2000)}"}`));
const ownMemory = (index: number): Buffer => Buffer.from(new Uint8Array(objectOf(index)).buffer);
const listOf = (revision: number, objects: readonly Buffer[]): Buffer[] => [
  Buffer.from(`{"kind":"PodList","metadata":{"resourceVersion":"${revision}"},"items":[`),
  ...objects.flatMap((object, index) => [...(index ? [comma] : []), Buffer.from("{"), object]),
  Buffer.from("]}\n"),
];

function measured() {
  const bytes: number[] = [];
  const gzip = new SegmentedGzip({ onDeflate: (count) => bytes.push(count) });
  const compress = async (chunks: Buffer[]) => {
    bytes.length = 0;
    expect(gunzipSync(await gzip.compress(chunks)).equals(Buffer.concat(chunks))).toBe(true);
    return bytes.reduce((sum, count) => sum + count, 0);
  };
  return compress;
}

describe("a body of shared buffers", () => {
  const objects = Array.from({ length: 1000 }, (_, index) => ownMemory(index));
  const whole = Buffer.concat(listOf(1, objects)).length;

  it("is compressed once, whatever its revision; then only the segment with the head is", async () => {
    const compress = measured();
    expect(await compress(listOf(1, objects))).toBe(whole);
    expect(await compress(listOf(2, objects))).toBeLessThan(whole / 4);
  });

  it("is compressed around what changed", async () => {
    const compress = measured();
    await compress(listOf(1, objects));
    const changed = objects.with(500, ownMemory(500));
    expect(await compress(listOf(2, changed))).toBeLessThan(whole / 2);
    expect(await compress(listOf(3, changed.toSpliced(700, 1)))).toBeLessThan(whole / 2);
    expect(await compress(listOf(4, changed.toSpliced(200, 0, ownMemory(-1))))).toBeLessThan(whole / 2);
  });

  it("is compressed once for all who ask at the same time", async () => {
    let count = 0;
    const gzip = new SegmentedGzip({ onDeflate: (bytes) => (count += bytes) });
    const chunks = listOf(1, objects);
    await Promise.all(Array.from({ length: 20 }, () => gzip.compress(chunks)));
    expect(count).toBe(whole);
  });

  it("does not mistake other bytes in the same memory, or other bytes of the same length", async () => {
    const compress = measured();
    const memory = Buffer.from(new Uint8Array(randomBytes(300_000)).buffer);
    await compress([memory.subarray(0, 200_000)]);
    await compress([memory.subarray(1, 200_001)]);
    await compress([memory.subarray(0, 100_000), memory.subarray(0, 100_000)]);
    await compress([memory.subarray(0, 100_000), memory.subarray(50_000, 150_000)]);
  });

  it("comes out as it went in, however it is cut", async () => {
    const chunk = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 60 }), async (chunks) => {
        const gzip = new SegmentedGzip({ leastBytes: 500, mostBytes: 2000 });
        for (let again = 0; again < 2; again++) expect(gunzipSync(await gzip.compress(chunks)).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });
});

it("the CRC of two texts follows from theirs", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (a, b) => {
      expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(crc32(Buffer.concat([a, b])));
    }),
  );
});
