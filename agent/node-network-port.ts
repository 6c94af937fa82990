import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import type { NodeNetworkPort } from "./agent.ts";
import { agentInstance } from "./instance.ts";
import { createAgentNetwork } from "./network/agent-network.ts";
import type { ApiProxy } from "./network/api-proxy.ts";
import { hostAddress } from "./node-facts.ts";
import type { RuntimePod } from "./runtime.ts";

export interface ConnectNetworkOptions {
  readonly nodeName: string;
  readonly stateDirectory: string;
  readonly runtimeKind: "containerd" | "process";
  /** CRI socket, default `unix:///run/containerd/containerd.sock`. */
  readonly runtimeEndpoint?: string | undefined;
  /** What runs already: it keeps its services while the agent learns of it anew. */
  readonly running: () => Promise<readonly RuntimePod[]>;
  /** A person's choice, which goes before the pool's. */
  readonly podCidr?: string;
  /** The range that the pool gives to the node's pods. */
  readonly assignedPodCidr: string | undefined;
  readonly pool: string;
  /** Plain routes to machines of the same network segment instead of VXLAN. */
  readonly directRoutes?: boolean;
  readonly serverUrl: string;
  /** Absent: connections of pods to the API server are passed on to `serverUrl`. */
  readonly apiProxy?: ApiProxy | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

export interface ConnectedNetwork extends NodeNetworkPort {
  podCidr(): string | undefined;
  stop(options: { readonly remove: boolean }): Promise<void>;
}

/**
 * The node's network, fed from the agent's state. On a process node it serves names only and is not vital: where it cannot start
 * (no right to the address it needs), pods use the machine's own resolver.
 */
export async function connectNetwork(options: ConnectNetworkOptions): Promise<ConnectedNetwork | undefined> {
  const { nodeName, podCidr, serverUrl, clock, log, random, labels } = options;
  const { createNodeNetwork } = await import("./network/node-network.ts");
  const zone = labels?.["topology.kubernetes.io/zone"];
  const mode = options.runtimeKind === "containerd" ? "bridge" : "host";
  const cni = mode === "bridge" ? await cniDirectoriesOf(options.runtimeEndpoint) : undefined;
  const network = createNodeNetwork({
    nodeName,
    instance: agentInstance(nodeName, options.stateDirectory),
    mode,
    podCidr: podCidr ?? (mode === "bridge" ? await takeable(options) : undefined),
    serverUrl,
    ...(options.apiProxy && { apiProxy: options.apiProxy }),
    clock,
    log,
    random,
    peering: { pool: options.pool, address: hostAddress(), directRoutes: options.directRoutes ?? false },
    ...(zone === undefined ? {} : { zone }),
    ...(cni === undefined ? {} : { cniConfDir: cni.confDir, cniBinDirs: [cni.binDir] }),
  });
  try {
    await network.start();
  } catch (error) {
    if (mode === "bridge") throw error;
    log.warn("no cluster DNS on this node", { cause: String(error) });
    return undefined;
  }

  const port = createAgentNetwork({
    network,
    running: options.running,
    podsHaveAddresses: mode === "bridge",
    log: log.with({ node: nodeName }),
  });
  return { ...port, podCidr: () => network.podCidr(), stop: (how) => network.stop(how) };
}

/** Pods that run keep their addresses: an agent that had another range takes the pool's when it starts without any. */
async function takeable({ assignedPodCidr, running }: ConnectNetworkOptions): Promise<string | undefined> {
  return assignedPodCidr === undefined || (await running()).length > 0 ? undefined : assignedPodCidr;
}

async function cniDirectoriesOf(endpoint: string | undefined) {
  const { readCniDirectories } = await import("./containerd/cni-directories.ts");
  return readCniDirectories(endpoint);
}
