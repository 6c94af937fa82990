import { cloneJson } from "../../kubernetes/clone.ts";
import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";

/** What one request's mutating webhooks or policies did, for a second round of those that want to see what came after them (`reinvocationPolicy: IfNeeded`). */
export class Reinvocation<Asked> {
  /** Asked, willing to be asked again, and nothing changed since. */
  readonly #settled = new Set<Asked>();
  /** To be asked again: something changed after they had their say. */
  readonly #due = new Set<Asked>();
  #left: KubernetesObject | undefined;

  changed(): void {
    for (const one of this.#settled) this.#due.add(one);
    this.#settled.clear();
  }

  asked(one: Asked): void {
    this.#settled.add(one);
  }

  isDue(one: Asked): boolean {
    return this.#due.has(one);
  }

  /** A round is over: what others make of the object afterwards concerns those that were asked. */
  end(object: KubernetesObject | undefined): void {
    this.#left = this.#settled.size > 0 && object ? cloneJson(object) : undefined;
  }

  begin(object: KubernetesObject | undefined): void {
    if (this.#left && !deepEqual(this.#left, object)) this.changed();
  }
}
