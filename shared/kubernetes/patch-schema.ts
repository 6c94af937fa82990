/**
 * What a strategic merge patch must know of a field: how it merges (`x-kubernetes-patch-strategy`) and by which key its elements are told
 * apart (`x-kubernetes-patch-merge-key`). A list's own schema carries its strategies; `items` leads on to the fields of its elements.
 */
export interface PatchSchema {
  /** The schema of a field, or of any entry of a map; undefined when nothing is known of it. */
  property(name: string): PatchSchema | undefined;
  readonly items: PatchSchema | undefined;
  /** `merge`, `replace`, `retainKeys`. */
  readonly strategies: readonly string[];
  /** E.g. "name", "containerPort". */
  readonly mergeKey: string | undefined;
}
