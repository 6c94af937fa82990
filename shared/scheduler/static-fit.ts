import type { Pod } from "../kubernetes/types.ts";
import { type Failure, unresolvable } from "./failure.ts";
import { matchesNodeAffinity, preferredNodeWeight } from "./node-affinity.ts";
import type { NodeFacts, NodeTable } from "./node-table.ts";
import { countUntoleratedPreferences, tolerates, untoleratedTaint } from "./taints.ts";

/** What a pod's volumes ask of a node; undefined: fine. */
export type VolumeCheck = (node: NodeFacts) => Failure | undefined;

const cordoned = unresolvable("NodeUnschedulable", "node(s) were unschedulable");
const otherName = unresolvable("NodeName", "node(s) didn't match the requested node name");
const otherAffinity = unresolvable("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
const cordonTaint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;

/**
 * The filters and raw scores that depend on a node's own facts and never on pods: cordon, name, taints, node affinity, volumes.
 * Results are kept by slot for as long as the node stays the same; pods that ask for the same share them.
 */
export class StaticFit {
  readonly #nodes: NodeTable;
  readonly #spec: NonNullable<Pod["spec"]>;
  readonly #volumes: VolumeCheck | undefined;
  readonly #hasPreferences: boolean;
  readonly #toleratesCordon: boolean;
  #seen = new Float64Array(0);
  #codes = new Uint16Array(0);
  #untolerated = new Uint16Array(0);
  #preferred = new Int32Array(0);
  /** By code; 0 is "fits". */
  readonly #failures: (Failure | undefined)[] = [undefined];
  readonly #codeOf = new Map<string, number>();

  constructor(nodes: NodeTable, { spec }: Pod, volumes: VolumeCheck | undefined) {
    this.#nodes = nodes;
    this.#spec = spec ?? { containers: [] };
    this.#volumes = volumes;
    this.#hasPreferences = (spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length ?? 0) > 0;
    this.#toleratesCordon = spec?.tolerations?.some((toleration) => tolerates(toleration, cordonTaint)) ?? false;
  }

  get hasPreferences(): boolean {
    return this.#hasPreferences;
  }

  check(slot: number): Failure | undefined {
    if (this.#seen[slot] !== this.#nodes.factsVersion[slot]) this.#look(slot);
    return this.#failures[this.#codes[slot] ?? 0];
  }

  /** PreferNoSchedule taints that the pod does not tolerate. Valid after `check`. */
  untoleratedPreferences(slot: number): number {
    return this.#untolerated[slot] ?? 0;
  }

  /** Weight of the preferred node affinity terms that match. Valid after `check`. */
  preferredWeight(slot: number): number {
    return this.#preferred[slot] ?? 0;
  }

  #look(slot: number): void {
    if (slot >= this.#seen.length) this.#grow();
    this.#seen[slot] = this.#nodes.factsVersion[slot] ?? 0;
    const node = this.#nodes.facts(slot);
    if (node === undefined) return;
    const failure = this.#filter(node);
    this.#codes[slot] = failure === undefined ? 0 : this.#code(failure);
    this.#untolerated[slot] = countUntoleratedPreferences(node.taints, this.#preferTolerations());
    this.#preferred[slot] = this.#hasPreferences ? preferredNodeWeight(this.#spec, node) : 0;
  }

  #filter(node: NodeFacts): Failure | undefined {
    const { nodeName, tolerations = [] } = this.#spec;
    if (node.isUnschedulable && !this.#toleratesCordon) return cordoned;
    if (nodeName && nodeName !== node.name) return otherName;
    const taint = untoleratedTaint(node.taints, tolerations);
    if (taint) return unresolvable("TaintToleration", `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`);
    if (!matchesNodeAffinity(this.#spec, node)) return otherAffinity;
    return this.#volumes?.(node);
  }

  #preferTolerations(): NonNullable<Pod["spec"]>["tolerations"] & object {
    return (this.#spec.tolerations ?? []).filter(({ effect }) => !effect || effect === "PreferNoSchedule");
  }

  #code(failure: Failure): number {
    const text = `${failure.plugin} ${failure.reasons.join("\n")}`;
    let code = this.#codeOf.get(text);
    if (code === undefined) {
      code = this.#failures.push(failure) - 1;
      this.#codeOf.set(text, code);
    }
    return code;
  }

  #grow(): void {
    const longer = <A extends Float64Array | Uint16Array | Int32Array>(fresh: A, old: A): A => {
      fresh.set(old);
      return fresh;
    };
    const { capacity } = this.#nodes;
    this.#seen = longer(new Float64Array(capacity), this.#seen);
    this.#codes = longer(new Uint16Array(capacity), this.#codes);
    this.#untolerated = longer(new Uint16Array(capacity), this.#untolerated);
    this.#preferred = longer(new Int32Array(capacity), this.#preferred);
  }
}
