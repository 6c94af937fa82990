import { bridgePrefix } from "./addressing.ts";
import { shortHash } from "./hash.ts";
import type { ClusterNetwork, NetworkState } from "./network-state.ts";
import type { Chain, NftSet, Ruleset } from "./ruleset.ts";
import { serviceChains } from "./service-chains.ts";
import { type Destination, type EndpointTarget, type NodePlace, type ServicePortRoute, servicePortRoutes } from "./service-ports.ts";

export interface RulesetInput {
  readonly table: string;
  readonly state: NetworkState;
  readonly place: NodePlace;
  /** The range of the node's own bridge; undefined when another network plugin connects the pods. */
  readonly podCidr: string | undefined;
  /** Destinations that pods reach under their own address. */
  readonly nonMasqueradeCidrs: readonly string[];
  /** The ranges of other machines' pods: they see who speaks to them. They must not overlap. */
  readonly peerRanges: readonly string[];
  /** Where connections to the service `default/kubernetes` of every cluster go instead of its endpoints. */
  readonly apiTarget: EndpointTarget | undefined;
  /** Without br_netfilter a reply between two pods of one bridge bypasses the translation, so the node stands in as the client. */
  readonly masqueradeWithinBridge: boolean;
}

/** The bit that kube-proxy and the kubelet use for "masquerade this". */
const masqueradeMark = "0x4000";
const packetKey = "ip daddr . meta l4proto . th dport";
const nodePortKey = "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport";
const serviceMap = "type ipv4_addr . inet_proto . inet_service : verdict ;";
const nodePortMap = "type inet_proto . inet_service : verdict ;";
const podMap = "type ipv4_addr : verdict ;";

/**
 * A node's service rules: what kube-proxy's nftables mode does (KEP-3866), for several clusters at once. The source address of a packet says which
 * cluster it belongs to, because service addresses of different clusters may be the same; connections from the machine itself reach
 * those service addresses that only one cluster uses; node ports, external and load balancer addresses are open to everyone, and
 * where two clusters claim the same one, the cluster whose id sorts first has it.
 */
export function rulesetOf(input: RulesetInput): Ruleset {
  const chains = new Map<string, Chain>(baseChains(input));
  const elements = new Map<string, Map<string, string>>(sharedMaps.map(([name]) => [name, new Map()]));
  const sets = new Map<string, NftSet>();
  const put = (map: string, key: string, value: string): void => {
    const into = elements.get(map);
    if (into !== undefined && !into.has(key)) into.set(key, value);
  };
  const clusters = input.state.clusters.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const sharedIps = ipsOfSeveral(clusters);

  for (const cluster of clusters) {
    const name = clusterName(cluster.id);
    const [services, nodePorts, unserved, ips] = [`${name}-services`, `${name}-node-ports`, `${name}-unserved`, `${name}-ips`];
    for (const own of [services, nodePorts, unserved, ips]) elements.set(own, new Map());
    chains.set(name, { rules: [`${packetKey} vmap @${services}`, `${nodePortKey} vmap @${nodePorts}`, "goto outside"] });
    chains.set(`${name}-check`, { rules: [`${packetKey} vmap @${unserved}`, `ip daddr @${ips} goto refuse`, "goto outside-check"] });
    for (const { ip } of cluster.pods) {
      put("pods", ip, `goto ${name}`);
      put("pod-checks", ip, `goto ${name}-check`);
      put("hairpin", `${ip} . ${ip}`, "");
    }
    for (const route of servicePortRoutes(cluster, input.place).map((one) => overrideApi(one, input.apiTarget))) {
      const rules = serviceChains(cluster.id, route);
      for (const [chain, content] of rules.chains) chains.set(chain, content);
      for (const [set, content] of rules.sets) sets.set(set, content);

      for (const ip of route.clusterIps) {
        const key = `${ip} . ${route.protocol} . ${route.port}`;
        put(ips, ip, "");
        enter(put, services, unserved, key, route.internal, rules.internal);
        if (sharedIps.has(ip)) continue;
        put("host-ips", ip, "");
        enter(put, "host-services", "host-unserved", key, route.internal, rules.internal);
      }
      for (const ip of [...route.externalIps, ...route.loadBalancerIps]) {
        const key = `${ip} . ${route.protocol} . ${route.port}`;
        enter(put, services, unserved, key, route.externalFromNode, rules.fromNode);
        enter(put, "outside-services", "outside-unserved", key, route.external, rules.outside);
        if (rules.firewall !== undefined && route.loadBalancerIps.includes(ip)) put("firewall", key, `goto ${rules.firewall}`);
      }
      if (route.nodePort !== undefined) {
        const key = `${route.protocol} . ${route.nodePort}`;
        if (route.externalFromNode.kind === "endpoints") put(nodePorts, key, `goto ${rules.fromNode}`);
        enter(put, "outside-node-ports", "outside-node-ports-unserved", key, route.external, rules.outside);
      }
    }
    sets.set(services, { kind: "map", type: serviceMap, elements: elements.get(services) ?? new Map() });
    sets.set(nodePorts, { kind: "map", type: nodePortMap, elements: elements.get(nodePorts) ?? new Map() });
    sets.set(unserved, { kind: "map", type: serviceMap, elements: elements.get(unserved) ?? new Map() });
    sets.set(ips, { kind: "set", type: "type ipv4_addr ;", elements: elements.get(ips) ?? new Map() });
  }
  sets.set("peer-ranges", {
    kind: "set",
    type: "type ipv4_addr ; flags interval ;",
    elements: new Map(input.peerRanges.map((cidr) => [cidr, ""])),
  });
  for (const [name, kind, type] of sharedMaps) sets.set(name, { kind, type, elements: elements.get(name) ?? new Map() });
  return { table: input.table, chains, sets };
}

