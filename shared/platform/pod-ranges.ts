import { z } from "zod";
import type { PoolPeer } from "../api/agent/ports.ts";
import { formatIpv4, type Ipv4Range, parseIpv4Range, rangeOfInterface, rangesOverlap, sizeOf } from "../kubernetes/ipv4.ts";
import type { RecordOperation, Store, StoredRecord } from "../store/store.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import { deleteRecord, everyRecord, putRecord } from "./records.ts";

/**
 * Pod ranges of a pool's machines. What is given out are blocks of 256 addresses, each a record of its own that must be absent when it is taken, so
 * that no two machines ever have the same. 10.192.0.0/10 holds 16,384 of them; they are given out from 10.244.0.0 upward and then from
 * its beginning, clear of the usual service range 10.96.0.0/12.
 */
const all: Ipv4Range = { first: 0x0ac00000, prefixLength: 10 };
const firstGiven = 0x0af40000;
const blockPrefix = 24;
const blockSize = 256;
/** Blocks that are looked at together: a /16. */
const windowBlocks = 256;
const blockCount = sizeOf(all) / blockSize;
/** A range that is asked for has at most this many addresses (16 blocks), so that taking it fits into the transaction of a join. */
const widestPrefix = 20;
const narrowestPrefix = 28;

const blockRecord = z.object({
  /** The range that the block is (a part of). */
  podCidr: z.string(),
  /** Those who use it: several where agents of one machine share its containerd. The first one's machine has the range. */
  nodes: z.array(z.string()).min(1),
  internalIps: z.array(z.string()),
  machine: z.string(),
});
type BlockRecord = z.infer<typeof blockRecord>;

export interface RangeRequest {
  readonly tenant: string;
  readonly pool: string;
  readonly nodeName: string;
  /** What tells machines apart: the operating system's machine id. */
  readonly machine: string;
  readonly internalIps: readonly string[];
  /** The range that the node had before. */
  readonly held: string | undefined;
  /** The range it asks for, or uses already. */
  readonly wished: string | undefined;
  /** The machine's own networks (`192.0.2.7/24`): no range that is chosen for it overlaps them. */
  readonly networks: readonly string[];
  /** Picks one of this many free blocks: 0 for the next one, another to get out of the way of whoever takes the same at the same time. */
  readonly choose: (count: number) => number;
}

export interface RangeDecision {
  /** undefined: every block is taken. */
  readonly podCidr: string | undefined;
  /** What must be written with the node's record; conditional, so that it fails when the decision is stale. */
  readonly operations: readonly RecordOperation[];
}

/** The range a node gets: what it wishes if that is free, else the one it has, else the next free one. Ends what it held before and holds no more. */
export async function decidePodRange(store: Store, request: RangeRequest): Promise<RangeDecision> {
  const { tenant, pool, held, wished } = request;
  for (const podCidr of new Set([wished, held])) {
    const claim = podCidr === undefined ? undefined : await claimOf(store, request, podCidr);
    if (claim === undefined || podCidr === undefined) continue;
    const ended = held === undefined || held === podCidr ? [] : await releaseOf(store, request, held, new Set(blocksOf(podCidr)));
    return { podCidr, operations: [...claim, ...ended] };
  }
  const block = await nextFree(store, request);
  if (block === undefined) return { podCidr: undefined, operations: [] };
  const podCidr = `${formatIpv4(block)}/${blockPrefix}`;
  return {
    podCidr,
    operations: [
      putRecord(recordKeys.podRange(tenant, pool, sortOf(block)), 0, recordOf(request, podCidr)),
      putRecord(recordKeys.podRangeCursor(tenant, pool), undefined, { next: (indexOf(block) + 1) % blockCount }),
    ],
  };
}

/** What gives a node's range back, unless other agents of its machine use it too. */
export async function releasePodRange(
  store: Store,
  node: Pick<RangeRequest, "tenant" | "pool" | "nodeName">,
  podCidr: string,
): Promise<RecordOperation[]> {
  return releaseOf(store, node, podCidr, new Set());
}

/** The pool's machines that have a range. */
export async function listPoolPeers(store: Store, tenant: string, pool: string): Promise<PoolPeer[]> {
  const peers = new Map<string, PoolPeer>();
  for await (const { value } of everyRecord(store, partitions.podRanges(tenant, pool))) {
    const { podCidr, nodes, internalIps } = blockRecord.parse(value);
    peers.set(podCidr, { podCidr, nodeNames: nodes, internalIps });
  }
  return [...peers.values()];
}

const recordOf = ({ nodeName, internalIps, machine }: RangeRequest, podCidr: string, others: readonly string[] = []): BlockRecord => ({
  podCidr,
  nodes: [...others, nodeName],
  internalIps: [...internalIps],
  machine,
});

const sortOf = (block: number): string => block.toString(16).padStart(8, "0");

/** Loopback, link-local, multicast and "this" network (RFC 6890): nobody's pods. */
const unusable = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"].flatMap((cidr) => parseIpv4Range(cidr) ?? []);

