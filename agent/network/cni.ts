import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { bridgeNameOf, derivePodCidr } from "./addressing.ts";

/** The first name in byte order is what containerd reads; it belongs to this project alone. */
const fileName = "05-coracle.conflist";
/** Below /run: addresses that were given out do not outlive the machine, as their pods do not. */
export const defaultCniDataDir = "/run/coracle/cni";

const conflist = z.object({
  name: z.string(),
  plugins: z
    .array(
      z.looseObject({
        type: z.string(),
        bridge: z.string().optional(),
        ipam: z.looseObject({ ranges: z.array(z.array(z.object({ subnet: z.string() }))).optional() }).optional(),
      }),
    )
    .min(1),
});

export interface CniNetworkOptions {
  readonly instance: string;
  /** undefined: the range that the node had before, else one that follows from its name. */
  readonly podCidr: string | undefined;
  /** Ranges of the machine's own networks. */
  readonly taken: readonly string[];
  /** Whether the `portmap` plugin can work here; host ports need it. */
  readonly portmap: boolean;
  /** Whether the machine drops what it forwards, so that each pod must be let through (the `firewall` plugin). */
  readonly firewall: boolean;
  readonly dataDir: string;
  /** Of the pods' interfaces, in bytes; absent: the kernel's default. */
  readonly mtu?: number;
}

/**
 * The network of a node's pods: a bridge whose gateway is the node, addresses by `host-local`, host ports by `portmap`. The runtime itself adds
 * the loopback interface. Masquerading is left to the node's nft table. CNI specification 0.4.0, which containerd 1.6 reads.
 */
function cniConfigOf({
  instance,
  podCidr,
  portmap,
  firewall,
  dataDir,
  mtu,
}: Omit<CniNetworkOptions, "taken" | "podCidr"> & { podCidr: string }): object {
  const bridge = bridgeNameOf(instance);
  return {
    cniVersion: "0.4.0",
    name: `coracle-${bridge}`,
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        forceAddress: true,
        ...(mtu !== undefined && { mtu }),
        ipam: { type: "host-local", dataDir, ranges: [[{ subnet: podCidr }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
      ...(portmap ? [{ type: "portmap", capabilities: { portMappings: true } }] : []),
      ...(firewall ? [{ type: "firewall", backend: "iptables" }] : []),
    ],
  };
}

/** `own`: written by us. `adopted`: another agent's, which shares the containerd. `foreign`: another network plugin's, which is left alone. */
export type CniNetwork =
  | { readonly kind: "own" | "adopted"; readonly bridge: string; readonly podCidr: string }
  | { readonly kind: "foreign"; readonly file: string };

/** Files that are there for other tools than a Kubernetes node: podman's bridge, the loopback that the runtime adds anyway. */
const notForPods = /podman|loopback/;

/**
 * Settles the pod network of a containerd, which has one directory for its configuration and so one network for all pods: the first agent
 * writes it; others that share that containerd adopt its bridge and range; and where another network plugin was set up before, that one stays.
 */
export async function ensureCniNetwork(confDir: string, options: CniNetworkOptions): Promise<CniNetwork> {
  await mkdir(confDir, { recursive: true });
  const network = await settleNetwork(confDir, options);
  if (network.kind !== "foreign") {
    await mkdir(usersDir(options.dataDir, network.bridge), { recursive: true });
    await writeFile(join(usersDir(options.dataDir, network.bridge), options.instance), "");
  }
  return network;
}

async function settleNetwork(confDir: string, options: CniNetworkOptions): Promise<CniNetwork> {
  const bridge = bridgeNameOf(options.instance);
  const existing = await readCniNetwork(confDir);
  if (existing !== undefined && existing.bridge !== bridge) return { kind: "adopted", ...existing };
  const files = (await readdir(confDir)).filter((file) => /\.(conf|conflist|json)$/.test(file) && !notForPods.test(file)).sort();
  if (!files.includes(fileName) && files[0] !== undefined) return { kind: "foreign", file: files[0] };

  const podCidr = options.podCidr ?? existing?.podCidr ?? derivePodCidr(options.instance, options.taken);
  const [path, temporary] = [join(confDir, fileName), join(confDir, `.${fileName}.${bridge}`)];
  await writeFile(temporary, `${JSON.stringify(cniConfigOf({ ...options, podCidr }), null, 2)}\n`, { mode: 0o644 });
  // Of two agents that start at once only one may be the first: a link, unlike a rename, does not replace what is there.
  if (files.includes(fileName)) await rename(temporary, path);
  else if (!(await linkTo(temporary, path))) return settleNetwork(confDir, options);
  return { kind: "own", bridge, podCidr };
}

async function linkTo(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(from, { force: true });
  }
}

interface BridgeNetwork {
  readonly bridge: string;
  readonly podCidr: string;
}

async function readCniNetwork(confDir: string): Promise<BridgeNetwork | undefined> {
  const text = await readFile(join(confDir, fileName), "utf8").catch(() => "");
  const plugin = conflist.safeParse(parseJson(text)).data?.plugins.find(({ type }) => type === "bridge");
  const podCidr = plugin?.ipam?.ranges?.[0]?.[0]?.subnet;
  return plugin?.bridge === undefined || podCidr === undefined ? undefined : { bridge: plugin.bridge, podCidr };
}

/** One empty file for each node that uses the network. */
const usersDir = (dataDir: string, bridge: string): string => join(dataDir, `users-of-${bridge}`);

/**
 * The node needs its network no more. When it was the last to use it, the configuration goes, and the answer is the bridge that may be deleted.
 */
export async function releaseCniNetwork(confDir: string, dataDir: string, instance: string): Promise<string | undefined> {
  const existing = await readCniNetwork(confDir);
  if (existing === undefined) return undefined;
  const users = usersDir(dataDir, existing.bridge);
  await rm(join(users, instance), { force: true });
  if ((await readdir(users).catch(() => [])).length > 0) return undefined;
  await rm(users, { recursive: true, force: true });
  await rm(join(confDir, fileName), { force: true });
  return existing.bridge;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
