import type { KubernetesObject } from "../../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../../kubernetes/resources.ts";
import type { LogEntry, StoredObject } from "../../store/store.ts";
import { LazyEntry, serialize } from "../../store/stored-entry.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { ConvertedEntry, ConvertedObject, isAsStored } from "../custom-reading.ts";
import { convertObjects } from "./convert-objects.ts";

/** Whether objects may need a webhook before anybody can look at them. Of everything else nothing here is asked. */
export const needsWebhook = ({ custom }: ResourceDefinition): boolean => custom?.conversion !== undefined;

/**
 * What a webhook made of stored objects, as long as these and their definition are what they are: kube-apiserver's watch cache keeps
 * converted objects in the same way. Who asks for an object that is being converted waits for that call.
 */
export class ConvertedObjects {
  readonly #known = new WeakMap<ResourceDefinition, WeakMap<StoredObject, Promise<StoredObject>>>();

  /** The objects in the version of `definition`, in the same order. @throws UnexplainedError */
  async show(cluster: ApiCluster, definition: ResourceDefinition, items: readonly StoredObject[]): Promise<StoredObject[]> {
    const known = this.#knownOf(definition);
    const fresh = items.filter((stored) => isForeign(definition, stored) && !known.has(stored));
    if (fresh.length > 0) {
      const made = convertAll(cluster, definition, fresh);
      for (const [index, stored] of fresh.entries()) {
        const one = made.then((all) => all[index] ?? stored);
        known.set(stored, one);
        // Whoever waits for it hears of the failure; the next one asks anew.
        one.catch(() => known.delete(stored));
      }
    }
    return Promise.all(items.map((stored) => known.get(stored) ?? stored));
  }

  /** The same for changes, with what was before them. */
  async showChanges(cluster: ApiCluster, definition: ResourceDefinition, changes: readonly LogEntry[]): Promise<LogEntry[]> {
    const involved = changes.flatMap((change) => (change.previous ? [change, change.previous] : [change]));
    const shown = await this.show(cluster, definition, involved);
    const converted = new Map(involved.map((stored, index) => [stored, shown[index] ?? stored]));
    return changes.map((change) => {
      const { type, key, revision, previous } = change;
      const now = converted.get(change) ?? change;
      const before = previous && (converted.get(previous) ?? previous);
      if (now === change && before === previous) return change;
      const Entry = now === change ? LazyEntry : ConvertedEntry;
      return new Entry(type, before, key, revision, now.bytes, now.object);
    });
  }

  #knownOf(definition: ResourceDefinition): WeakMap<StoredObject, Promise<StoredObject>> {
    const known = this.#known.get(definition) ?? new WeakMap<StoredObject, Promise<StoredObject>>();
    this.#known.set(definition, known);
    return known;
  }
}

/** As a read of the store shows it, whatever lists and watches were shown: the webhook may answer otherwise by now. @throws UnexplainedError */
export async function showFresh(cluster: ApiCluster, definition: ResourceDefinition, stored: StoredObject): Promise<StoredObject> {
  if (!isForeign(definition, stored)) return stored;
  const [shown] = await convertAll(cluster, definition, [stored]);
  return shown ?? stored;
}

/** What is stored of an object in the version of `definition`. @throws UnexplainedError */
export async function storedForm(cluster: ApiCluster, definition: ResourceDefinition, object: KubernetesObject): Promise<KubernetesObject> {
  const { custom } = definition;
  if (!custom || object.apiVersion === custom.storedApiVersion) return object;
  if (!custom.conversion) return { ...object, apiVersion: custom.storedApiVersion };
  const [converted] = await convertObjects(cluster, custom.conversion, [object], custom.storedApiVersion);
  return converted ?? object;
}

const isForeign = (definition: ResourceDefinition, stored: StoredObject): boolean =>
  needsWebhook(definition) && !isAsStored(definition, stored) && stored.object.apiVersion !== apiVersionOf(definition);

async function convertAll(cluster: ApiCluster, definition: ResourceDefinition, items: readonly StoredObject[]): Promise<StoredObject[]> {
  const { conversion } = definition.custom ?? {};
  if (!conversion) return [...items];
  const objects = items.map(({ object }) => object);
  const converted = await convertObjects(cluster, conversion, objects, apiVersionOf(definition));
  return items.map((stored, index) => {
    const object = converted[index] ?? stored.object;
    return new ConvertedObject(stored.key, stored.revision, serialize(object), object);
  });
}
