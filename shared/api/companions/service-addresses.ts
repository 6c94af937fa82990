import { parseAddress } from "../../kubernetes/ip-text.ts";
import { ipAddresses } from "../../kubernetes/known-resources.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { fillFamilies, normalizeNewClusterIps } from "../../kubernetes/schema/validation/service-families.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { IPAddress, Service, ServicePort } from "../../kubernetes/types.ts";
import { clusterPartitions } from "../../store/cluster-records.ts";
import type { Operation, RecordOperation } from "../../store/store.ts";
import { type ApiCluster, timestamp } from "../api-cluster.ts";
import type { Companions } from "../registry.ts";

const nodePorts = { first: 30_000, last: 32_767 } as const;
const tries = 200;

/** Each node port that a cluster's Services hold is a record: two writers can never take the same. */
const nodePortPartition = clusterPartitions.nodePorts;
const none: Companions = { operations: [], records: [] };

/**
 * Gives a new Service its cluster IP (an IPAddress object in the same transaction, KEP-1880) and its node ports.
 * @throws StatusError `Invalid` when an asked-for address or port is taken or outside the range
 */
export async function allocateForService(cluster: ApiCluster, service: Service, dryRun: boolean): Promise<Companions> {
  normalizeNewClusterIps(service);
  const problems = service.spec === undefined ? [] : fillFamilies(service.spec);
  if (problems.length > 0) throw invalidStatus("Service", "", service.metadata.name ?? "", problems);
  const address = allocateAddress(cluster, service, dryRun);
  const ports = await allocateNodePorts(cluster, service, new Set(), dryRun);
  return { operations: address ? [address] : [], records: ports };
}

/** A Service that changes its type takes or gives back what that means. */
export async function reallocateForService(cluster: ApiCluster, next: Service, live: Service): Promise<Companions> {
  const held = heldPorts(live);
  const [had, has] = [ownAddress(live), ownAddress(next)];
  const operations: Operation[] = [];
  if (next.spec?.type === "ExternalName") {
    if (had !== undefined) operations.push(...releaseAddress(cluster, parseAddress(had)?.canonical ?? had));
  } else if (has === undefined || had === undefined) {
    const taken = allocateAddress(cluster, next);
    if (taken) operations.push(taken);
  }
  const records = await allocateNodePorts(cluster, next, held, false);
  const kept = heldPorts(next);
  const partition = nodePortPartition(cluster.ref);
  for (const port of held) if (!kept.has(port)) records.push({ kind: "delete", partition, sort: String(port), expected: undefined });
  return operations.length + records.length === 0 ? none : { operations, records };
}

export function releaseOfService(cluster: ApiCluster, service: Service): Companions {
  const own = ownAddress(service);
  const address = own === undefined ? undefined : (parseAddress(own)?.canonical ?? own);
  const partition = nodePortPartition(cluster.ref);
  return {
    operations: address === undefined ? [] : releaseAddress(cluster, address),
    records: [...heldPorts(service)].map((port) => ({ kind: "delete", partition, sort: String(port), expected: undefined })),
  };
}

function ownAddress(service: Service): string | undefined {
  const address = service.spec?.clusterIP;
  return address === undefined || address === "" || address === "None" ? undefined : address;
}

function allocateAddress(cluster: ApiCluster, service: Service, dryRun = false): Operation | undefined {
  const { spec } = service;
  if (!spec || spec.type === "ExternalName" || spec.clusterIP === "None") {
    return undefined;
  }
  const own = ownAddress(service);
  const asked = own === undefined ? undefined : (parseAddress(own)?.canonical ?? own);
  const address = asked ?? freeAddress(cluster);
  if (asked !== undefined) checkAddress(cluster, service, asked, dryRun);
  // An asked-for address stays as it was written, leading zeros and all.
  if (asked === undefined) Object.assign(spec, { clusterIP: address, clusterIPs: [address] });
  return {
    kind: "put",
    key: { ...ipAddresses, namespace: "", name: address },
    expected: 0,
    object: addressObject(cluster, service, address),
  };
}

function addressObject(cluster: ApiCluster, service: Service, address: string): IPAddress {
  return {
    kind: "IPAddress",
    apiVersion: "networking.k8s.io/v1",
    metadata: {
      name: address,
      uid: cluster.uid(),
      creationTimestamp: timestamp(cluster.clock.now()),
      labels: { "ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" },
    },
    spec: {
      parentRef: { resource: "services", namespace: service.metadata.namespace ?? "", name: service.metadata.name ?? "" },
    },
  };
}

const toAddress = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
const toNumber = (address: string): number => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

