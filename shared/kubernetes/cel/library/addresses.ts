import { type Implementation, type Overload, overload } from "../overload.ts";
import { opaqueType } from "../type.ts";
import { type CelValue, Failure, OpaqueValue } from "../value.ts";
import {
  type Address,
  formatAddress,
  isIn,
  maskNetwork,
  type Network,
  networkContains,
  parseAddress,
  parseNetwork,
} from "./address-text.ts";

const addressType = opaqueType("net.IP");
const networkType = opaqueType("net.CIDR");

const addressValue = (address: Address): CelValue => new OpaqueValue(addressType, address, formatAddress(address));
const networkValue = (network: Network): CelValue =>
  new OpaqueValue(networkType, network, `${formatAddress(network.address)}/${network.prefixLength}`);
const addressOf = (value: CelValue | undefined): Address => (value as OpaqueValue<Address>).content;
const networkOf = (value: CelValue | undefined): Network => (value as OpaqueValue<Network>).content;

/** What a parser throws is a failure of the expression. */
export function attempt(call: () => CelValue): CelValue {
  try {
    return call();
  } catch (error) {
    if (error instanceof RangeError) return new Failure(error.message);
    throw error;
  }
}

export const succeeds =
  (call: (text: string) => unknown): Implementation =>
  ([text]) =>
    !(
      attempt(() => {
        call(text as string);
        return true;
      }) instanceof Failure
    );

const isUnspecified = (address: Address): boolean => address.bits === 0n;
const isLoopback = (address: Address): boolean => (address.family === 4 ? isIn(address, "127.0.0.0/8") : address.bits === 1n);
const isLinkLocalMulticast = (address: Address): boolean =>
  address.family === 4 ? isIn(address, "224.0.0.0/24") : address.bits >> 120n === 0xffn && ((address.bits >> 112n) & 0xfn) === 2n;
const isLinkLocalUnicast = (address: Address): boolean => isIn(address, address.family === 4 ? "169.254.0.0/16" : "fe80::/10");
const isMulticast = (address: Address): boolean => isIn(address, address.family === 4 ? "224.0.0.0/4" : "ff00::/8");
const isGlobalUnicast = (address: Address): boolean =>
  !isUnspecified(address) &&
  !(address.family === 4 && address.bits === 0xffffffffn) &&
  !isLoopback(address) &&
  !isMulticast(address) &&
  !isLinkLocalUnicast(address);

const accessors: readonly (readonly [string, string, (address: Address) => boolean])[] = [
  ["ip_is_unspecified", "isUnspecified", isUnspecified],
  ["ip_is_loopback", "isLoopback", isLoopback],
  ["ip_is_link_local_multicast", "isLinkLocalMulticast", isLinkLocalMulticast],
  ["ip_is_link_local_unicast", "isLinkLocalUnicast", isLinkLocalUnicast],
  ["ip_is_global_unicast", "isGlobalUnicast", isGlobalUnicast],
];

const containsNetwork = (outer: Network, inner: Network): boolean =>
  outer.prefixLength <= inner.prefixLength && networkContains(outer, inner.address);

/** Addresses and networks (apiserver `cel/library/ip.go`, `cidr.go`). */
export const addressLibrary: readonly Overload[] = [
  overload("string_to_ip", "ip(string): net.IP", ([text]) => attempt(() => addressValue(parseAddress(text as string)))),
  overload("ip_family", "(net.IP).family(): int", ([ip]) => BigInt(addressOf(ip).family)),
  overload("ip_is_canonical", "ip.isCanonical(string): bool", ([text]) =>
    attempt(() => formatAddress(parseAddress(text as string)) === text),
  ),
  overload("is_ip", "isIP(string): bool", succeeds(parseAddress)),
  overload("ip_to_string", "string(net.IP): string", ([ip]) => (ip as OpaqueValue).key),
  ...accessors.map(([id, name, call]) => overload(id, `(net.IP).${name}(): bool`, ([ip]) => call(addressOf(ip)))),
  overload("string_to_cidr", "cidr(string): net.CIDR", ([text]) => attempt(() => networkValue(parseNetwork(text as string)))),
  overload("cidr_contains_ip_string", "(net.CIDR).containsIP(string): bool", ([cidr, text]) =>
    attempt(() => networkContains(networkOf(cidr), parseAddress(text as string))),
  ),
  overload("cidr_contains_ip_ip", "(net.CIDR).containsIP(net.IP): bool", ([cidr, ip]) => networkContains(networkOf(cidr), addressOf(ip))),
  overload("cidr_contains_cidr_string", "(net.CIDR).containsCIDR(string): bool", ([cidr, text]) =>
    attempt(() => containsNetwork(networkOf(cidr), parseNetwork(text as string))),
  ),
  overload("cidr_contains_cidr", "(net.CIDR).containsCIDR(net.CIDR): bool", ([cidr, other]) =>
    containsNetwork(networkOf(cidr), networkOf(other)),
  ),
  overload("cidr_ip", "(net.CIDR).ip(): net.IP", ([cidr]) => addressValue(networkOf(cidr).address)),
  overload("cidr_prefix_length", "(net.CIDR).prefixLength(): int", ([cidr]) => BigInt(networkOf(cidr).prefixLength)),
  overload("cidr_masked", "(net.CIDR).masked(): net.CIDR", ([cidr]) => networkValue(maskNetwork(networkOf(cidr)))),
  overload("is_cidr", "isCIDR(string): bool", succeeds(parseNetwork)),
  overload("cidr_to_string", "string(net.CIDR): string", ([cidr]) => (cidr as OpaqueValue).key),
];
