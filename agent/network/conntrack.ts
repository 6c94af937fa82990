import type { Log } from "../../shared/telemetry/log.ts";
import type { NetworkState } from "./network-state.ts";
import type { RunCommand } from "./run-command.ts";
import { type Destination, type NodePlace, servicePortRoutes } from "./service-ports.ts";

/** A UDP flow as the kernel tracks it: what the client sent, and who answers. */
export interface UdpFlow {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly replySource: string;
  readonly replySourcePort: number;
}

/** Reads the lines of `conntrack -L -p udp`. */
export function parseUdpFlows(output: string): UdpFlow[] {
  return output.split("\n").flatMap((line) => {
    const values = (key: string): string[] => [...line.matchAll(new RegExp(`\\b${key}=(\\S+)`, "g"))].map((match) => match[1] ?? "");
    const [sources, destinations, sourcePorts, destinationPorts] = [values("src"), values("dst"), values("sport"), values("dport")];
    const [source, replySource] = sources;
    const destination = destinations[0];
    if (!line.startsWith("udp") || source === undefined || replySource === undefined || destination === undefined) return [];
    return [
      {
        source,
        destination,
        replySource,
        sourcePort: Number(sourcePorts[0]),
        destinationPort: Number(destinationPorts[0]),
        replySourcePort: Number(sourcePorts[1]),
      },
    ];
  });
}

/**
 * The flows to a service port that end where no endpoint is any more. UDP has no handshake, so the kernel would send a client's packets there for as
 * long as it keeps sending (`pkg/proxy/conntrack/cleanup.go`). A flow that was never translated is stale as soon as there are endpoints.
 */
export function staleUdpFlows(flows: readonly UdpFlow[], state: NetworkState, place: NodePlace): UdpFlow[] {
  const clusterOf = new Map(state.clusters.flatMap(({ id, pods }) => pods.map(({ ip }) => [ip, id] as const)));
  const endpoints = new Map<string, Set<string>>();
  const allow = (key: string, ...destinations: Destination[]): void => {
    const into = endpoints.get(key) ?? new Set();
    endpoints.set(key, into);
    for (const destination of destinations) {
      if (destination.kind === "endpoints") for (const { ip, port } of destination.targets) into.add(`${ip}:${port}`);
    }
  };
  for (const cluster of state.clusters) {
    for (const route of servicePortRoutes(cluster, place)) {
      if (route.protocol !== "udp") continue;
      for (const ip of route.clusterIps) {
        for (const scope of [cluster.id, ""]) allow(`${scope} ${ip}:${route.port}`, route.internal);
      }
      for (const ip of [...route.externalIps, ...route.loadBalancerIps]) {
        for (const scope of [cluster.id, ""]) allow(`${scope} ${ip}:${route.port}`, route.external, route.externalFromNode);
      }
      if (route.nodePort !== undefined) {
        for (const scope of [cluster.id, ""]) allow(`${scope} node:${route.nodePort}`, route.external, route.externalFromNode);
      }
    }
  }
  return flows.filter((flow) => {
    const scope = clusterOf.get(flow.source) ?? "";
    const translated = flow.replySource !== flow.destination;
    const byAddress = endpoints.get(`${scope} ${flow.destination}:${flow.destinationPort}`);
    const byNodePort = translated ? endpoints.get(`${scope} node:${flow.destinationPort}`) : undefined;
    const known = byAddress ?? byNodePort;
    if (known === undefined) return false;
    return translated ? !known.has(`${flow.replySource}:${flow.replySourcePort}`) : known.size > 0;
  });
}

export interface ConntrackCleaner {
  /** Removes stale UDP flows. Costs nothing while no service uses UDP; without the `conntrack` program it only warns, once. */
  clean(state: NetworkState): Promise<void>;
}

export function createConntrackCleaner(place: NodePlace, run: RunCommand, log: Log): ConntrackCleaner {
  let available = true;
  return {
    async clean(state) {
      if (!available || !usesUdp(state)) return;
      const listed = await run("conntrack", ["-L", "-p", "udp"]).catch(() => undefined);
      if (listed === undefined) {
        available = false;
        log.warn("the conntrack program is absent: UDP clients of removed endpoints stay there until they pause");
        return;
      }
      for (const flow of staleUdpFlows(parseUdpFlows(listed.stdout), state, place)) {
        const origin = ["-s", flow.source, "-d", flow.destination, "--sport", `${flow.sourcePort}`, "--dport", `${flow.destinationPort}`];
        // It exits with 1 when the flow has ended by itself meanwhile.
        await run("conntrack", ["-D", "-p", "udp", ...origin]);
      }
    },
  };
}

function usesUdp({ clusters }: NetworkState): boolean {
  return clusters.some(({ services }) => services.some(({ spec }) => (spec?.ports ?? []).some(({ protocol }) => protocol === "UDP")));
}
