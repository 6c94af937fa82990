import type { Node, Taint } from "../kubernetes/types.ts";
import { amountOf, isScalarResource, type PodRequests } from "./requests.ts";

/** What filters and scores see of a node beside its resources. */
export interface NodeFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Cordoned, or being deleted. */
  readonly isUnschedulable: boolean;
  /** Image names as the node reports them, with their sizes in bytes. */
  readonly images: ReadonlyMap<string, number>;
}

/** Columns of the resource arrays; scalar resources follow in the order in which they were first seen. */
export const columns = { cpuMillis: 0, memoryBytes: 1, ephemeralStorageBytes: 2 } as const;

const firstCapacity = 64;

/**
 * Nodes as rows ("slots") of flat arrays. A slot belongs to a node name as long as the node exists or pods lie on it: pods may be known
 * before their node is. Arrays are replaced when they grow: do not keep them.
 */
export class NodeTable {
  capacity = firstCapacity;
  /** By column, then slot: amounts in the units of `PodRequests`. */
  readonly allocatable: Float64Array[] = [];
  readonly requested: Float64Array[] = [];
  nonZeroCpuMillis: Float64Array = new Float64Array(firstCapacity);
  nonZeroMemoryBytes: Float64Array = new Float64Array(firstCapacity);
  podCount: Int32Array = new Int32Array(firstCapacity);
  allowedPods: Int32Array = new Int32Array(firstCapacity);
  /** Changes whenever facts (or the absence) of the slot's node change. Never repeated, by any slot. */
  factsVersion: Float64Array = new Float64Array(firstCapacity);
  /** Changes whenever allocatable or requested amounts of the slot change. */
  usageVersion: Float64Array = new Float64Array(firstCapacity);
  /** Changes whenever a node comes or goes, or changes its labels or taints. */
  topologyVersion = 1;
  /** Changes whenever a node comes or goes, or changes its images. */
  imagesVersion = 1;
  readonly #facts: (NodeFacts | undefined)[] = [];
  readonly #names: (string | undefined)[] = [];
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #columns = new Map<string, number>();
  #version = 1;
  #count = 0;
  #order: Int32Array = new Int32Array(0);
  #orderVersion = 0;

  constructor() {
    for (const name of ["cpu", "memory", "ephemeral-storage"]) this.column(name);
  }

  /** Nodes that exist. */
  get count(): number {
    return this.#count;
  }

  slot(name: string): number | undefined {
    return this.#slots.get(name);
  }

  /** Undefined: no node of that name exists, though pods may name it. */
  facts(slot: number): NodeFacts | undefined {
    return this.#facts[slot];
  }

  name(slot: number): string {
    return this.#names[slot] ?? "";
  }

  /** Known names have a column, others get one. */
  column(name: string): number {
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    const column = this.allocatable.length;
    this.#columns.set(name, column);
    this.allocatable.push(new Float64Array(this.capacity));
    this.requested.push(new Float64Array(this.capacity));
    return column;
  }

  /**
   * Slots of the nodes that exist, one zone after the other in turns as kube-scheduler's node tree has them, so that a search that stops
   * early has seen every zone; zones and the nodes of a zone by name.
   */
  order(): Int32Array {
    if (this.#orderVersion !== this.topologyVersion) {
      this.#order = Int32Array.from(this.#interleave());
      this.#orderVersion = this.topologyVersion;
    }
    return this.#order;
  }

  set(node: Node): void {
    const name = node.metadata.name ?? "";
    const slot = this.#claim(name);
    const before = this.#facts[slot];
    const facts = factsOf(node, name);
    if (before === undefined) this.#count++;
    const isMoved = before === undefined || !same(before.labels, facts.labels) || !same(before.taints, facts.taints);
    const hasOtherImages = before === undefined || !same([...before.images], [...facts.images]);
    if (isMoved) this.topologyVersion++;
    if (hasOtherImages) this.imagesVersion++;
    if (isMoved || before.isUnschedulable !== facts.isUnschedulable) this.factsVersion[slot] = ++this.#version;
    this.#facts[slot] = facts;
    this.#setAllocatable(slot, node.status?.allocatable ?? {});
  }

  remove(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined || this.#facts[slot] === undefined) return;
    this.#facts[slot] = undefined;
    this.#count--;
    this.topologyVersion++;
    this.imagesVersion++;
    this.factsVersion[slot] = ++this.#version;
    this.#setAllocatable(slot, {});
    this.#releaseIfEmpty(slot);
  }

  /** Adds (1) or takes away (-1) a pod's requests. Adding answers the slot, which is made where there is none yet. */
  addPod(nodeName: string, requests: PodRequests): number {
    const slot = this.#claim(nodeName);
    this.change(slot, requests, 1);
    return slot;
  }

