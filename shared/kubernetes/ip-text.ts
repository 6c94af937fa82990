import { isIP, isIPv4 } from "node:net";
import { goQuote } from "./schema/go-text.ts";

/** An address as older fields of Kubernetes take it: leading zeros and IPv4 mapped into IPv6 pass (k8s.io/utils `ParseIPSloppy`). */
export interface SloppyAddress {
  readonly family: 4 | 6;
  /** As Go prints it: RFC 5952, and mapped addresses as IPv4. */
  readonly canonical: string;
  /** Accepted by strict parsers too. */
  readonly standard: boolean;
}

export function parseAddress(text: string): SloppyAddress | undefined {
  const plain = withoutLeadingZeros(text);
  const family = isIP(plain);
  if (family === 0 || text.includes("%")) return undefined;
  if (family === 4) return { family: 4, canonical: plain, standard: plain === text };
  const canonical = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return { family: 6, canonical, standard: true };
  const bytes = [mapped[1], mapped[2]].flatMap((group) => {
    const value = Number.parseInt(group ?? "0", 16);
    return [value >> 8, value & 255];
  });
  return { family: 4, canonical: bytes.join("."), standard: false };
}

function withoutLeadingZeros(text: string): string {
  if (!/^\d+(?:\.\d+){3}$/.test(text)) return text;
  const plain = text.replace(/(^|\.)0+(?=\d)/g, "$1");
  return isIPv4(plain) ? plain : text;
}

export interface SloppyPrefix {
  readonly address: SloppyAddress;
  readonly length: number;
  /** The network, as Go prints it. */
  readonly network: string;
  readonly standard: boolean;
}

export function parsePrefix(text: string): SloppyPrefix | undefined {
  const slash = text.lastIndexOf("/");
  const address = parseAddress(text.slice(0, Math.max(slash, 0)));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^\d+$/.test(digits)) return undefined;
  const length = Number(digits);
  if (length > (address.family === 4 ? 32 : 128)) return undefined;
  const network = `${networkOf(address, length)}/${length}`;
  return { address, length, network, standard: address.standard && String(length) === digits };
}

function networkOf({ family, canonical }: SloppyAddress, length: number): string {
  const bits = family === 4 ? 32 : 128;
  const value = family === 4 ? ipv4Value(canonical) : ipv6Value(canonical);
  const hostBits = BigInt(bits - length);
  const masked = (value >> hostBits) << hostBits;
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => Number((masked >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((masked >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function ipv4Value(text: string): bigint {
  return text.split(".").reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function ipv6Value(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...new Array<string>(missing).fill("0"), ...after];
  return groups.reduce((value, group) => value * 65536n + BigInt(`0x${group}`), 0n);
}

/** What `GetWarningsForIP` of apimachinery says of an address that was let pass. */
export function addressWarnings(path: string, text: string): string[] {
  const address = parseAddress(text);
  if (address === undefined) return [];
  const canonical = goQuote(address.canonical);
  if (!address.standard) {
    return [
      `${path}: non-standard IP address ${goQuote(text)} will be considered invalid in a future Kubernetes release: use ${canonical}`,
    ];
  }
  if (address.family === 4 || address.canonical === text) return [];
  return [`${path}: IPv6 address ${goQuote(text)} should be in RFC 5952 canonical format (${canonical})`];
}

/** What `GetWarningsForCIDR` says. */
export function prefixWarnings(path: string, text: string): string[] {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return [];
  const { address, length, network, standard } = prefix;
  const warnings: string[] = [];
  const quoted = goQuote(text);
  const exact = `${address.canonical}/${length}`;
  if (network !== exact) {
    const single = `${address.canonical}/${address.family === 4 ? 32 : 128}`;
    warnings.push(`${path}: CIDR value ${quoted} is ambiguous in this context (should be ${goQuote(network)} or ${goQuote(single)}?)`);
  }
  if (!standard) {
    warnings.push(
      `${path}: non-standard CIDR value ${quoted} will be considered invalid in a future Kubernetes release: use ${goQuote(network)}`,
    );
  }
  if (warnings.length === 0 && address.family === 6 && exact !== text)
    warnings.push(`${path}: IPv6 CIDR value ${quoted} should be in RFC 5952 canonical format (${goQuote(exact)})`);
  return warnings;
}
