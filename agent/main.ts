import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { NodeDescription } from "../shared/api/agent/protocol.ts";
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { createNodeAgent, type NodeAgent } from "./agent.ts";
import { openApiAccess } from "./api-access.ts";
import { createBatchingTransports } from "./batching-transport.ts";
import { createHollowRuntime } from "./hollow/hollow-runtime.ts";
import { createHttpClient } from "./http-client.ts";
import type { ApiProxy } from "./network/api-proxy.ts";
import { outsideCidrs } from "./network/machine.ts";
import { describeNode } from "./node-facts.ts";
import { type NodeIdentityRecord, readIdentities, writeIdentities } from "./node-identity.ts";
import { connectNetwork } from "./node-network-port.ts";
import { type OpenRuntimeOptions, openRuntime } from "./open-runtime.ts";
import { createDiskPodFiles, noPodFiles, type PodFiles } from "./pod-files.ts";
import type { ContainerRuntime } from "./runtime.ts";
import { createHttpTransport, type HttpTransportOptions, joinPool, TransportError } from "./transport.ts";
import { mountedTmpfs, noTmpfs } from "./volumes/tmpfs.ts";

export interface StartAgentOptions extends OpenRuntimeOptions {
  readonly serverUrl: string;
  /** PEM of the server's CA; absent: the system's. */
  readonly ca?: string | undefined;
  /** Needed for the first start in a state directory, and when the credential kept there is no longer known. */
  readonly joinToken?: string | undefined;
  readonly random: () => number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: NodeDescription["taints"];
  /** Given instead of the machine's own: `cpu`, `memory`, `pods`. */
  readonly capacity?: Readonly<Record<string, string>>;
  /** The range of the pods' addresses, at most a /20; default: the pool gives one. */
  readonly podCidr?: string;
  /** Reach pods on machines of the same network segment by plain routes, where the network carries them, instead of VXLAN. */
  readonly directRoutes?: boolean;
  /** How long the server may hold a call for news; default 30. */
  readonly waitSeconds?: number;
}

export interface RunningAgent {
  readonly nodeName: string;
  readonly pool: string;
  /** The node was removed from its pool and its pods have ended. */
  readonly removed: Promise<void>;
  /**
   * Stops the agent. Pods keep running by default, for the next agent in this state directory to find; `end` ends them first, and
   * leaves nothing behind on the machine but the identity and logs.
   */
  stop(options?: { readonly pods?: "keep" | "end" }): Promise<void>;
}

/**
 * Joins the pool if this state directory has not yet, and runs the node until it is stopped. Resolves when it has joined.
 * @throws TransportError when the join is refused or the server cannot be reached for it; Error when the runtime is not there.
 */
export async function startAgent(options: StartAgentOptions): Promise<RunningAgent> {
  const { clock, log, random, stateDirectory, serverUrl } = options;
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const runtime = await openRuntime(options);
  const http = createHttpClient(options.ca);
  const transportOptions: HttpTransportOptions = { serverUrl, fetch: http.fetch, upgrade: http.upgrade };
  let network: Awaited<ReturnType<typeof connectNetwork>> | undefined;
  let gateway: ApiProxy | undefined;
  try {
    const runtimeVersion = await runtime.version();
    const describe = (podCidr: string | undefined) =>
      describeNode({ ...options, name: options.nodeName, runtime: runtime.kind, runtimeVersion, podCidr: podCidr ?? options.podCidr });
    const identity = await identify(options, transportOptions, () => describe(undefined));
    const { nodeName } = identity;
    const { kind } = runtime;
    gateway = kind === "hollow" ? undefined : await openGateway(options, transportOptions, identity);
    // Processes share the machine's loopback; pods with addresses of their own reach the gateway through their network.
    const gatewayPort = kind === "process" && gateway ? (await gateway.listen("127.0.0.1", 0)).port : undefined;
    network =
      kind === "hollow"
        ? undefined
        : await connectNetwork({
            ...options,
            nodeName,
            pool: identity.pool,
            assignedPodCidr: identity.podCidr,
            ...(kind === "containerd" && { apiProxy: gateway }),
            runtimeKind: kind,
            running: () => runtime.list(),
          });
    const connected = network;
    const agent = createNodeAgent({
      nodeName,
      transport: createHttpTransport(transportOptions, identity.credential),
      runtime,
      files: filesOf(runtime.kind, stateDirectory),
      describe: () => describe(connected?.podCidr()),
      apiServer: gatewayPort === undefined ? apiServerAddress(serverUrl) : { host: "127.0.0.1", port: gatewayPort },
      network: connected,
      onPodCidr: (podCidr) => keepRange(options, connected?.podCidr(), podCidr),
      clock,
      random,
      log: log.with({ node: nodeName }),
      waitSeconds: options.waitSeconds ?? 30,
    });
    return {
      nodeName,
      pool: identity.pool,
      removed: agent.removed,
      async stop({ pods = "keep" } = {}) {
        await agent.stop(pods);
        await connected?.stop({ remove: pods === "end" });
        if (gatewayPort !== undefined) await gateway?.close();
        await runtime.close();
        await http.close();
      },
    };
  } catch (error) {
    await network?.stop({ remove: false });
    await gateway?.close();
    await runtime.close();
    await http.close();
    throw error;
  }
}

