import { type AffinityTerm, matchesPod, type PodTerms } from "./affinity-terms.ts";
import type { PodInfo } from "./pod-info.ts";
import { Tally } from "./tally.ts";

/** A term that pods on nodes hold against, or in favour of, the pods to come. The tally counts its holders. */
export interface HeldTerm {
  readonly term: AffinityTerm;
  readonly tally: Tally;
  /** How much each holder adds to the score of its domain. */
  readonly weight: number;
}

interface CountedTerm extends HeldTerm {
  /** Pods on nodes and nominated pods. */
  holders: number;
}

/** Weight of a required affinity term of an existing pod, for symmetry: `hardPodAffinityWeight` of InterPodAffinityArgs. */
const requiredAffinityWeight = 1;

/**
 * The inter-pod affinity terms of the pods that lie on nodes: anti-affinity is symmetric, and preferences count both ways. A term that
 * lost its last holder stays until `sweep`, so that a pod may be taken away and put back while somebody looks at the terms.
 */
export class HeldTerms {
  /** Changes when a term is held for the first time, or no more. */
  generation = 1;
  readonly #forbidding = new Map<string, CountedTerm>();
  readonly #scoring = new Map<string, CountedTerm>();
  #hasUnheld = false;

  /** The pod lies on the slot (1), or no more (-1). */
  change(pod: PodInfo, slot: number, delta: 1 | -1): void {
    if (pod.terms === undefined) return;
    this.#forEach(pod.terms, (counted) => {
      counted.tally.change(slot, delta);
      this.#hold(counted, delta);
    });
  }

  /** A pod that is nominated to a node may be put there for a trial: its terms are known without being counted. */
  reserve({ terms }: PodInfo, delta: 1 | -1): void {
    if (terms !== undefined) this.#forEach(terms, (counted) => this.#hold(counted, delta));
  }

  /** Forgets the terms that nobody holds any more. */
  sweep(): void {
    if (!this.#hasUnheld) return;
    this.#hasUnheld = false;
    for (const held of [this.#forbidding, this.#scoring]) {
      for (const [key, { holders }] of held) {
        if (holders > 0) continue;
        held.delete(key);
        this.generation++;
      }
    }
  }

  /** Required anti-affinity that keeps this pod away. */
  forbidding(pod: PodInfo, namespaceLabels: Readonly<Record<string, string>>): HeldTerm[] {
    return matching(this.#forbidding, pod, namespaceLabels);
  }

  /** Preferences, and required affinity, that speak of this pod. */
  scoring(pod: PodInfo, namespaceLabels: Readonly<Record<string, string>>): HeldTerm[] {
    return matching(this.#scoring, pod, namespaceLabels);
  }

  #forEach(terms: PodTerms, act: (counted: CountedTerm) => void): void {
    for (const term of terms.requiredAntiAffinity) act(this.#counted(this.#forbidding, term, 0));
    for (const term of terms.requiredAffinity) act(this.#counted(this.#scoring, term, requiredAffinityWeight));
    for (const term of terms.preferredAffinity) act(this.#counted(this.#scoring, term, term.weight));
    for (const term of terms.preferredAntiAffinity) act(this.#counted(this.#scoring, term, -term.weight));
  }

  #counted(held: Map<string, CountedTerm>, term: AffinityTerm, weight: number): CountedTerm {
    const key = `${weight} ${term.topologyKey} ${term.selector.key}`;
    let counted = held.get(key);
    if (counted === undefined) {
      counted = { term, tally: new Tally(), weight, holders: 0 };
      held.set(key, counted);
      this.generation++;
    }
    return counted;
  }

  #hold(counted: CountedTerm, delta: 1 | -1): void {
    counted.holders += delta;
    if (counted.holders === 0) this.#hasUnheld = true;
  }
}

function matching(
  held: ReadonlyMap<string, CountedTerm>,
  { namespace, labels }: PodInfo,
  namespaceLabels: Readonly<Record<string, string>>,
): HeldTerm[] {
  return [...held.values()].filter(({ term }) => matchesPod(term.selector, namespace, labels, namespaceLabels));
}