  removePod(slot: number, requests: PodRequests): void {
    this.change(slot, requests, -1);
    this.#releaseIfEmpty(slot);
  }

  /** As `addPod` and `removePod` on a slot that stays. */
  change(slot: number, requests: PodRequests, sign: 1 | -1): void {
    addTo(this.requested[columns.cpuMillis], slot, sign * requests.cpuMillis);
    addTo(this.requested[columns.memoryBytes], slot, sign * requests.memoryBytes);
    addTo(this.requested[columns.ephemeralStorageBytes], slot, sign * requests.ephemeralStorageBytes);
    for (const [name, amount] of requests.scalars) addTo(this.requested[this.column(name)], slot, sign * amount);
    addTo(this.nonZeroCpuMillis, slot, sign * requests.nonZeroCpuMillis);
    addTo(this.nonZeroMemoryBytes, slot, sign * requests.nonZeroMemoryBytes);
    addTo(this.podCount, slot, sign);
    this.usageVersion[slot] = ++this.#version;
  }

  #setAllocatable(slot: number, allocatable: Readonly<Record<string, string | number>>): void {
    let isChanged = false;
    const put = (array: Float64Array | Int32Array | undefined, value: number): void => {
      if (array === undefined || array[slot] === value) return;
      array[slot] = value;
      isChanged = true;
    };
    for (const name in allocatable) if (isScalarResource(name)) this.column(name);
    for (const [name, column] of this.#columns) {
      const quantity = allocatable[name];
      put(this.allocatable[column], quantity === undefined ? 0 : amountOf(name, quantity));
    }
    const pods = allocatable.pods;
    put(this.allowedPods, pods === undefined ? 0 : amountOf("pods", pods));
    if (isChanged) this.usageVersion[slot] = ++this.#version;
  }

  #claim(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#names.length;
    if (slot >= this.capacity) this.#grow();
    this.#slots.set(name, slot);
    this.#names[slot] = name;
    this.#facts[slot] = undefined;
    this.factsVersion[slot] = ++this.#version;
    this.usageVersion[slot] = ++this.#version;
    return slot;
  }

  #releaseIfEmpty(slot: number): void {
    if (this.#facts[slot] !== undefined || this.podCount[slot] !== 0) return;
    this.#slots.delete(this.name(slot));
    this.#names[slot] = undefined;
    this.#free.push(slot);
  }

  #grow(): void {
    this.capacity *= 2;
    const longer = <A extends Float64Array | Int32Array>(fresh: A, old: A): A => {
      fresh.set(old);
      return fresh;
    };
    const doubled = (old: Float64Array) => longer<Float64Array>(new Float64Array(this.capacity), old);
    for (const arrays of [this.allocatable, this.requested]) {
      for (const [column, array] of arrays.entries()) arrays[column] = doubled(array);
    }
    this.nonZeroCpuMillis = doubled(this.nonZeroCpuMillis);
    this.nonZeroMemoryBytes = doubled(this.nonZeroMemoryBytes);
    this.factsVersion = doubled(this.factsVersion);
    this.usageVersion = doubled(this.usageVersion);
    this.podCount = longer<Int32Array>(new Int32Array(this.capacity), this.podCount);
    this.allowedPods = longer<Int32Array>(new Int32Array(this.capacity), this.allowedPods);
  }

  #interleave(): number[] {
    const zones = new Map<string, number[]>();
    const named = [...this.#slots].filter(([, slot]) => this.#facts[slot] !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [, slot] of named) {
      const labels = this.#facts[slot]?.labels ?? {};
      const zone = `${labels["topology.kubernetes.io/region"] ?? ""}\u0000${labels["topology.kubernetes.io/zone"] ?? ""}`;
      const members = zones.get(zone);
      if (members) members.push(slot);
      else zones.set(zone, [slot]);
    }
    const lists = [...zones].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members);
    const order: number[] = [];
    for (let round = 0; order.length < named.length; round++) {
      for (const members of lists) {
        const slot = members[round];
        if (slot !== undefined) order.push(slot);
      }
    }
    return order;
  }
}

function addTo(array: Float64Array | Int32Array | undefined, slot: number, amount: number): void {
  if (array !== undefined && amount !== 0) array[slot] = (array[slot] ?? 0) + amount;
}

function factsOf({ metadata, spec, status }: Node, name: string): NodeFacts {
  const images = new Map<string, number>();
  for (const { names = [], sizeBytes = 0 } of status?.images ?? []) for (const image of names) images.set(image, sizeBytes);
  return {
    name,
    labels: metadata.labels ?? {},
    taints: spec?.taints ?? [],
    isUnschedulable: spec?.unschedulable === true || metadata.deletionTimestamp !== undefined,
    images,
  };
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