const sharedMaps: readonly (readonly [name: string, kind: "map" | "set", type: string])[] = [
  ["pods", "map", podMap],
  ["pod-checks", "map", podMap],
  ["hairpin", "set", "type ipv4_addr . ipv4_addr ;"],
  ["host-ips", "set", "type ipv4_addr ;"],
  ["host-services", "map", serviceMap],
  ["host-unserved", "map", serviceMap],
  ["outside-services", "map", serviceMap],
  ["outside-unserved", "map", serviceMap],
  ["outside-node-ports", "map", nodePortMap],
  ["outside-node-ports-unserved", "map", nodePortMap],
  ["firewall", "map", serviceMap],
];

function* baseChains(input: RulesetInput): Generator<[string, Chain]> {
  yield ["refuse", { rules: ["meta l4proto tcp reject with tcp reset", "reject"] }];
  yield ["mark-for-masquerade", { rules: [`meta mark set meta mark or ${masqueradeMark}`] }];
  yield ["outside", { rules: [`${packetKey} vmap @outside-services`, `${nodePortKey} vmap @outside-node-ports`] }];
  yield ["outside-check", { rules: [`${packetKey} vmap @outside-unserved`, `${nodePortKey} vmap @outside-node-ports-unserved`] }];
  yield ["nat-prerouting", { hook: "type nat hook prerouting priority -100 ;", rules: ["ip saddr vmap @pods", "goto outside"] }];
  yield [
    "nat-output",
    {
      hook: "type nat hook output priority -100 ;",
      rules: ["ip daddr @host-ips jump mark-for-masquerade", `${packetKey} vmap @host-services`, "goto outside"],
    },
  ];
  yield ["nat-postrouting", { hook: "type nat hook postrouting priority 100 ;", rules: masqueradeRules(input) }];
  yield ["filter-prerouting", { hook: "type filter hook prerouting priority -110 ;", rules: [`ct state new ${packetKey} vmap @firewall`] }];
  for (const hook of ["input", "forward"]) {
    const rules = ["ct state new ip saddr vmap @pod-checks", "ct state new goto outside-check"];
    yield [`filter-${hook}`, { hook: `type filter hook ${hook} priority -110 ;`, rules }];
  }
  // After the translation at -100: what still bears a service address has no endpoint.
  yield [
    "filter-output",
    {
      hook: "type filter hook output priority -90 ;",
      rules: [
        `ct state new ${packetKey} vmap @host-unserved`,
        "ct state new ip daddr @host-ips goto refuse",
        "ct state new goto outside-check",
      ],
    },
  ];
}

function masqueradeRules({ podCidr, nonMasqueradeCidrs, masqueradeWithinBridge }: RulesetInput): string[] {
  const marked = `meta mark & ${masqueradeMark} != 0 meta mark set meta mark and 0xffffbfff masquerade fully-random`;
  const hairpin = "ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random";
  if (podCidr === undefined) return [marked, hairpin];
  const kept = [...new Set([podCidr, ...nonMasqueradeCidrs])].map((cidr) => `ip daddr != ${cidr}`).join(" ");
  return [
    marked,
    hairpin,
    ...(masqueradeWithinBridge ? [`ct status dnat ip saddr ${podCidr} ip daddr ${podCidr} masquerade fully-random`] : []),
    // Only what comes from a bridge of pods: what this machine bridges for others, guests of it say, may have the same addresses.
    `iifname "${bridgePrefix}*" ip saddr ${podCidr} ${kept} ip daddr != @peer-ranges ip daddr != 224.0.0.0/4 oifname != "${bridgePrefix}*" masquerade fully-random`,
  ];
}

/** A service address leads to its chain, or, without endpoints, into the map of what is refused or dropped. */
function enter(
  put: (map: string, key: string, value: string) => void,
  served: string,
  unserved: string,
  key: string,
  destination: Destination,
  chain: string,
): void {
  if (destination.kind === "endpoints") put(served, key, `goto ${chain}`);
  else put(unserved, key, destination.kind === "drop" ? "drop" : "goto refuse");
}

function overrideApi(route: ServicePortRoute, apiTarget: EndpointTarget | undefined): ServicePortRoute {
  if (apiTarget === undefined || route.namespace !== "default" || route.service !== "kubernetes") return route;
  return { ...route, internal: { kind: "endpoints", targets: [apiTarget] } };
}

function ipsOfSeveral(clusters: readonly ClusterNetwork[]): ReadonlySet<string> {
  const users = new Map<string, string>();
  const several = new Set<string>();
  for (const { id, services } of clusters) {
    for (const ip of services.flatMap(({ spec }) => spec?.clusterIPs ?? [spec?.clusterIP ?? ""])) {
      if ((users.get(ip) ?? id) !== id) several.add(ip);
      users.set(ip, id);
    }
  }
  return several;
}

/** A name that nft accepts and that cannot be mistaken for another cluster's. */
function clusterName(id: string): string {
  return /^[A-Za-z0-9-]{1,64}$/.test(id) ? `cluster-${id}` : `cluster-${shortHash(id)}`;
}
