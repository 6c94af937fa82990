import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Encrypts what lies at rest. `context` is authenticated with it: a sealed value cannot be moved to another key. */
export interface Sealer {
  seal(plain: Buffer, context: string): Buffer;
  /** Throws when the value was not sealed by this key under this context. */
  open(sealed: Buffer, context: string): Buffer;
}

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D): nonce, tag, ciphertext. `key` has 32 bytes. */
export function createAesSealer(key: Buffer): Sealer {
  return {
    seal(plain, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, context) {
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes)).setAAD(Buffer.from(context));
      decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()]);
    },
  };
}