function filesOf(kind: ContainerRuntime["kind"], stateDirectory: string): PodFiles {
  if (kind === "hollow") return noPodFiles;
  const isRoot = process.getuid?.() === 0;
  const tmpfs = isRoot && process.platform === "linux" ? mountedTmpfs : noTmpfs;
  return createDiskPodFiles({ stateDirectory, tmpfs, mayChown: isRoot, sharesHostNetwork: kind === "process" });
}

const identityFile = "identity.json";

/** The node's identity: the one kept, or a fresh one by the join token. */
async function identify(
  options: StartAgentOptions,
  transport: HttpTransportOptions,
  describe: () => Promise<NodeDescription>,
): Promise<NodeIdentityRecord> {
  const path = join(options.stateDirectory, identityFile);
  const kept = (await readIdentities(path))[options.nodeName];
  if (kept !== undefined && !(await isForgotten(transport, kept, options.log))) return kept;
  if (options.joinToken === undefined) throw new TransportError(`node ${options.nodeName} has not joined yet: a join token is needed`);
  const node = await describe();
  const networks = node.runtime === "containerd" ? { networks: outsideCidrs() } : {};
  const { nodeName, pool, credential, podCidr } = await joinPool(transport, { token: options.joinToken, node, ...networks });
  const record = { nodeName, pool, credential, ...(podCidr !== undefined && { podCidr }) };
  await writeIdentities(path, { [options.nodeName]: record });
  return record;
}

function openGateway(
  { stateDirectory, nodeName, ca, clock, log }: StartAgentOptions,
  transport: HttpTransportOptions,
  { credential, apiGateway }: NodeIdentityRecord,
): Promise<ApiProxy | undefined> {
  const keep = async (isGateway: boolean): Promise<void> => {
    const path = join(stateDirectory, identityFile);
    const identities = await readIdentities(path);
    const known = identities[nodeName];
    if (known !== undefined) await writeIdentities(path, { ...identities, [nodeName]: { ...known, apiGateway: isGateway } });
  };
  return openApiAccess({ transport, credential, ca, known: apiGateway, keep, clock, log });
}

/** Remembers the range that the pool gives for the next start; the pods of this one may have another. */
function keepRange({ stateDirectory, nodeName, log }: StartAgentOptions, used: string | undefined, assigned: string): void {
  if (used !== undefined && used !== assigned)
    log.warn("other machines do not reach the pods here until the agent starts while none runs", { used, assigned });
  const path = join(stateDirectory, identityFile);
  const keep = async (): Promise<void> => {
    const identities = await readIdentities(path);
    const known = identities[nodeName];
    if (known === undefined || known.podCidr === assigned) return;
    await writeIdentities(path, { ...identities, [nodeName]: { ...known, podCidr: assigned } });
  };
  keep().catch((error: unknown) => log.error("the range of the pods is not kept", error));
}

