import { BlockList, isIPv6 } from "node:net";
import { isPublicAddress } from "../webhooks/addresses.ts";

/**
 * Decides which addresses may be connected to on a tenant's behalf: public ones, and those in the networks (CIDR) that the operator named.
 * @throws Error when one of the networks is none
 */
export function createAddressGuard(allowed: readonly string[]): (address: string) => boolean {
  const open = new BlockList();
  for (const cidr of allowed) {
    const [network = "", prefix = ""] = cidr.split("/");
    if (!/^\d{1,3}$/.test(prefix)) throw new Error(`${cidr} is no network in CIDR notation`);
    open.addSubnet(network, Number(prefix), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return (address) => isPublicAddress(address) || open.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
