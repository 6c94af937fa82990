import { isIPv4, isIPv6 } from "node:net";

/** An IP address as a number of 32 or 128 bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

export interface Network {
  readonly address: Address;
  readonly prefixLength: number;
}

/** @throws RangeError in the words of Kubernetes' library (apiserver `cel/library/ip.go`). */
export function parseAddress(text: string): Address {
  const quoted = JSON.stringify(text);
  if (isIPv4(text)) return { family: 4, bits: text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  if (text.includes("%") && isIPv6(text.split("%")[0] ?? "")) throw new RangeError(`IP address ${quoted} with zone value is not allowed`);
  if (!isIPv6(text))
    throw new RangeError(`IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): unable to parse IP`);
  const bits = ipv6Bits(text);
  if (bits >> 32n === 0xffffn) throw new RangeError(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
  return { family: 6, bits };
}

function ipv6Bits(text: string): bigint {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = (high: string | undefined, low: string | undefined): string => ((Number(high) << 8) | Number(low)).toString(16);
  const groups = dotted ? `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}` : text;
  const [head = "", tail] = groups.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** The canonical text (RFC 5952). */
export function formatAddress({ family, bits }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

export function parseNetwork(text: string): Network {
  const fail = (why: string): never => {
    throw new RangeError(
      `network address parse error during conversion from string: network address parse error during conversion from string: ${why}`,
    );
  };
  const quoted = JSON.stringify(text);
  const [, addressText = "", length = ""] = /^(.*)\/(\d{1,3})$/.exec(text) ?? fail(`netip.ParsePrefix(${quoted}): no '/'`);
  if (length.length > 1 && length.startsWith("0")) fail(`netip.ParsePrefix(${quoted}): bad bits after slash: ${JSON.stringify(length)}`);
  const address =
    isIPv4(addressText) || isIPv6(addressText) ? parseAddress(addressText) : fail(`netip.ParsePrefix(${quoted}): unable to parse IP`);
  const prefixLength = Number(length);
  if (prefixLength > widthOf(address)) fail(`netip.ParsePrefix(${quoted}): prefix length out of range`);
  return { address, prefixLength };
}

export const widthOf = ({ family }: Address): number => (family === 4 ? 32 : 128);

export function maskNetwork({ address, prefixLength }: Network): Network {
  const shift = BigInt(widthOf(address) - prefixLength);
  return { address: { family: address.family, bits: (address.bits >> shift) << shift }, prefixLength };
}

export function networkContains({ address, prefixLength }: Network, other: Address): boolean {
  const shift = BigInt(widthOf(address) - prefixLength);
  return address.family === other.family && address.bits >> shift === other.bits >> shift;
}

export const isIn = (address: Address, network: string): boolean => networkContains(parseNetwork(network), address);