function freeAddress(cluster: ApiCluster): string {
  const { first, size } = cluster.serviceCidr;
  // KEP-3070: the first part of the range is kept for addresses that people ask for.
  const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256);
  for (let i = 0; i < tries; i++) {
    const address = toAddress(first + reserved + Math.floor(cluster.random() * (size - reserved - 1)));
    if (!cluster.mirror.get(ipAddresses, "", address)) return address;
  }
  for (let offset = 1; offset < size - 1; offset++) {
    const address = toAddress(first + offset);
    if (!cluster.mirror.get(ipAddresses, "", address)) return address;
  }
  throw new StatusError("InternalError", "failed to allocate a serviceIP: range is full");
}

function checkAddress(cluster: ApiCluster, service: Service, address: string, dryRun: boolean): void {
  const refuse = (why: string): StatusError =>
    invalidStatus("Service", "", service.metadata.name ?? "", [
      {
        reason: "FieldValueInvalid",
        field: "spec.clusterIPs",
        message: `Invalid value: []string{${JSON.stringify(address)}}: failed to allocate IP ${address}: ${why}`,
      },
    ]);
  const { first, size } = cluster.serviceCidr;
  const number = toNumber(address);
  if (!(number > first && number < first + size - 1)) {
    if (!dryRun) throw refuse("the provided network does not match the current range");
    const bits = 32 - Math.log2(size);
    throw refuse(`the provided IP (${address}) is not in the valid range. The range of valid IPs is ${toAddress(first)}/${bits}`);
  }
  if (cluster.mirror.get(ipAddresses, "", address)) throw refuse("provided IP is already allocated");
}

function releaseAddress(cluster: ApiCluster, address: string): Operation[] {
  const held = cluster.mirror.get(ipAddresses, "", address);
  return held
    ? [{ kind: "delete", key: held.key, expected: held.revision, object: { ...held.object, metadata: { ...held.object.metadata } } }]
    : [];
}

const wantsNodePorts = (service: Service): boolean =>
  service.spec?.type === "NodePort" || (service.spec?.type === "LoadBalancer" && service.spec.allocateLoadBalancerNodePorts !== false);

function heldPorts(service: Service): Set<number> {
  const { type, ports } = service.spec ?? {};
  if (type !== "NodePort" && type !== "LoadBalancer") return new Set();
  return new Set((ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : [])));
}

/** Chooses the ports that are missing and claims those that `held` does not hold yet. */
async function allocateNodePorts(
  cluster: ApiCluster,
  service: Service,
  held: ReadonlySet<number>,
  dryRun: boolean,
): Promise<RecordOperation[]> {
  const ports = service.spec?.ports ?? [];
  if (!wantsNodePorts(service)) return [];
  const partition = nodePortPartition(cluster.ref);
  const used = new Set((await cluster.store.queryRecords(partition, { limit: 3000 })).map(({ sort }) => Number(sort)));
  const claimed = new Set<number>();
  for (const [index, port] of ports.entries()) {
    // One number for one port of several protocols is one claim; the same number for another port is taken. A dry run knows no other's ports.
    const shared = ports.slice(0, index).some((other) => other.port === port.port && other.nodePort === port.nodePort);
    if (port.nodePort && !held.has(port.nodePort) && !shared) checkNodePort(service, port, index, dryRun ? claimed : used, dryRun);
    // TCP and UDP of one number may share a node port, and do when kube-apiserver chooses.
    port.nodePort ||=
      ports.find((other) => other !== port && other.port === port.port && other.nodePort)?.nodePort ?? freePort(cluster, used);
    used.add(port.nodePort);
    if (!held.has(port.nodePort)) claimed.add(port.nodePort);
  }
  return [...claimed].map((port) => ({ kind: "put", partition, sort: String(port), expected: 0, value: {} }));
}

function checkNodePort(service: Service, port: ServicePort, index: number, used: ReadonlySet<number>, dryRun: boolean): void {
  const number = port.nodePort ?? 0;
  const inRange = dryRun || (number >= nodePorts.first && number <= nodePorts.last);
  if (inRange && !used.has(number)) return;
  const why = inRange
    ? "provided port is already allocated"
    : `provided port is not in the valid range. The range of valid ports is ${nodePorts.first}-${nodePorts.last}`;
  throw invalidStatus("Service", "", service.metadata.name ?? "", [
    { reason: "FieldValueInvalid", field: `spec.ports[${index}].nodePort`, message: `Invalid value: ${number}: ${why}` },
  ]);
}

function freePort(cluster: ApiCluster, used: ReadonlySet<number>): number {
  const free: number[] = [];
  for (let port: number = nodePorts.first; port <= nodePorts.last; port++) if (!used.has(port)) free.push(port);
  const chosen = free[Math.floor(cluster.random() * free.length)];
  if (chosen === undefined) throw new StatusError("InternalError", "failed to allocate a nodePort: range is full");
  return chosen;
}
