import type { SeenEntry } from "./history.ts";

/** What the log came to hold, as a witness inside the database saw it: clients' stories are compared with it. */
export class Truth {
  readonly #entries = new Map<number, SeenEntry>();
  readonly #voids = new Set<number>();
  /** What no client needs to see to know that it is wrong. */
  readonly faults: string[] = [];
  #sorted: SeenEntry[] | undefined;
  readonly #states: { revision: number; state: ReadonlyMap<string, SeenEntry> }[] = [];

  entry(entry: SeenEntry): void {
    const before = this.#entries.get(entry.revision);
    if (before || this.#voids.has(entry.revision))
      this.faults.push(
        `revision ${entry.revision} held ${before ? `${before.path}=${before.value}` : "a void"} and was overwritten by ${entry.path}=${entry.value}`,
      );
    else this.#entries.set(entry.revision, entry);
    this.#sorted = undefined;
  }

  void(revision: number, span: number): void {
    for (let at = revision; at < revision + span; at++) {
      const before = this.#entries.get(at);
      if (before) this.faults.push(`revision ${at} held ${before.path}=${before.value} and was declared void`);
      this.#voids.add(at);
    }
  }

  /** A crash took what lay above. */
  cut(revision: number): void {
    for (const at of [...this.#entries.keys()]) if (at > revision) this.#entries.delete(at);
    this.#sorted = undefined;
  }

  get(revision: number): SeenEntry | undefined {
    return this.#entries.get(revision);
  }

  /** Ascending. */
  get entries(): readonly SeenEntry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => a.revision - b.revision);
    return this.#sorted;
  }

  /** Entries in (after, through]. */
  between(after: number, through: number): SeenEntry[] {
    return this.entries.filter(({ revision }) => revision > after && revision <= through);
  }

  /** The live objects at a revision, by path. To be asked when the history is over. */
  stateAt(revision: number): ReadonlyMap<string, SeenEntry> {
    const known = this.#states.find((state) => state.revision === revision);
    if (known) return known.state;
    const state = new Map<string, SeenEntry>();
    for (const entry of this.entries) {
      if (entry.revision > revision) break;
      if (entry.type === "DELETED") state.delete(entry.path);
      else state.set(entry.path, entry);
    }
    this.#states.push({ revision, state });
    return state;
  }
}
