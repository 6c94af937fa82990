/** Makes identifiers such as `cl-06fh3k9dm2q7x0v5t`: unique, in the order of their making, a DNS label, safe in paths and store keys. */
export type MakeId = (prefix: string) => string;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const timeLength = 9;
const randomLength = 8;

/** 45 bits of milliseconds and 40 random bits in Crockford's base 32. */
export function createIdentifiers(now: () => number, randomBytes: (count: number) => Buffer): MakeId {
  return (prefix) => {
    let time = now();
    let text = "";
    for (let at = 0; at < timeLength; at++) {
      text = `${alphabet[time % 32]}${text}`;
      time = Math.floor(time / 32);
    }
    for (const byte of randomBytes(randomLength)) text += alphabet[byte % 32];
    return `${prefix}-${text}`;
  };
}
