import { formatIpv4, type Ipv4Range, parseIpv4Range, rangeOfInterface, rangesOverlap, sizeOf } from "../../shared/kubernetes/ipv4.ts";
import { hashOf, shortHash } from "./hash.ts";

/** Pod ranges that are not given are /24s of this range: it leaves 10.96.0.0/12, the usual service range, alone. */
export const podRange = "10.128.0.0/9";
const nodePrefixLength = 24;

/**
 * A pod range that follows from the agent's name, the next free one where it overlaps with one that is `taken` (the addresses of the machine's interfaces, as `192.0.2.7/24`).
 * Two machines can derive the same range: a pool whose nodes route pod addresses to each other gives each node its range.
 */
export function derivePodCidr(instance: string, taken: readonly string[] = []): string {
  const all = parseIpv4Range(podRange);
  if (all === undefined) throw new Error(`${podRange} is not a range`);
  const occupied = taken.flatMap((cidr) => rangeOfInterface(cidr) ?? []);
  const size = 2 ** (32 - nodePrefixLength);
  const count = sizeOf(all) / size;
  const start = hashOf(`pods/${instance}`) % count;
  for (let step = 0; step < count; step++) {
    const candidate: Ipv4Range = { first: all.first + ((start + step) % count) * size, prefixLength: nodePrefixLength };
    if (!occupied.some((range) => rangesOverlap(range, candidate))) return `${formatIpv4(candidate.first)}/${nodePrefixLength}`;
  }
  throw new Error(`every range of ${podRange} is taken`);
}

/** The bridge of a node: at most 15 characters, the limit of Linux, so the name is hashed. */
export function bridgeNameOf(instance: string): string {
  return `${bridgePrefix}${shortHash(`bridge/${instance}`)}`;
}
export const bridgePrefix = "crc-";

/**
 * Where a node answers its pods: cluster DNS and the way to the API server. A link-local address (RFC 3927) that follows from the agent's name, held by the
 * loopback interface, as NodeLocal DNSCache does: it is there before the first pod, and agents that share a bridge do not contend for its gateway.
 * Of 169.254.64.0/18, away from the clouds' metadata services at 169.254.169.254 and 169.254.170.2.
 */
export function nodeAddressOf(instance: string): string {
  const [base, size] = [0xa9fe4000, 2 ** 14];
  return formatIpv4(base + 1 + (hashOf(`node/${instance}`) % (size - 2)));
}

/**
 * Where a node answers the processes of one cluster that have no address of their own (process nodes, pods in the host's network): what asks there
 * belongs to that cluster. Of 127.64.0.0/10, which Linux answers on every machine without configuration.
 */
export function loopbackAddressOf(instance: string, cluster: string): string {
  const [base, size] = [0x7f400000, 2 ** 22];
  return formatIpv4(base + 1 + (hashOf(`loopback/${instance}/${cluster}`) % (size - 2)));
}

/** The nft table of a node. Names of nft objects are limited to 255 characters. */
export function tableNameOf(instance: string): string {
  const safe = instance.replaceAll(/[^A-Za-z0-9_.-]/g, "_");
  return safe === instance && instance.length <= 120 ? `coracle-${instance}` : `coracle-${safe.slice(0, 100)}-${shortHash(instance)}`;
}
