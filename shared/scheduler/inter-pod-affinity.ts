import { type AffinityTerm, matchesPod, type PodSelector } from "./affinity-terms.ts";
import { type Failure, resolvable, unresolvable } from "./failure.ts";
import type { PodInfo } from "./pod-info.ts";
import { maximumScore } from "./resource-fit.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import type { DomainTable, Tally } from "./tally.ts";

const noAffinity = unresolvable("InterPodAffinity", "node(s) didn't match pod affinity rules");
const antiAffinity = resolvable("InterPodAffinity", "node(s) didn't match pod anti-affinity rules");
const othersAntiAffinity = resolvable("InterPodAffinity", "node(s) didn't satisfy existing pods anti-affinity rules");

/** InterPodAffinity for pods of one shape. */
export class InterPodAffinity {
  /** One table for each required term, all of the pods that every required term selects. */
  readonly #required: readonly DomainTable[];
  /** The pod satisfies its own required terms: the first of its kind may go anywhere. */
  readonly #matchesSelf: boolean;
  readonly #avoided: readonly DomainTable[];
  readonly #forbidding: readonly DomainTable[];
  readonly #preferences: readonly { readonly table: DomainTable; readonly weight: number }[];

  constructor(snapshot: ClusterSnapshot, pod: PodInfo) {
    const { namespace, labels, terms } = pod;
    const namespaceLabels = snapshot.namespaceLabels(namespace);
    const tableOf = (tally: Tally, topologyKey: string): DomainTable =>
      tally.domains(snapshot.topology(topologyKey), "", () => true, snapshot.nodes);
    const countedBy = (selectors: readonly PodSelector[]): Tally => snapshot.groups.tally(selectors, true);
    const tableOfTerm = ({ selector, topologyKey }: AffinityTerm): DomainTable => tableOf(countedBy([selector]), topologyKey);
    const required = terms?.requiredAffinity ?? [];
    this.#required = required.map(({ topologyKey }) => tableOf(countedBy(required.map(({ selector }) => selector)), topologyKey));
    this.#matchesSelf = required.every(({ selector }) => matchesPod(selector, namespace, labels, namespaceLabels));
    this.#avoided = (terms?.requiredAntiAffinity ?? []).map(tableOfTerm);
    this.#forbidding = snapshot.held.forbidding(pod, namespaceLabels).map(({ tally, term }) => tableOf(tally, term.topologyKey));
    this.#preferences = [
      ...(terms?.preferredAffinity ?? []).map((term) => ({ table: tableOfTerm(term), weight: term.weight })),
      ...(terms?.preferredAntiAffinity ?? []).map((term) => ({ table: tableOfTerm(term), weight: -term.weight })),
      ...snapshot.held
        .scoring(pod, namespaceLabels)
        .map(({ tally, term, weight }) => ({ table: tableOf(tally, term.topologyKey), weight })),
    ];
  }

  get isFiltering(): boolean {
    return this.#required.length + this.#avoided.length + this.#forbidding.length > 0;
  }

  get isScoring(): boolean {
    return this.#preferences.length > 0;
  }

  refresh(): void {
    for (const tables of [this.#required, this.#avoided, this.#forbidding]) for (const table of tables) table.refresh();
    for (const { table } of this.#preferences) table.refresh();
  }

  check(slot: number): Failure | undefined {
    if (!this.#satisfiesRequired(slot)) return noAffinity;
    for (const table of this.#avoided) if (table.sumAt(slot) > 0) return antiAffinity;
    for (const table of this.#forbidding) if (table.sumAt(slot) > 0) return othersAntiAffinity;
    return undefined;
  }

  /** Adds `weight` times the score of each of the nodes to `totals`; both are by position. */
  score(slots: Int32Array, count: number, totals: Float64Array, weight: number): void {
    const raw = new Float64Array(count);
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let position = 0; position < count; position++) {
      const slot = slots[position] ?? 0;
      let sum = 0;
      for (const preference of this.#preferences) sum += preference.weight * preference.table.sumAt(slot);
      raw[position] = sum;
      least = Math.min(least, sum);
      most = Math.max(most, sum);
    }
    if (most <= least) return;
    for (let position = 0; position < count; position++) {
      const normalized = Math.trunc(maximumScore * (((raw[position] ?? 0) - least) / (most - least)));
      totals[position] = (totals[position] ?? 0) + weight * normalized;
    }
  }

  #satisfiesRequired(slot: number): boolean {
    let podsExist = true;
    for (const table of this.#required) {
      if ((table.topology.domainOf[slot] ?? -1) < 0) return false;
      if (table.sumAt(slot) <= 0) podsExist = false;
    }
    return podsExist || (this.#matchesSelf && this.#required.every(({ total }) => total === 0));
  }
}
