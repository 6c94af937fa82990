import { shortHash } from "./hash.ts";
import type { Chain, NftSet } from "./ruleset.ts";
import type { Destination, EndpointTarget, ServicePortRoute } from "./service-ports.ts";

/** The chains of one service port; each name leads to endpoints that are there, or is not referred to. */
export interface ServiceChains {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NftSet>;
  /** For connections to a cluster IP. */
  readonly internal: string;
  /** For connections from outside to a node port, external or load balancer address. */
  readonly outside: string;
  /** For the same addresses, used by pods of the cluster. */
  readonly fromNode: string;
  /** For the load balancer's addresses, when only some sources may use them. */
  readonly firewall: string | undefined;
}

/**
 * Endpoints are chosen uniformly at random. With session affinity each endpoint has a set of the clients that it served within the time-out,
 * which is asked first; since the rule that asks goes away together with the endpoint, its clients are spread anew.
 */
export function serviceChains(cluster: string, route: ServicePortRoute): ServiceChains {
  const id = identityOf(cluster, route);
  const chains = new Map<string, Chain>();
  const sets = new Map<string, NftSet>();
  const internal = `service-${id}`;
  const [outside, fromNode] = [`outside-${id}`, `node-${id}`];

  const endpointChains = new Map<string, string>();
  /** Destinations with the same endpoints share a chain. */
  const endpointChain = (name: string, targets: readonly EndpointTarget[]): string => {
    const content = targets.map(({ ip, port }) => `${ip}:${port}`).join(" ");
    const shared = endpointChains.get(content);
    if (shared !== undefined) return shared;
    endpointChains.set(content, name);
    chains.set(name, {
      rules: route.affinitySeconds === undefined ? randomRules(route, targets) : affinityRules(id, route, targets, chains, sets),
    });
    return name;
  };
  const targetsOf = (destination: Destination): readonly EndpointTarget[] => (destination.kind === "endpoints" ? destination.targets : []);

  if (route.internal.kind === "endpoints") endpointChain(internal, route.internal.targets);
  const everywhere = targetsOf(route.externalFromNode);
  if (everywhere.length > 0) {
    const all = endpointChain(`all-${id}`, everywhere);
    chains.set(fromNode, { rules: route.externalLocal ? [`goto ${all}`] : ["jump mark-for-masquerade", `goto ${all}`] });
    const external = targetsOf(route.external);
    if (route.externalLocal && external.length > 0) {
      const fromHost = ["fib saddr type local jump mark-for-masquerade", `fib saddr type local goto ${all}`];
      chains.set(outside, { rules: [...fromHost, `goto ${endpointChain(`local-${id}`, external)}`] });
    }
  }
  const firewall = route.loadBalancerSourceRanges.length === 0 ? undefined : `firewall-${id}`;
  if (firewall !== undefined) {
    chains.set(firewall, { rules: [...route.loadBalancerSourceRanges.map((range) => `ip saddr ${range} return`), "drop"] });
  }
  return { chains, sets, internal, outside: route.externalLocal ? outside : fromNode, fromNode, firewall };
}

function randomRules({ protocol }: ServicePortRoute, targets: readonly EndpointTarget[]): string[] {
  const [only] = targets;
  if (only !== undefined && targets.length === 1) return [`meta l4proto ${protocol} dnat to ${only.ip}:${only.port}`];
  const choices = targets.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(", ");
  return [`meta l4proto ${protocol} dnat ip to numgen random mod ${targets.length} map { ${choices} }`];
}

function affinityRules(
  id: string,
  { protocol, affinitySeconds }: ServicePortRoute,
  targets: readonly EndpointTarget[],
  chains: Map<string, Chain>,
  sets: Map<string, NftSet>,
): string[] {
  const names = targets.map(({ ip, port }) => {
    // The time-out is part of the name, because a set cannot change it.
    const [set, chain] = [`affinity-${id}-${ip}/${port}-${affinitySeconds}`, `endpoint-${id}-${ip}/${port}`];
    sets.set(set, { kind: "set", type: `type ipv4_addr ; flags dynamic,timeout ; timeout ${affinitySeconds}s ;`, elements: "dynamic" });
    chains.set(chain, { rules: [`update @${set} { ip saddr }`, `meta l4proto ${protocol} dnat to ${ip}:${port}`] });
    return { set, chain };
  });
  return [
    ...names.map(({ set, chain }) => `ip saddr @${set} goto ${chain}`),
    `numgen random mod ${names.length} vmap { ${names.map(({ chain }, index) => `${index} : goto ${chain}`).join(", ")} }`,
  ];
}

/** Unique by the hash in front, readable behind; names of nft objects may have 255 characters. */
function identityOf(cluster: string, { namespace, service, protocol, portName, port }: ServicePortRoute): string {
  const readable = `${namespace}/${service}/${protocol}/${portName === "" ? port : portName}`;
  return `${shortHash(`${cluster}\n${readable}`)}-${readable.replaceAll(/[^A-Za-z0-9/._-]/g, "_")}`.slice(0, 180);
}
