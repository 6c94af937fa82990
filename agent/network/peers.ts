import type { PodPeer } from "../../shared/api/agent/protocol.ts";
import {
  formatIpv4,
  type Ipv4Range,
  parseIpv4,
  parseIpv4Range,
  rangeContains,
  rangeOfInterface,
  rangesOverlap,
} from "../../shared/kubernetes/ipv4.ts";

/** Where this node stands. */
export interface PeerSituation {
  /** The range of the node's own pods. */
  readonly podCidr: string;
  /** The machine's own networks, such as `192.0.2.7/24`, without those of pods. */
  readonly networks: readonly string[];
  /** Machines of one network segment reach each other's pods by plain routes; the network between them must carry addresses it does not know. */
  readonly directRoutes: boolean;
  /** Whether packets can be wrapped for the others. */
  readonly overlay: boolean;
}

/** `direct`: by the peer itself. `overlay`: wrapped in a packet to the peer, whose end of the overlay has the MAC address `mac`. */
export type PeerRoute =
  | { readonly kind: "direct"; readonly podCidr: string; readonly via: string }
  | { readonly kind: "overlay"; readonly podCidr: string; readonly gateway: string; readonly mac: string; readonly endpoint: string };

export interface PeerPlan {
  /** Ranges whose pods see the addresses of this node's pods. They never overlap. */
  readonly ranges: readonly string[];
  readonly routes: readonly PeerRoute[];
  readonly unreachable: readonly { readonly podCidr: string; readonly nodeName: string; readonly reason: string }[];
}

export const noPeers: PeerPlan = { ranges: [], routes: [], unreachable: [] };

/** How this node reaches the pods of every other machine of its pool. Pure; the same for the same input in any order. */
export function planPeers(peers: readonly PodPeer[], situation: PeerSituation): PeerPlan {
  const networks = situation.networks.flatMap((cidr) => rangeOfInterface(cidr) ?? []);
  const own = new Set(situation.networks.map((cidr) => cidr.split("/")[0] ?? ""));
  const machines = peers.flatMap(({ internalIps }) => internalIps);
  const taken = [...networks, ...[situation.podCidr].flatMap((cidr) => parseIpv4Range(cidr) ?? [])];
  const plan = { ranges: [] as string[], routes: [] as PeerRoute[], unreachable: [] as PeerPlan["unreachable"][number][] };
  for (const { podCidr, nodeName, internalIps } of peers.toSorted((a, b) => (a.podCidr < b.podCidr ? -1 : 1))) {
    const range = parseIpv4Range(podCidr);
    const refuse = (reason: string): void => void plan.unreachable.push({ podCidr, nodeName, reason });
    if (range === undefined) refuse("not a range");
    else if (taken.some((other) => rangesOverlap(other, range)))
      refuse("overlaps with a network of this machine or another machine's pods");
    else if (machines.some((ip) => rangeContains(range, ip))) refuse("holds the address of a machine");
    else {
      const route = internalIps.some((ip) => own.has(ip)) ? "local" : routeTo(podCidr, range, internalIps, networks, situation);
      if (route === undefined) {
        refuse("no address that can be reached from here");
        continue;
      }
      taken.push(range);
      plan.ranges.push(podCidr);
      // Another agent's pods on this machine: their bridge is at hand.
      if (route !== "local") plan.routes.push(route);
    }
  }
  return plan;
}

function routeTo(
  podCidr: string,
  range: Ipv4Range,
  internalIps: readonly string[],
  networks: readonly Ipv4Range[],
  { directRoutes, overlay }: PeerSituation,
): PeerRoute | undefined {
  const usable = internalIps.filter((ip) => parseIpv4(ip) !== undefined && !notOutside.some((one) => rangeContains(one, ip)));
  const via = usable.find((ip) => networks.some((network) => network.prefixLength < 32 && rangeContains(network, ip)));
  if (via !== undefined && (directRoutes || !overlay)) return { kind: "direct", podCidr, via };
  const [endpoint] = usable;
  if (endpoint === undefined || !overlay) return undefined;
  return { kind: "overlay", podCidr, gateway: formatIpv4(range.first), mac: overlayMacOf(endpoint), endpoint };
}

const notOutside = ["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8"].flatMap((cidr) => parseIpv4Range(cidr) ?? []);

/** The MAC address of a machine's end of the overlay follows from its address, so that nobody needs to tell it; locally administered, as CNI makes them. */
export function overlayMacOf(address: string): string {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"));
  return `0a:58:${octets.join(":")}`;
}
