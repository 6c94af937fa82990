import type { KubernetesObject } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import type { StoredObject } from "../store/store.ts";
import { LazyEntry, LazyObject } from "../store/stored-entry.ts";

/** What a webhook made of a stored object: it is in the version that was asked for, and nothing is left to be done. */
export class ConvertedObject extends LazyObject {}
export class ConvertedEntry extends LazyEntry {}

/**
 * A stored object of a custom resource as the version shows it: with its apiVersion and the defaults of its schema, without what that does
 * not know. Objects change their form when their definition changes, so it is made at reading; once for each that is stored. Where a webhook
 * converts, it was asked before (`ConvertedObjects`).
 */
export class CustomReader {
  readonly #definition: ResourceDefinition;
  readonly #read = new WeakMap<StoredObject, KubernetesObject>();

  constructor(definition: ResourceDefinition) {
    this.#definition = definition;
  }

  object(stored: StoredObject): KubernetesObject {
    const { custom } = this.#definition;
    if (!custom || isAsStored(this.#definition, stored)) return stored.object;
    const known = this.#read.get(stored);
    if (known) return known;
    const made = readCustom(this.#definition, stored.object);
    this.#read.set(stored, made);
    return made;
  }
}

/** Whether a stored object needs no look: it was written under the definition as it is now, in its only version, or was converted. */
export const isAsStored = ({ custom }: ResourceDefinition, stored: StoredObject): boolean =>
  (custom?.single === true && stored.revision > custom.definedAt) || stored instanceof ConvertedObject || stored instanceof ConvertedEntry;

/** A fresh copy of an object that needs no webhook. */
export function readCustom({ custom }: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  return custom ? custom.read(object) : object;
}