/** True when the server says so itself; one that is away says nothing. */
async function isForgotten(transport: HttpTransportOptions, { credential }: NodeIdentityRecord, log: Log): Promise<boolean> {
  try {
    await createHttpTransport(transport, credential).sync({});
    return false;
  } catch (error) {
    const forgotten = error instanceof TransportError && (error.status === 401 || error.status === 410);
    if (!forgotten) log.warn("the server does not answer yet", { cause: String(error) });
    return forgotten;
  }
}

function apiServerAddress(serverUrl: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(serverUrl);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
}

export interface HollowFleetOptions {
  readonly serverUrl: string;
  readonly ca?: string | undefined;
  /** Taken once for each node that has not joined yet. */
  readonly joinToken?: string | undefined;
  readonly count: number;
  /** Nodes are called `PREFIX-0`, `PREFIX-1`, … */
  readonly namePrefix: string;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of each node; default 32 CPUs, 256 GiB, 110 pods. */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly waitSeconds?: number;
}

export interface RunningFleet {
  readonly nodeNames: readonly string[];
  /** All of them were removed from their pool. */
  readonly removed: Promise<void>;
  /** With `pods: "end"` the fleet's identities are forgotten too. */
  stop(options?: { readonly pods?: "keep" | "end" }): Promise<void>;
}

const joinsAtOnce = 16;
const hollowCapacity = { cpu: "32", memory: "256Gi", "ephemeral-storage": "1Ti", pods: "110" };

/** Many hollow nodes in one process: one connection pool, calls in batches, no files but their identities. */
export async function startHollowFleet(options: HollowFleetOptions): Promise<RunningFleet> {
  const { clock, random, log, stateDirectory } = options;
  const http = createHttpClient(options.ca);
  const transportOptions: HttpTransportOptions = { serverUrl: options.serverUrl, fetch: http.fetch, upgrade: http.upgrade };
  const transportOf = createBatchingTransports({ ...transportOptions, clock });
  const path = join(stateDirectory, identityFile);
  const identities = await readIdentities(path);
  const agents: NodeAgent[] = [];
  const nodeNames: string[] = [];
  const startNode = async (index: number): Promise<void> => {
    const name = `${options.namePrefix}-${index}`;
    const description = await describeNode({
      name,
      runtime: "hollow",
      runtimeVersion: "hollow://1",
      capacity: options.capacity ?? hollowCapacity,
      addresses: [
        { type: "InternalIP", address: `198.18.${(index >> 8) & 255}.${index & 255}` },
        { type: "Hostname", address: name },
      ],
      ...(options.labels && { labels: options.labels }),
    });
    let identity = identities[name];
    if (identity === undefined) {
      if (options.joinToken === undefined) throw new TransportError(`node ${name} has not joined yet: a join token is needed`);
      const joined = await joinPool(transportOptions, { token: options.joinToken, node: description });
      identity = { nodeName: joined.nodeName, pool: joined.pool, credential: joined.credential };
      identities[name] = identity;
    }
    nodeNames[index] = identity.nodeName;
    agents[index] = createNodeAgent({
      nodeName: identity.nodeName,
      transport: transportOf(identity.credential),
      runtime: createHollowRuntime({ nodeIndex: index, clock }),
      files: noPodFiles,
      describe: async () => description,
      apiServer: undefined,
      network: undefined,
      clock,
      random,
      log: log.with({ node: identity.nodeName }),
      waitSeconds: options.waitSeconds ?? 30,
    });
  };
  try {
    for (let first = 0; first < options.count; first += joinsAtOnce) {
      const indices = Array.from({ length: Math.min(joinsAtOnce, options.count - first) }, (_, offset) => first + offset);
      await Promise.all(indices.map(startNode));
    }
  } finally {
    await writeIdentities(path, identities);
  }
  return {
    nodeNames,
    removed: Promise.all(agents.map(({ removed }) => removed)).then(() => {}),
    async stop({ pods = "keep" } = {}) {
      for (const agent of agents) await agent.stop();
      if (pods === "end") await rm(path, { force: true });
      await http.close();
    },
  };
}
