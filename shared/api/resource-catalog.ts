import { acceptNames, isConditionTrue, isServable } from "../kubernetes/custom/accepted-names.ts";
import { definitionsOf } from "../kubernetes/custom/definitions.ts";
import { customResourceDefinitions } from "../kubernetes/known-resources.ts";
import { collectionOf, type GroupResource } from "../kubernetes/object.ts";
import {
  apiVersionOf,
  builtinResources,
  findKind,
  findResource,
  type ResourceDefinition,
  storageResource,
} from "../kubernetes/resources.ts";
import { type KindSchema, kindSchema } from "../kubernetes/schema/kind-schema.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from "../kubernetes/types.ts";
import type { Mirror } from "../store/mirror.ts";
import type { StoredObject } from "../store/store.ts";
import { ConvertedObjects } from "./conversion/converted-objects.ts";

interface Custom {
  /** Changes whenever anything of the custom resources does. */
  readonly version: number;
  readonly definitions: readonly ResourceDefinition[];
  readonly byResource: ReadonlyMap<string, ResourceDefinition>;
  readonly byCollection: ReadonlyMap<string, ResourceDefinition>;
}

const none: Custom = { version: 0, definitions: [], byResource: new Map(), byCollection: new Map() };

/**
 * The resources that one cluster serves: the built-in ones, and those that its CustomResourceDefinitions make. A definition is served as
 * soon as the mirror shows it and its names are free; nobody waits for a controller. A cluster without definitions pays one comparison.
 */
export class ResourceCatalog {
  readonly converted = new ConvertedObjects();
  readonly #mirror: Pick<Mirror, "list" | "changedAt">;
  readonly #nowMs: () => number;
  readonly #optional: readonly ResourceDefinition[];
  #custom = none;
  #seen = -1;
  /** By uid and generation: what a change of status leaves as it was. */
  #made = new Map<string, readonly ResourceDefinition[]>();

  /** `optional`: what is served beside what is always built in. */
  constructor(mirror: Pick<Mirror, "list" | "changedAt">, nowMs: () => number, optional: readonly ResourceDefinition[] = []) {
    this.#mirror = mirror;
    this.#nowMs = nowMs;
    this.#optional = optional;
  }

  find(group: string, version: string, resource: string): ResourceDefinition | undefined {
    const is = (one: ResourceDefinition): boolean => one.group === group && one.version === version && one.resource === resource;
    return (
      findResource(group, version, resource) ??
      this.#optional.find(is) ??
      this.#current().byResource.get(`${apiVersionOf({ group, version })}/${resource}`)
    );
  }

  findKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
    const is = (one: ResourceDefinition): boolean => one.kind === kind && apiVersionOf(one) === apiVersion;
    return findKind(apiVersion, kind) ?? this.#optional.find(is) ?? this.#current().definitions.find(is);
  }

  /** The definition that a loop works with: of a custom resource, that of the version its objects are stored in or, if that is not served, the preferred one. */
  storage(resource: GroupResource): ResourceDefinition | undefined {
    const collection = collectionOf(resource);
    return (
      storageResource(resource) ??
      this.#optional.find((one) => one.collection === collection) ??
      this.#current().byCollection.get(collection)
    );
  }

  schemaOf(definition: ResourceDefinition): KindSchema | undefined {
    return definition.custom ? definition.custom.kind() : kindSchema(definition.group, definition.version, definition.kind);
  }

  hasGroup(group: string): boolean {
    return this.#hasAny((one) => one.group === group);
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.#hasAny((one) => one.group === group && one.version === version);
  }

  #hasAny(is: (one: ResourceDefinition) => boolean): boolean {
    return builtinResources().some(is) || this.#optional.some(is) || this.#current().definitions.some(is);
  }

  /** Custom resources, by group, preferred versions first, then by name. */
  get custom(): readonly ResourceDefinition[] {
    return this.#current().definitions;
  }

  /** The same number as long as `custom` is the same. */
  get version(): number {
    return this.#current().version;
  }

  #current(): Custom {
    const changedAt = this.#mirror.changedAt(customResourceDefinitions);
    if (changedAt !== this.#seen) {
      this.#seen = changedAt;
      this.#custom = this.#build(changedAt);
    }
    return this.#custom;
  }

  #build(version: number): Custom {
    const stored = this.#mirror.list(customResourceDefinitions);
    if (stored.length === 0) return none;
    const made = new Map<string, readonly ResourceDefinition[]>();
    const definitions: ResourceDefinition[] = [];
    for (const { definition, names, revision } of acceptedDefinitions(stored)) {
      const { uid, generation } = definition.metadata;
      const terminating = definition.metadata.deletionTimestamp !== undefined;
      const key = JSON.stringify([uid, generation, terminating, names]);
      const known = this.#made.get(key) ?? definitionsOf(definition, names, revision, this.#nowMs);
      made.set(key, known);
      definitions.push(...known);
    }
    this.#made = made;
    const byResource = new Map(definitions.map((one) => [`${apiVersionOf(one)}/${one.resource}`, one]));
    const byCollection = new Map<string, ResourceDefinition>();
    for (const one of definitions)
      if (!byCollection.has(one.collection) || one.version === one.storageVersion) byCollection.set(one.collection, one);
    return { version, definitions: inOrder(definitions), byResource, byCollection };
  }
}

/** Groups by name; within one, versions as their first resource has them, and resources by name. */
function inOrder(definitions: readonly ResourceDefinition[]): ResourceDefinition[] {
  const text = ({ group, resource }: ResourceDefinition): string => `${group}/${resource}`;
  return [...definitions].sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}

interface Accepted {
  readonly definition: CustomResourceDefinition;
  readonly names: CustomResourceDefinitionNames;
  readonly revision: number;
}

/** Who has names has them; who has none yet gets them in the order of creation, as the controller will write it down. */
function acceptedDefinitions(stored: readonly StoredObject[]): Accepted[] {
  const accepted: Accepted[] = [];
  const waiting: Accepted[] = [];
  for (const one of stored) {
    const definition = one.object as CustomResourceDefinition;
    const names = definition.status?.acceptedNames ?? { kind: "", plural: "" };
    (isConditionTrue(definition, "Established") ? accepted : waiting).push({ definition, names, revision: one.revision });
  }
  waiting.sort((a, b) => a.revision - b.revision);
  for (const { definition, revision } of waiting) {
    const others = accepted.filter((other) => other.definition.spec.group === definition.spec.group).map(({ names }) => names);
    const { names, condition } = acceptNames(definition, others);
    if (condition.status === "True" && isServable(names)) accepted.push({ definition, names, revision });
  }
  return accepted;
}
