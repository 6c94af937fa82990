import { BlockList, isIP } from "node:net";
import { endpoints, nodes, pods, services } from "../../../kubernetes/known-resources.ts";
import { StatusError } from "../../../kubernetes/status-error.ts";
import type { EndpointAddress, Endpoints, Node, Pod, Service } from "../../../kubernetes/types.ts";
import type { Call } from "../../cluster-api.ts";
import { catchUp } from "../../list.ts";
import type { ConnectTarget } from "../../pod-streams.ts";
import { notFound } from "../../response.ts";

/** Where a proxied request goes. */
export interface Destination {
  readonly scheme: "http" | "https";
  /** As it would stand in a URL. */
  readonly host: string;
  readonly nodeName: string;
  readonly target: ConnectTarget;
}

/** Where kubelet's own server would listen. */
const kubeletPort = 10250;
const unroutable = new BlockList();
for (const [network, prefix] of [
  ["127.0.0.0", 8],
  ["224.0.0.0", 4],
  ["169.254.0.0", 16],
  ["0.0.0.0", 32],
] as const)
  unroutable.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [
  ["::", 127],
  ["ff00::", 8],
  ["fe80::", 10],
] as const)
  unroutable.addSubnet(network, prefix, "ipv6");

/** Go's `IP.IsGlobalUnicast`, which holds for private addresses, too. */
function isGlobalUnicast(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && address !== "255.255.255.255" && !unroutable.check(address, family === 6 ? "ipv6" : "ipv4");
}

const hostOf = (address: string, port: number): string => `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;

/**
 * What the name in a proxy's path leads to: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT` (`ResourceLocation` of pods, services and nodes).
 * @throws StatusError in kube-apiserver's words
 */
export async function destinationOf(call: Call): Promise<Destination> {
  const { served, definition, target } = call;
  await catchUp(served.cluster);
  const parts = target.name.split(":");
  const [scheme = "", name = "", port = ""] = parts.length === 3 ? parts : ["", ...parts];
  if (parts.length > 3 || name === "" || !["", "http", "https"].includes(scheme)) {
    const what = { pods: "pod", services: "service", nodes: "node" }[definition.resource] ?? definition.resource;
    throw new StatusError("BadRequest", `invalid ${what} request ${JSON.stringify(target.name)}`);
  }
  const found =
    definition.resource === "pods"
      ? podPlace(call, name, port)
      : definition.resource === "services"
        ? servicePlace(call, name, port)
        : nodePlace(call, name, port);
  return { scheme: scheme === "https" ? "https" : "http", ...found };
}

type Place = Omit<Destination, "scheme">;

function podPlace({ served: { cluster }, target }: Call, name: string, asked: string): Place {
  const pod = cluster.mirror.get(pods, target.namespace, name)?.object as Pod | undefined;
  if (!pod) throw notFound("", "pods", name);
  const first = (pod.spec?.containers ?? []).find(({ ports = [] }) => ports.length > 0)?.ports?.[0]?.containerPort;
  const address = addressesOf(pod)[0] ?? "";
  if (!isGlobalUnicast(address)) throw new StatusError("BadRequest", "address not allowed");
  return atPod(pod, address, asked === "" ? (first ?? 80) : portNumber(asked));
}

function servicePlace({ served: { cluster }, target }: Call, name: string, asked: string): Place {
  const { mirror, random } = cluster;
  const unavailable = (why: string): StatusError => new StatusError("ServiceUnavailable", why);
  let portName = asked;
  if (/^[+-]?\d+$/.test(asked)) {
    const service = mirror.get(services, target.namespace, name)?.object as Service | undefined;
    if (!service) throw notFound("", "services", name);
    const declared = (service.spec?.ports ?? []).find(({ port }) => port === Number(asked));
    if (!declared) throw unavailable(`no service port ${Number(asked)} found for service ${JSON.stringify(name)}`);
    portName = declared.name ?? "";
  }
  const found = mirror.get(endpoints, target.namespace, name)?.object as Endpoints | undefined;
  if (!found) throw notFound("", "endpoints", name);
  const { subsets = [] } = found;
  if (subsets.length === 0) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  for (const { addresses = [], ports = [] } of fromAnywhere(subsets, random)) {
    const port = ports.find((each) => (each.name ?? "") === portName)?.port;
    if (port === undefined) continue;
    for (const address of fromAnywhere(addresses, random)) {
      const pod = podAt(cluster.mirror, target.namespace, address);
      if (pod) return atPod(pod, address.ip, port);
    }
  }
  throw unavailable(`no endpoints available for service ${JSON.stringify(target.name)}`);
}

/** Only addresses that are a pod's own are reached: an endpoint may say anything (`isValidAddress`). */
function podAt(mirror: Call["served"]["cluster"]["mirror"], namespace: string, { ip, targetRef }: EndpointAddress): Pod | undefined {
  if (targetRef?.namespace !== namespace) return undefined;
  const pod = mirror.get(pods, namespace, targetRef.name ?? "")?.object as Pod | undefined;
  return pod && addressesOf(pod).includes(ip) ? pod : undefined;
}

function nodePlace({ served: { cluster } }: Call, name: string, asked: string): Place {
  const node = cluster.mirror.get(nodes, "", name)?.object as Node | undefined;
  if (!node) throw notFound("", "nodes", name);
  const address = (node.status?.addresses ?? []).find(({ type }) => type === "InternalIP")?.address ?? "";
  const port = asked === "" ? kubeletPort : portNumber(asked);
  if (port === kubeletPort) return { host: hostOf(address, port), nodeName: name, target: { kind: "node" } };
  if (!isGlobalUnicast(address)) throw new StatusError("BadRequest", "address not allowed");
  return { host: hostOf(address, port), nodeName: name, target: { kind: "machine", port } };
}

function atPod(pod: Pod, address: string, port: number): Place {
  return { host: hostOf(address, port), nodeName: pod.spec?.nodeName ?? "", target: { kind: "pod", podUid: pod.metadata.uid ?? "", port } };
}

const addressesOf = ({ status }: Pod): string[] => (status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]));

/** All of them, from a random one on. */
function fromAnywhere<T>(items: readonly T[], random: () => number): T[] {
  const first = Math.floor(random() * items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Names of ports mean nothing here, as in Kubernetes: Go's dialer looks them up as services of the machine. */
function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new StatusError("ServiceUnavailable", `error trying to reach service: dial tcp: lookup tcp/${text}: unknown port`);
}