/** The first addresses of the blocks that a range touches; none for what cannot be a pod range. */
function blocksOf(podCidr: string): number[] {
  const range = parseIpv4Range(podCidr);
  if (range === undefined || range.prefixLength < widestPrefix || range.prefixLength > narrowestPrefix) return [];
  if (unusable.some((other) => rangesOverlap(other, range))) return [];
  const start = range.first - (range.first % blockSize);
  return Array.from({ length: Math.max(1, sizeOf(range) / blockSize) }, (_, index) => start + index * blockSize);
}

async function readBlocks(store: Store, { tenant, pool }: Pick<RangeRequest, "tenant" | "pool">, blocks: readonly number[]) {
  const keys = blocks.map((block) => recordKeys.podRange(tenant, pool, sortOf(block)));
  const records = await store.getRecords(keys);
  return keys.map((key, index) => {
    const record: StoredRecord | undefined = records[index];
    return { key, version: record?.version ?? 0, value: record && blockRecord.parse(record.value) };
  });
}

/** undefined: it cannot be had. */
async function claimOf(store: Store, request: RangeRequest, podCidr: string): Promise<RecordOperation[] | undefined> {
  const blocks = blocksOf(podCidr);
  if (blocks.length === 0) return undefined;
  const operations: RecordOperation[] = [];
  for (const { key, version, value } of await readBlocks(store, request, blocks)) {
    const others = value?.nodes.filter((node) => node !== request.nodeName) ?? [];
    if (value !== undefined && others.length > 0 && !isShared(value, podCidr, request)) return undefined;
    const next = recordOf(request, podCidr, others);
    if (value === undefined || !sameBlock(value, next)) operations.push(putRecord(key, version, next));
  }
  return operations;
}

/** The node has it with others already, or may have it with them, being an agent of the same machine. */
const isShared = (block: BlockRecord, podCidr: string, { nodeName, machine, internalIps }: RangeRequest): boolean =>
  block.podCidr === podCidr &&
  (block.nodes.includes(nodeName) || (block.machine === machine && block.internalIps.join() === internalIps.join()));

const sameBlock = (a: BlockRecord, b: BlockRecord): boolean =>
  a.podCidr === b.podCidr &&
  a.machine === b.machine &&
  a.internalIps.join() === b.internalIps.join() &&
  a.nodes.toSorted().join() === b.nodes.toSorted().join();

async function releaseOf(
  store: Store,
  { tenant, pool, nodeName }: Pick<RangeRequest, "tenant" | "pool" | "nodeName">,
  podCidr: string,
  kept: ReadonlySet<number>,
): Promise<RecordOperation[]> {
  const blocks = blocksOf(podCidr).filter((block) => !kept.has(block));
  return (await readBlocks(store, { tenant, pool }, blocks)).flatMap(({ key, version, value }) => {
    if (value === undefined || !value.nodes.includes(nodeName)) return [];
    const nodes = value.nodes.filter((node) => node !== nodeName);
    return [nodes.length === 0 ? deleteRecord(key, version) : putRecord(key, version, { ...value, nodes })];
  });
}

const blockAt = (index: number): number => all.first + ((firstGiven - all.first + index * blockSize) % sizeOf(all));
const indexOf = (block: number): number => ((block - firstGiven + sizeOf(all)) % sizeOf(all)) / blockSize;

/** Goes round, as Kubernetes' range allocator does (`pkg/controller/nodeipam/ipam/cidrset`): what was given back is not given out again at once. */
async function nextFree(store: Store, { tenant, pool, networks, choose }: RangeRequest): Promise<number | undefined> {
  const avoided = networks.flatMap((cidr) => rangeOfInterface(cidr) ?? []);
  const [cursor] = await store.getRecords([recordKeys.podRangeCursor(tenant, pool)]);
  const next = typeof cursor?.value.next === "number" ? cursor.value.next : 0;
  const windows = blockCount / windowBlocks;
  const firstWindow = Math.floor(next / windowBlocks);
  // The window of the cursor comes twice: from it on, and in the end as a whole.
  for (let step = 0; step <= windows; step++) {
    const start = ((firstWindow + step) % windows) * windowBlocks;
    const [from, to] = [blockAt(start), blockAt(start) + windowBlocks * blockSize];
    const records = await store.queryRecords(partitions.podRanges(tenant, pool), {
      from: sortOf(from),
      to: sortOf(to),
      limit: windowBlocks,
    });
    const taken = new Set(records.map(({ sort }) => sort));
    const free = Array.from({ length: windowBlocks }, (_, index) => start + index)
      .filter((index) => step > 0 || index >= next)
      .map(blockAt)
      .filter((block) => !taken.has(sortOf(block)) && !avoided.some((range) => overlapsBlock(range, block)));
    if (free.length > 0) return free[choose(free.length)] ?? free[0];
  }
  return undefined;
}

const overlapsBlock = (range: Ipv4Range, block: number): boolean => rangesOverlap(range, { first: block, prefixLength: blockPrefix });
