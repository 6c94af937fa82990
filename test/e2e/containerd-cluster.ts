import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createContainerdRuntime } from "../../agent/containerd/containerd-runtime.ts";
import { agentInstance } from "../../agent/instance.ts";
import { nodeAddressOf, tableNameOf } from "../../agent/network/addressing.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Container, Pod, PodSpec } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { runCommand } from "./commands.ts";
import { bridgesOf, type ContainerdFixture, startContainerd, testImage } from "./containerd-fixture.ts";
import { yamlOf } from "./manifests.ts";
import { type KubectlOptions, type ServerFixture, startServer } from "./server-fixture.ts";

/** The embedded host as a process, with nodes over a containerd of the test's own. */
export interface ContainerdCluster {
  readonly containerd: ContainerdFixture;
  readonly server: ServerFixture;
  /** What kubectl writes, trimmed; blanks separate arguments. */
  kubectl(args: string | readonly string[], options?: KubectlOptions): Promise<string>;
  apply(objects: readonly object[], options?: KubectlOptions): Promise<void>;
  /** Pods of a label selector that are not on their way out. */
  pods(selector: string, options?: KubectlOptions): Promise<Pod[]>;
  pod(name: string, options?: KubectlOptions): Promise<Pod>;
  /** Runs a line of shell in the first container of a pod, past the API; answers what it wrote, trimmed. */
  shell(pod: Pod, script: string): Promise<string>;
  /** `ctr -n k8s.io …` on the private containerd. */
  ctr(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

interface ContainerdClusterOptions {
  readonly nodes: number;
  /** Of the server, besides what the fixture sets. */
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startContainerdCluster({ nodes, environment: given = {} }: ContainerdClusterOptions): Promise<ContainerdCluster> {
  const containerd = await startContainerd();
  const environment = { ...given, CONTAINER_RUNTIME_ENDPOINT: containerd.endpoint };
  const server = await startServer({ nodes, runtime: "containerd", environment }).catch(async (error: unknown) => {
    await containerd.stop();
    throw error;
  });
  const runtime = createContainerdRuntime({
    endpoint: containerd.endpoint,
    instance: "test",
    hostAddresses: [],
    clock: systemClock,
    log: silentLog,
  });
  const kubectl: ContainerdCluster["kubectl"] = async (args, options) => (await server.kubectl(args, options)).stdout.trim();
  return {
    containerd,
    server,
    kubectl,
    async apply(objects, options) {
      await kubectl("apply -f -", { ...options, stdin: yamlOf(...objects) });
    },
    async pods(selector, options) {
      const { items } = await server.get<{ items: Pod[] }>(["get", "pods", "-l", selector], options);
      return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    },
    pod: (name, options) => server.get<Pod>(["get", "pod", name], options),
    async shell(pod, script) {
      const { output } = await runtime.exec(containerIdOf(pod), ["sh", "-c", script], 30);
      return output.trim();
    },
    ctr: async (...args) => (await runCommand("ctr", ["-a", containerd.socket, "-n", "k8s.io", ...args])).stdout.trim(),
    async stop() {
      const [agents, bridges] = await Promise.all([localAgentsOf(server), bridgesOf(containerd)]);
      await runtime.close();
      // First what runs: the server's directory holds its pods' volumes.
      await server.kill("SIGTERM");
      await containerd.stop();
      await server.stop();
      await removeNetworks(agents, bridges);
    },
  };
}

/** As the runtime names the first container; the status has `containerd://` before it. */
export function containerIdOf(pod: Pod): string {
  const [status] = pod.status?.containerStatuses ?? [];
  return status?.containerID?.replace("containerd://", "") ?? "";
}

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

/** A container of the test image that runs a line of shell. */
export const shellContainer = (script: string, change: Partial<Container> = {}): Container => ({
  name: "main",
  image: testImage,
  command: ["sh", "-c", script],
  ...change,
});

export const podOf = (name: string, container: Container, spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 2, containers: [container], ...spec },
});

/** Serves one page that says who answers; a pod is ready when it does. */
export const webContainer = (page: string, change: Partial<Container> = {}): Container =>
  shellContainer(`mkdir /www; echo ${page} > /www/index.html; exec httpd -f -p 8080 -h /www`, {
    env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { port: "http" }, periodSeconds: 1 },
    ...change,
  });

/** What a containerd and the agents over it hold of the machine. */
export interface Traces {
  readonly containers: readonly string[];
  /** Command lines of processes that name the containerd's socket. */
  readonly shims: readonly string[];
  /** Tables of nft and addresses of the loopback interface that belong to the agents. */
  readonly network: readonly string[];
  readonly bridges: readonly string[];
}

export const noTraces: Traces = { containers: [], shims: [], network: [], bridges: [] };

/** Where an agent keeps its state, and the name it joined by. */
export interface AgentPlace {
  readonly nodeName: string;
  readonly stateDirectory: string;
}

/** The agents that the embedded host started by itself. */
export async function localAgentsOf({ dataDirectory }: ServerFixture): Promise<AgentPlace[]> {
  // It makes the folder for its first one.
  const files = await readdir(join(dataDirectory, "agents"), { recursive: true }).catch(() => []);
  const directories = files
    .filter((name) => basename(name) === "identity.json")
    .map((name) => join(dataDirectory, "agents", dirname(name)));
  return directories.map((stateDirectory) => ({ nodeName: basename(stateDirectory), stateDirectory }));
}

/** Other agents work on this machine too: only what bears the names of these is looked for. */
export async function tracesOf(
  { containerd, ctr }: ContainerdCluster,
  agents: readonly AgentPlace[],
  bridges: readonly string[],
): Promise<Traces> {
  const instances = agents.map(({ nodeName, stateDirectory }) => agentInstance(nodeName, stateDirectory));
  const [tables, loopback] = await Promise.all([runCommand("nft", "list tables"), runCommand("ip", "-o address show dev lo")]);
  return {
    containers: (await ctr("containers", "list", "-q")).split("\n").filter(Boolean),
    shims: (await commandLines()).filter((line) => line.includes("containerd-shim") && line.includes(containerd.socket)),
    network: instances.flatMap((instance) => [
      ...tables.stdout.split("\n").filter((line) => line.split(" ")[2] === tableNameOf(instance)),
      ...loopback.stdout.split("\n").filter((line) => line.includes(` ${nodeAddressOf(instance)}/`)),
    ]),
    bridges: (await readdir("/sys/class/net")).filter((name) => bridges.includes(name)),
  };
}

/** Takes away what agents that were killed left on the machine. */
export async function removeNetworks(agents: readonly AgentPlace[], bridges: readonly string[]): Promise<void> {
  for (const { nodeName, stateDirectory } of agents) {
    const instance = agentInstance(nodeName, stateDirectory);
    await runCommand("nft", `delete table ip ${tableNameOf(instance)}`, { mayFail: true });
    await runCommand("ip", `address delete ${nodeAddressOf(instance)}/32 dev lo`, { mayFail: true });
  }
  for (const bridge of bridges) await runCommand("ip", `link delete ${bridge}`, { mayFail: true });
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
}
