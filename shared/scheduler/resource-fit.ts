import { type Failure, resolvable } from "./failure.ts";
import { columns, type NodeTable } from "./node-table.ts";
import type { PodRequests } from "./requests.ts";

/** The greatest score a plugin gives. */
export const maximumScore = 100;

/**
 * NodeResourcesFit and NodeResourcesBalancedAllocation for one set of requests: whether they fit beside what a node has already, and how
 * well. Results are kept by slot until the node's amounts change; pods that ask for the same share them.
 */
export class ResourceFit {
  readonly #nodes: NodeTable;
  readonly #requests: PodRequests;
  /** Column, amount and name of everything asked for, `pods` aside. Bit n + 1 of a mask stands for the n-th. */
  readonly #asked: readonly (readonly [column: number, amount: number, name: string])[];
  #seen = new Float64Array(0);
  /** 0: fits. Bit 0: no room for another pod. */
  #masks = new Int32Array(0);
  #scores = new Int32Array(0);
  readonly #failures = new Map<number, Failure>();

  constructor(nodes: NodeTable, requests: PodRequests) {
    this.#nodes = nodes;
    this.#requests = requests;
    const asked: [number, number, string][] = [
      [columns.cpuMillis, requests.cpuMillis, "cpu"],
      [columns.memoryBytes, requests.memoryBytes, "memory"],
      [columns.ephemeralStorageBytes, requests.ephemeralStorageBytes, "ephemeral-storage"],
    ];
    for (const [name, amount] of requests.scalars) asked.push([nodes.column(name), amount, name]);
    this.#asked = asked.filter(([, amount]) => amount > 0);
  }

  check(slot: number): Failure | undefined {
    if (this.#seen[slot] !== this.#nodes.usageVersion[slot]) this.#look(slot);
    const mask = this.#masks[slot] ?? 0;
    return mask === 0 ? undefined : this.#failure(mask);
  }

  /** LeastAllocated plus BalancedAllocation, 0–200. Valid after `check`. */
  score(slot: number): number {
    return this.#scores[slot] ?? 0;
  }

  #look(slot: number): void {
    const nodes = this.#nodes;
    if (slot >= this.#seen.length) this.#grow();
    this.#seen[slot] = nodes.usageVersion[slot] ?? 0;
    let mask = (nodes.podCount[slot] ?? 0) + 1 > (nodes.allowedPods[slot] ?? 0) ? 1 : 0;
    let bit = 2;
    for (const [column, amount] of this.#asked) {
      if (amount > (nodes.allocatable[column]?.[slot] ?? 0) - (nodes.requested[column]?.[slot] ?? 0)) mask |= bit;
      bit *= 2;
    }
    this.#masks[slot] = mask;
    this.#scores[slot] = this.#leastAllocated(slot) + this.#balancedAllocation(slot);
  }

  #leastAllocated(slot: number): number {
    const nodes = this.#nodes;
    const cpu = nodes.allocatable[columns.cpuMillis]?.[slot] ?? 0;
    const memory = nodes.allocatable[columns.memoryBytes]?.[slot] ?? 0;
    let score = 0;
    let resources = 0;
    if (cpu > 0) {
      score += leastRequested((nodes.nonZeroCpuMillis[slot] ?? 0) + this.#requests.nonZeroCpuMillis, cpu);
      resources++;
    }
    if (memory > 0) {
      score += leastRequested((nodes.nonZeroMemoryBytes[slot] ?? 0) + this.#requests.nonZeroMemoryBytes, memory);
      resources++;
    }
    return resources === 0 ? 0 : Math.floor(score / resources);
  }

  /** Best-effort pods get none, or they would all go where the first one went. */
  #balancedAllocation(slot: number): number {
    const { cpuMillis, memoryBytes } = this.#requests;
    if (cpuMillis === 0 && memoryBytes === 0) return 0;
    const nodes = this.#nodes;
    const cpu = nodes.allocatable[columns.cpuMillis]?.[slot] ?? 0;
    const memory = nodes.allocatable[columns.memoryBytes]?.[slot] ?? 0;
    if (cpu === 0 || memory === 0) return maximumScore;
    const cpuFraction = Math.min(1, ((nodes.requested[columns.cpuMillis]?.[slot] ?? 0) + cpuMillis) / cpu);
    const memoryFraction = Math.min(1, ((nodes.requested[columns.memoryBytes]?.[slot] ?? 0) + memoryBytes) / memory);
    return Math.trunc((1 - Math.abs((cpuFraction - memoryFraction) / 2)) * maximumScore);
  }

  #failure(mask: number): Failure {
    let failure = this.#failures.get(mask);
    if (failure === undefined) {
      const reasons = mask & 1 ? ["Too many pods"] : [];
      this.#asked.forEach(([, , name], index) => {
        if (mask & (2 ** (index + 1))) reasons.push(`Insufficient ${name}`);
      });
      failure = resolvable("NodeResourcesFit", ...reasons);
      this.#failures.set(mask, failure);
    }
    return failure;
  }

  #grow(): void {
    const longer = <A extends Float64Array | Int32Array>(fresh: A, old: A): A => {
      fresh.set(old);
      return fresh;
    };
    const { capacity } = this.#nodes;
    this.#seen = longer(new Float64Array(capacity), this.#seen);
    this.#masks = longer(new Int32Array(capacity), this.#masks);
    this.#scores = longer(new Int32Array(capacity), this.#scores);
  }
}

function leastRequested(requested: number, capacity: number): number {
  return requested > capacity ? 0 : Math.floor(((capacity - requested) * maximumScore) / capacity);
}
