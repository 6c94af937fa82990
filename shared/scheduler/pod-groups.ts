import { matchesPod, type PodSelector } from "./affinity-terms.ts";
import type { PodInfo } from "./pod-info.ts";
import { Tally } from "./tally.ts";

type Labels = Readonly<Record<string, string>>;
type LabelsOf = (namespace: string) => Labels;

/** Pods that no selector can tell apart: same namespace, same labels. */
interface PodGroup {
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly isTerminating: boolean;
  /** Pods by slot. */
  readonly counts: Map<number, number>;
  readonly tallies: Tally[];
}

interface SelectedTally {
  readonly tally: Tally;
  readonly selectors: readonly PodSelector[];
  readonly countsTerminating: boolean;
  usedAt: number;
}

/** More tallies than this are not kept: those that were not asked for in the longest time go. */
const keptTallies = 1024;

/**
 * Counts the pods of every slot by what selectors ask for. A selector is evaluated once a group of like pods and then kept up to date, so
 * that asking again costs nothing and a pod that comes or goes costs one addition for each tally it belongs to.
 */
export class PodGroups {
  /** Changes when tallies that were handed out may have been given up. */
  generation = 1;
  readonly #groups = new Map<string, PodGroup>();
  readonly #tallies = new Map<string, SelectedTally>();
  readonly #labelsOf: LabelsOf;
  #uses = 0;

  /** `labelsOf` answers the labels of a namespace. */
  constructor(labelsOf: LabelsOf) {
    this.#labelsOf = labelsOf;
  }

  change(pod: PodInfo, slot: number, delta: 1 | -1): void {
    const { namespace, labels, isTerminating, groupKey: key } = pod;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, namespace, labels, isTerminating, counts: new Map(), tallies: [] };
      for (const selected of this.#tallies.values()) if (this.#selects(selected, group)) group.tallies.push(selected.tally);
      this.#groups.set(key, group);
    }
    const count = (group.counts.get(slot) ?? 0) + delta;
    if (count === 0) group.counts.delete(slot);
    else group.counts.set(slot, count);
    for (const tally of group.tallies) tally.change(slot, delta);
    if (group.counts.size === 0) this.#groups.delete(key);
  }

  /** The pods that every one of the selectors selects; terminating ones are counted or left out. */
  tally(selectors: readonly PodSelector[], countsTerminating: boolean): Tally {
    const key = `${countsTerminating} ${selectors.map((selector) => selector.key).join(" ")}`;
    let selected = this.#tallies.get(key);
    if (selected === undefined) {
      if (this.#tallies.size >= keptTallies) this.#giveUpOldest();
      selected = { tally: new Tally(), selectors, countsTerminating, usedAt: 0 };
      for (const group of this.#groups.values()) {
        if (!this.#selects(selected, group)) continue;
        group.tallies.push(selected.tally);
        for (const [slot, count] of group.counts) selected.tally.change(slot, count);
      }
      this.#tallies.set(key, selected);
    }
    selected.usedAt = ++this.#uses;
    return selected.tally;
  }

  /** To be called when labels of namespaces changed: what depends on them is counted anew. */
  forgetNamespaceSelectors(): void {
    this.#giveUp(({ selectors }) => selectors.some(({ namespaceRequirements }) => namespaceRequirements !== undefined));
  }

  #selects({ selectors, countsTerminating }: SelectedTally, { namespace, labels, isTerminating }: PodGroup): boolean {
    if (isTerminating && !countsTerminating) return false;
    return selectors.every((selector) => matchesPod(selector, namespace, labels, this.#labelsOf(namespace)));
  }

  #giveUpOldest(): void {
    const uses = [...this.#tallies.values()].map(({ usedAt }) => usedAt).sort((a, b) => a - b);
    const newest = uses[uses.length >> 2] ?? 0;
    this.#giveUp(({ usedAt }) => usedAt <= newest);
  }

  #giveUp(isUnwanted: (selected: SelectedTally) => boolean): void {
    const gone = new Set<Tally>();
    for (const [key, selected] of this.#tallies) {
      if (!isUnwanted(selected)) continue;
      gone.add(selected.tally);
      this.#tallies.delete(key);
    }
    if (gone.size === 0) return;
    this.generation++;
    for (const group of this.#groups.values()) {
      const kept = group.tallies.filter((tally) => !gone.has(tally));
      if (kept.length < group.tallies.length) group.tallies.splice(0, group.tallies.length, ...kept);
    }
  }
}
