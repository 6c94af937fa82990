import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * Bearer secrets that say what they are: `<kind>_<prefix>_<secret><checksum>`. The prefix (8 characters) may be shown in lists and
 * logs; the secret (32 characters of base 62, 190 bits) is shown once and kept only as a SHA-256 hash (it is random and long: a slow
 * hash would add nothing); the checksum (CRC-32 of all before it, 6 characters) lets a typing error and a secret scanner's false hit be
 * told without a look-up. One underscore-free word each, so that a double click selects the parts that matter.
 */
export interface SecretToken {
  readonly token: string;
  readonly prefix: string;
  /** Hex SHA-256 of the whole token. */
  readonly hash: string;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const prefixLength = 8;
const secretLength = 32;
const checksumLength = 6;

/** `kind` as in `ck_live`; `randomBytes` from a cryptographic source. */
export function generateSecretToken(kind: string, randomBytes: (count: number) => Buffer): SecretToken {
  return secretTokenOf(kind, randomText(prefixLength, randomBytes), randomText(secretLength, randomBytes));
}

/** The token of a secret that was made elsewhere. `prefix`: 8, `secret`: 32 letters and digits. @throws RangeError */
export function secretTokenOf(kind: string, prefix: string, secret: string): SecretToken {
  const isText = (text: string, length: number): boolean => text.length === length && /^[0-9A-Za-z]+$/.test(text);
  if (!isText(prefix, prefixLength) || !isText(secret, secretLength))
    throw new RangeError(`a prefix of ${prefixLength} and a secret of ${secretLength} letters and digits are needed`);
  const body = `${kind}_${prefix}_${secret}`;
  const token = body + checksum(body);
  return { token, prefix, hash: hashOf(token) };
}

/** `undefined` when the text cannot be a token of this kind: another form, or a checksum that is wrong. */
export function parseSecretToken(kind: string, token: string): SecretToken | undefined {
  if (token.length !== kind.length + 2 + prefixLength + secretLength + checksumLength || !token.startsWith(`${kind}_`)) return undefined;
  const [prefix = "", rest = ""] = token.slice(kind.length + 1).split("_");
  if (prefix.length !== prefixLength || !/^[0-9A-Za-z]+$/.test(prefix + rest)) return undefined;
  const body = token.slice(0, -checksumLength);
  return checksum(body) === token.slice(-checksumLength) ? { token, prefix, hash: hashOf(token) } : undefined;
}

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

function checksum(body: string): string {
  let value = crc32(body);
  let text = "";
  for (let at = 0; at < checksumLength; at++) {
    text = `${alphabet[value % 62]}${text}`;
    value = Math.floor(value / 62);
  }
  return text;
}

function randomText(length: number, randomBytes: (count: number) => Buffer): string {
  let text = "";
  while (text.length < length) {
    // 248 = 4 * 62: bytes above would favour the first letters.
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += alphabet[byte % 62];
  }
  return text;
}
