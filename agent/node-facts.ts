import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { arch, availableParallelism, freemem, hostname, networkInterfaces, platform, release, totalmem } from "node:os";
import type { NodeDescription } from "../shared/api/agent/protocol.ts";

type Condition = NodeDescription["conditions"][number];

/** The Kubernetes version whose behaviour the node has. */
export const kubeletVersion = "v1.33.0";

const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
const defaultMaximumPods = 110;
/** kubelet's hard eviction threshold. */
const memoryPressureBytes = 100 * 1024 * 1024;

export interface NodeFactsOptions {
  readonly name: string;
  readonly runtime: NodeDescription["runtime"];
  readonly runtimeVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: NodeDescription["taints"];
  readonly podCidr?: string | undefined;
  /** Capacity that is given instead of found out: hollow nodes, or a part of a machine. */
  readonly capacity?: Readonly<Record<string, string>>;
  /** Addresses given instead of found out. */
  readonly addresses?: NodeDescription["addresses"];
}

/** What this machine is, in the words of a Node object. */
export async function describeNode(options: NodeFactsOptions): Promise<NodeDescription> {
  const { name, runtime } = options;
  const [machineId, bootId, systemUuid, osImage] = await Promise.all([
    firstLine("/etc/machine-id"),
    firstLine("/proc/sys/kernel/random/boot_id"),
    firstLine("/sys/class/dmi/id/product_uuid"),
    prettyName(),
  ]);
  const capacity = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(defaultMaximumPods),
    ...options.capacity,
  };
  return {
    name,
    // Several nodes may live on one machine, each being itself again when it comes back.
    machineId: `${machineId === "" ? hostname() : machineId}/${name}`,
    labels: { ...options.labels },
    taints: [...(options.taints ?? [])],
    capacity,
    allocatable: capacity,
    addresses: options.addresses === undefined ? hostAddresses(name) : [...options.addresses],
    info: {
      architecture: architectures[arch()] ?? arch(),
      bootID: bootId,
      containerRuntimeVersion: options.runtimeVersion,
      kernelVersion: release(),
      kubeProxyVersion: "",
      kubeletVersion,
      machineID: machineId,
      operatingSystem: platform() === "win32" ? "windows" : platform(),
      osImage,
      systemUUID: systemUuid,
    },
    runtime,
    ...(options.podCidr === undefined ? {} : { podCidr: options.podCidr }),
    conditions: nodeConditions(runtime !== "hollow" && freemem() < memoryPressureBytes),
  };
}

/** The conditions of a working node, in kubelet's words. */
export function nodeConditions(memoryPressure: boolean): Condition[] {
  return [
    memoryPressure
      ? {
          type: "MemoryPressure",
          status: "True",
          reason: "KubeletHasInsufficientMemory",
          message: "kubelet has insufficient memory available",
        }
      : {
          type: "MemoryPressure",
          status: "False",
          reason: "KubeletHasSufficientMemory",
          message: "kubelet has sufficient memory available",
        },
    { type: "DiskPressure", status: "False", reason: "KubeletHasNoDiskPressure", message: "kubelet has no disk pressure" },
    { type: "PIDPressure", status: "False", reason: "KubeletHasSufficientPID", message: "kubelet has sufficient PID available" },
    { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
  ];
}

/** The machine's IPv4 address where its default route begins (as kubelet chooses), else its first outside one, or loopback. */
export function hostAddress(): string {
  const interfaces = networkInterfaces();
  const all = [...(interfaces[defaultInterface()] ?? []), ...Object.values(interfaces).flatMap((addresses) => addresses ?? [])];
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}

/** The interface of the default route, by Linux' table of them (proc_net_route: interface, destination, …; all zeros: everywhere). */
function defaultInterface(): string {
  try {
    const lines = readFileSync("/proc/self/net/route", "utf8").split("\n").slice(1);
    return (
      lines
        .map((line) => line.split("\t"))
        .find(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")?.[0] ?? ""
    );
  } catch {
    return "";
  }
}

function hostAddresses(name: string): NodeDescription["addresses"] {
  return [
    { type: "InternalIP", address: hostAddress() },
    { type: "Hostname", address: name },
  ];
}

async function firstLine(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).split("\n")[0]?.trim() ?? "";
}

async function prettyName(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? platform();
}
