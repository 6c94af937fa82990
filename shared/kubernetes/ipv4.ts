/** The bits of `a.b.c.d` as a number from 0 to 2^32-1; undefined for anything else. */
export function parseIpv4(address: string): number | undefined {
  const parts = address.split(".");
  // A leading zero would mean octal to some readers.
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const octets = parts.map(Number);
  if (octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((bits, octet) => bits * 256 + octet, 0);
}

export function formatIpv4(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

export interface Ipv4Range {
  /** The first address. */
  readonly first: number;
  readonly prefixLength: number;
}

/** `10.1.2.0/24`; undefined when it is no IPv4 range or has host bits set. */
export function parseIpv4Range(cidr: string): Ipv4Range | undefined {
  const [address = "", length = "", ...rest] = cidr.split("/");
  const first = parseIpv4(address);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : -1;
  if (first === undefined || rest.length > 0 || prefixLength < 0 || prefixLength > 32) return undefined;
  return first % sizeOf({ first, prefixLength }) === 0 ? { first, prefixLength } : undefined;
}

/** The range that an interface with the address `10.1.2.7/24` is part of. */
export function rangeOfInterface(cidr: string): Ipv4Range | undefined {
  const [address = "", length = ""] = cidr.split("/");
  const bits = parseIpv4(address);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : -1;
  if (bits === undefined || prefixLength < 0 || prefixLength > 32) return undefined;
  return { first: bits - (bits % 2 ** (32 - prefixLength)), prefixLength };
}

export function sizeOf(range: Ipv4Range): number {
  return 2 ** (32 - range.prefixLength);
}

export function rangesOverlap(a: Ipv4Range, b: Ipv4Range): boolean {
  return a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a);
}

export function rangeContains(range: Ipv4Range, address: string): boolean {
  const bits = parseIpv4(address);
  return bits !== undefined && bits >= range.first && bits < range.first + sizeOf(range);
}
