import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { ObjectKey } from "../../kubernetes/object.ts";
import type { Sealer } from "../sealer.ts";
import { objectPath } from "./keys.ts";

const plain = 0;
const compressed = 1;
/** Below it a write unit (1 KB) is rarely saved. */
const compressFrom = 700;

const isSecret = (key: ObjectKey): boolean => key.group === "" && key.resource === "secrets";

/** Turns the JSON of an object into what lies in the table, and back: one byte of form, compressed where that is shorter; Secrets sealed. */
export function createPayloads(sealer: Sealer | undefined) {
  const contextOf = (scope: string, key: ObjectKey): string => `${scope}\u0001${objectPath(key)}`;
  return {
    encode(scope: string, key: ObjectKey, json: Buffer): Buffer {
      const shorter = json.length >= compressFrom ? zstdCompressSync(json) : json;
      const [form, body] = shorter.length < json.length ? [compressed, shorter] : [plain, json];
      const payload = Buffer.concat([Buffer.of(form), body]);
      return sealer && isSecret(key) ? sealer.seal(payload, contextOf(scope, key)) : payload;
    },
    decode(scope: string, key: ObjectKey, stored: Uint8Array): Buffer {
      const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
      const payload = sealer && isSecret(key) ? sealer.open(bytes, contextOf(scope, key)) : bytes;
      return payload[0] === compressed ? zstdDecompressSync(payload.subarray(1)) : payload.subarray(1);
    },
  };
}

export type Payloads = ReturnType<typeof createPayloads>;

/** Items may have 400 KB, keys and names included. */
export const inlineBytes = 350_000;
const partBytes = 380_000;

export function split(payload: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < payload.length; start += partBytes) parts.push(payload.subarray(start, start + partBytes));
  return parts;
}
