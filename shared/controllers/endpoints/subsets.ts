import type { EndpointAddress, EndpointPort, EndpointSubset } from "../../kubernetes/types.ts";

/** One pod behind a service: its address, whether it is ready, and the ports it offers (none: a headless service without ports). */
export interface EndpointEntry {
  readonly address: EndpointAddress;
  readonly isReady: boolean;
  readonly ports: readonly EndpointPort[];
}

/** Most addresses in an Endpoints object; what is beyond is cut off, unready ones first (`maxCapacity`). */
const endpointsCapacity = 1000;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const compareAddresses = (a: EndpointAddress, b: EndpointAddress): number =>
  compare(ipKey(a.ip), ipKey(b.ip)) || compare(a.targetRef?.uid ?? "", b.targetRef?.uid ?? "");
const comparePorts = (a: EndpointPort, b: EndpointPort): number =>
  compare(a.name ?? "", b.name ?? "") || a.port - b.port || compare(a.protocol ?? "", b.protocol ?? "");

function ipKey(ip: string): string {
  return ip
    .split(".")
    .map((part) => part.padStart(3, "0"))
    .join(".");
}

/**
 * Subsets in canonical form: ports that the same addresses offer stand together, and everything is sorted, so that equal input gives
 * equal output (`RepackSubsets`; where that sorts by hash, this sorts by name).
 */
export function packSubsets(entries: readonly EndpointEntry[]): EndpointSubset[] {
  const byPort = new Map<string, { port: EndpointPort | undefined; entries: Map<string, EndpointEntry> }>();
  for (const entry of entries) {
    for (const port of entry.ports.length > 0 ? entry.ports : [undefined]) {
      const key = JSON.stringify(port ?? null);
      const group = byPort.get(key) ?? { port, entries: new Map<string, EndpointEntry>() };
      group.entries.set(JSON.stringify([entry.address.ip, entry.address.targetRef?.uid]), entry);
      byPort.set(key, group);
    }
  }
  const byEntries = new Map<string, { ports: EndpointPort[]; entries: EndpointEntry[] }>();
  for (const { port, entries } of byPort.values()) {
    const key = [...entries].map(([key, { isReady }]) => `${key}${isReady}`).sort();
    const id = `${port === undefined}${key.join()}`;
    const group = byEntries.get(id) ?? { ports: [], entries: [...entries.values()] };
    if (port) group.ports.push(port);
    byEntries.set(id, group);
  }
  return [...byEntries.values()]
    .map(({ ports, entries }) => subsetOf(ports, entries))
    .sort((a, b) => compare(JSON.stringify([a.ports, a.addresses]), JSON.stringify([b.ports, b.addresses])));
}

function subsetOf(ports: EndpointPort[], entries: readonly EndpointEntry[]): EndpointSubset {
  const addressesWhere = (ready: boolean): EndpointAddress[] =>
    entries
      .filter(({ isReady }) => isReady === ready)
      .map(({ address }) => address)
      .sort(compareAddresses);
  const [addresses, notReadyAddresses] = [addressesWhere(true), addressesWhere(false)];
  return {
    ...(addresses.length > 0 && { addresses }),
    ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
    ...(ports.length > 0 && { ports: ports.sort(comparePorts) }),
  };
}

/** The subsets within the capacity, and whether anything had to go. */
export function truncateSubsets(subsets: readonly EndpointSubset[]): { subsets: EndpointSubset[]; isTruncated: boolean } {
  const count = (pick: (subset: EndpointSubset) => EndpointAddress[] | undefined): number =>
    subsets.reduce((sum, subset) => sum + (pick(subset)?.length ?? 0), 0);
  const [ready, unready] = [count(({ addresses }) => addresses), count(({ notReadyAddresses }) => notReadyAddresses)];
  if (ready + unready <= endpointsCapacity) return { subsets: [...subsets], isTruncated: false };
  let readyLeft = endpointsCapacity;
  let unreadyLeft = Math.max(0, endpointsCapacity - ready);
  const truncated = subsets.map(({ addresses = [], notReadyAddresses = [], ports }) => {
    const [kept, keptUnready] = [addresses.slice(0, readyLeft), notReadyAddresses.slice(0, unreadyLeft)];
    readyLeft -= kept.length;
    unreadyLeft -= keptUnready.length;
    return {
      ...(kept.length > 0 && { addresses: kept }),
      ...(keptUnready.length > 0 && { notReadyAddresses: keptUnready }),
      ...(ports && { ports }),
    };
  });
  return { subsets: truncated.filter(({ addresses, notReadyAddresses }) => addresses || notReadyAddresses), isTruncated: true };
}
