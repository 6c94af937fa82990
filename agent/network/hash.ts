import { createHash } from "node:crypto";

/** A number from 0 to 2^32-1 that depends on nothing but the text. */
export function hashOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}

/** Eight hexadecimal digits that depend on nothing but the text. */
export function shortHash(text: string): string {
  return hashOf(text).toString(16).padStart(8, "0");
}
