import type { NodeTable } from "./node-table.ts";

/** The values of one node label, e.g. zones: numbered from 0, -1 where a node lacks the label. */
export class Topology {
  readonly key: string;
  domainOf = new Int32Array(0);
  /** Domains that have a node. */
  count = 0;
  readonly #nodes: NodeTable;
  #version = 0;

  constructor(key: string, nodes: NodeTable) {
    this.key = key;
    this.#nodes = nodes;
  }

  refresh(): void {
    const nodes = this.#nodes;
    if (this.#version === nodes.topologyVersion) return;
    this.#version = nodes.topologyVersion;
    this.domainOf = new Int32Array(nodes.capacity).fill(-1);
    const domains = new Map<string, number>();
    for (const slot of nodes.order()) {
      const value = nodes.facts(slot)?.labels[this.key];
      if (value === undefined) continue;
      let domain = domains.get(value);
      if (domain === undefined) {
        domain = domains.size;
        domains.set(value, domain);
      }
      this.domainOf[slot] = domain;
    }
    this.count = domains.size;
  }
}

/** How many pods of some kind lie on each slot, and in each domain of the topologies that somebody asked for. */
export class Tally {
  counts = new Int32Array(0);
  readonly #tables = new Map<string, DomainTable>();

  /** `isCounted` decides which nodes take part; `key` stands for it. */
  domains(topology: Topology, key: string, isCounted: (slot: number) => boolean, nodes: NodeTable): DomainTable {
    const name = `${topology.key} ${key}`;
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new DomainTable(this, topology, isCounted, nodes);
      this.#tables.set(name, table);
    }
    return table;
  }

  change(slot: number, delta: number): void {
    if (slot >= this.counts.length) {
      const longer = new Int32Array(Math.max(64, 2 ** Math.ceil(Math.log2(slot + 1))));
      longer.set(this.counts);
      this.counts = longer;
    }
    this.counts[slot] = (this.counts[slot] ?? 0) + delta;
    for (const table of this.#tables.values()) table.change(slot, delta);
  }

  count(slot: number): number {
    return this.counts[slot] ?? 0;
  }
}

/** A tally summed up by domain, over the nodes that are counted. Call `refresh` before reading: nodes may have changed. */
export class DomainTable {
  readonly topology: Topology;
  sums = new Int32Array(0);
  /** Domains with at least one counted node. */
  domainCount = 0;
  /** Over all domains. */
  total = 0;
  readonly #tally: Tally;
  readonly #nodes: NodeTable;
  readonly #isCounted: (slot: number) => boolean;
  #counted = new Uint8Array(0);
  #members = new Int32Array(0);
  #least = 0;
  /** Domains whose sum is `#least`; 0: unknown. */
  #leastCount = 0;
  #version = 0;

  constructor(tally: Tally, topology: Topology, isCounted: (slot: number) => boolean, nodes: NodeTable) {
    this.topology = topology;
    this.#tally = tally;
    this.#nodes = nodes;
    this.#isCounted = isCounted;
  }

  refresh(): void {
    const nodes = this.#nodes;
    if (this.#version === nodes.topologyVersion) return;
    this.#version = nodes.topologyVersion;
    const { topology } = this;
    topology.refresh();
    this.sums = new Int32Array(topology.count);
    this.#members = new Int32Array(topology.count);
    this.#counted = new Uint8Array(nodes.capacity);
    this.domainCount = 0;
    this.total = 0;
    for (const slot of nodes.order()) {
      const domain = topology.domainOf[slot] ?? -1;
      if (domain < 0 || !this.#isCounted(slot)) continue;
      this.#counted[slot] = 1;
      const members = this.#members[domain] ?? 0;
      if (members === 0) this.domainCount++;
      this.#members[domain] = members + 1;
      const count = this.#tally.count(slot);
      this.sums[domain] = (this.sums[domain] ?? 0) + count;
      this.total += count;
    }
    this.#leastCount = 0;
  }

  change(slot: number, delta: number): void {
    // A table that is behind the nodes is summed up anew before it is read.
    if (this.#version !== this.#nodes.topologyVersion || this.#counted[slot] !== 1) return;
    const domain = this.topology.domainOf[slot] ?? -1;
    const before = this.sums[domain] ?? 0;
    this.sums[domain] = before + delta;
    this.total += delta;
    if (this.#leastCount === 0) return;
    if (before === this.#least) this.#leastCount--;
    if (before + delta === this.#least) this.#leastCount++;
    else if (before + delta < this.#least) {
      this.#least = before + delta;
      this.#leastCount = 1;
    }
  }

  /** The sum in the domain of a slot; 0 where the node lacks the label. */
  sumAt(slot: number): number {
    const domain = this.topology.domainOf[slot] ?? -1;
    return domain < 0 ? 0 : (this.sums[domain] ?? 0);
  }

  /** The smallest sum of the domains that have a counted node; 0 without any. */
  least(): number {
    if (this.#leastCount === 0) {
      let least = 0x7fffffff;
      let leastCount = 0;
      for (let domain = 0; domain < this.sums.length; domain++) {
        if (this.#members[domain] === 0) continue;
        const sum = this.sums[domain] ?? 0;
        if (sum < least) {
          least = sum;
          leastCount = 1;
        } else if (sum === least) leastCount++;
      }
      this.#least = leastCount === 0 ? 0 : least;
      this.#leastCount = leastCount;
    }
    return this.#least;
  }
}
