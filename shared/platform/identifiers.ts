/** Makes identifiers such as `cl-06fh3k9dm2q7x0v5t`: unique, in the order of their making, a DNS label, safe in paths and store keys. */
export type MakeId = (prefix: string) => string;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const timeLength = 9;
const randomLength = 8;

/** 45 bits of milliseconds and 40 random bits in Crockford's base 32. Within a millisecond the random part counts on, as in a ULID. */
export function createIdentifiers(now: () => number, randomBytes: (count: number) => Buffer): MakeId {
  let lastMs = 0;
  let random = 0;
  return (prefix) => {
    const nowMs = now();
    // The highest bit stays clear, so that counting on does not overflow.
    random = nowMs > lastMs ? randomBytes(5).readUIntBE(0, 5) % 2 ** 39 : random + 1;
    lastMs = Math.max(lastMs, nowMs);
    return `${prefix}-${base32(lastMs, timeLength)}${base32(random, randomLength)}`;
  };
}

function base32(value: number, length: number): string {
  let rest = value;
  let text = "";
  for (let at = 0; at < length; at++) {
    text = `${alphabet[rest % 32]}${text}`;
    rest = Math.floor(rest / 32);
  }
  return text;
}
