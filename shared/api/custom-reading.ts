import type { KubernetesObject } from "../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { StoredObject } from "../store/store.ts";

/**
 * A stored object of a custom resource as the version shows it: with its apiVersion and the defaults of its schema, without what that does
 * not know. Objects change their form when their definition changes, so it is made at reading; once for each that is stored.
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

/** Whether a stored object needs no look: it was written under the definition as it is now, in its only version. */
export const isAsStored = ({ custom }: ResourceDefinition, stored: StoredObject): boolean =>
  custom?.single === true && stored.revision > custom.definedAt;

/** A fresh copy. @throws StatusError where only a webhook could convert it */
export function readCustom(definition: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  const { custom } = definition;
  if (!custom) return object;
  const apiVersion = apiVersionOf(definition);
  if (custom.webhook && object.apiVersion !== apiVersion) throw unconverted(definition, object.apiVersion ?? "");
  return custom.read(object);
}

/** The object as it is stored, in the storage version. @throws StatusError where only a webhook could convert it */
export function storedForm(definition: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  const { custom } = definition;
  if (!custom || object.apiVersion === custom.storedApiVersion) return object;
  if (custom.webhook) throw unconverted(definition, object.apiVersion ?? "");
  return { ...object, apiVersion: custom.storedApiVersion };
}

function unconverted(definition: ResourceDefinition, from: string): StatusError {
  const text = `conversion webhook for ${from}, Kind=${definition.kind} failed: this server calls no conversion webhooks`;
  return new StatusError("InternalError", `Internal error occurred: ${text}`, { causes: [{ message: text }] });
}
