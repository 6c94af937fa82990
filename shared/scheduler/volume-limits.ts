import type { KubernetesObject } from "../kubernetes/object.ts";
import type { CSINode } from "../kubernetes/types.ts";

/** A volume as a CSI driver of a node counts it. */
export interface Attachment {
  readonly driver: string;
  readonly handle: string;
}

/** NodeVolumeLimits: how many volumes of each CSI driver a node can take, as its CSINode object says. */
export class VolumeLimits {
  /** By node, then driver. */
  readonly #limits = new Map<string, ReadonlyMap<string, number>>();

  /** Answers whether it is a CSINode. */
  set(object: KubernetesObject): boolean {
    if (object.kind !== "CSINode") return false;
    const limits = new Map<string, number>();
    for (const { name, allocatable } of (object as CSINode).spec.drivers) {
      if (allocatable?.count !== undefined) limits.set(name, allocatable.count);
    }
    this.#limits.set(object.metadata.name ?? "", limits);
    return true;
  }

  remove(object: KubernetesObject): boolean {
    if (object.kind !== "CSINode") return false;
    this.#limits.delete(object.metadata.name ?? "");
    return true;
  }

  /** Whether the node cannot take the wanted volumes beside those of its pods; a volume that is there already counts once. */
  areExceeded(nodeName: string, wanted: readonly Attachment[], present: () => Iterable<Attachment>): boolean {
    const limits = this.#limits.get(nodeName);
    if (limits === undefined || !wanted.some(({ driver }) => limits.has(driver))) return false;
    const attached = handlesByDriver(present());
    const fresh = handlesByDriver(wanted);
    for (const [driver, handles] of fresh) {
      const limit = limits.get(driver);
      const there = attached.get(driver) ?? new Set<string>();
      const added = handles.difference(there).size;
      if (limit !== undefined && added > 0 && there.size + added > limit) return true;
    }
    return false;
  }
}

function handlesByDriver(attachments: Iterable<Attachment>): Map<string, Set<string>> {
  const handles = new Map<string, Set<string>>();
  for (const { driver, handle } of attachments) {
    const known = handles.get(driver);
    if (known) known.add(handle);
    else handles.set(driver, new Set([handle]));
  }
  return handles;
}
