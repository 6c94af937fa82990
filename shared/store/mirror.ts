import { collectionOf, type GroupResource } from "../kubernetes/object.ts";
import type { Pod } from "../kubernetes/types.ts";
import { KeptLists } from "./kept-lists.ts";
import { Collection } from "./mirror-collection.ts";
import { type ClusterRef, type LogEntry, type Store, type StoredObject, StoreError } from "./store.ts";
import { LazyObject } from "./stored-entry.ts";
import type { Change, ClusterView } from "./view.ts";

export interface MirrorOptions {
  /** Changes kept in memory for watches that resume and for lists at an older revision. Default 10,000. */
  readonly historyEntries?: number;
  /** And at most so many bytes of them. Default 32 MiB. */
  readonly historyBytes?: number;
  /** Called once when the log can no longer be followed; the mirror stays as it is and must be thrown away. */
  readonly onEnd: (error: StoreError) => void;
}

type Follow = (after: number, onEntries: (entries: readonly LogEntry[], through: number) => void) => () => void;

/** The newest changes keep their parsed form: controllers and watches are looking at them. Of older ones the bytes are enough. */
const parsedEntries = 500;
const release = (change: Change): void => {
  for (const stored of [change, change.previous]) if (stored instanceof LazyObject) stored.releaseObject();
};

const pathOf = (stored: StoredObject): string => `${collectionOf(stored.key)}\u0001${stored.key.namespace}\u0001${stored.key.name}`;
const isPod = (stored: StoredObject): boolean => stored.key.group === "" && stored.key.resource === "pods";
const nodeOf = (stored: StoredObject | undefined): string => (stored && isPod(stored) ? ((stored.object as Pod).spec?.nodeName ?? "") : "");

/** Whom a change reaches: watchers of the whole collection, of a namespace, of one object, or of the pods of a node. */
export const topics = {
  all: "",
  namespace: (namespace: string) => `${namespace}/`,
  object: (namespace: string, name: string) => `${namespace}/${name}`,
  node: (nodeName: string) => `@${nodeName}`,
} as const;

/** A cluster's objects in memory, kept up to date by its log. One a cluster and process; everything that reads shares it. */
export class Mirror implements ClusterView {
  #revision: number;
  /** History is complete above this revision. */
  #historyStart: number;
  #historyCount = 0;
  #historyBytes = 0;
  readonly #collections = new Map<string, Collection>();
  readonly #order: Change[] = [];
  /** The newest of them, whose parsed form is still there. */
  readonly #parsed: Change[] = [];
  #owners: Map<string, Map<string, StoredObject>> | undefined;
  #nodes: Map<string, Map<string, StoredObject>> | undefined;
  readonly #keptLists = new KeptLists();
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #moved = new Set<() => void>();
  /** Why it moves no more. */
  #ended: StoreError | undefined;
  readonly #historyEntries: number;
  readonly #historyByteLimit: number;
  readonly #follow: () => () => void;
  #unfollow: () => void;
  #suspended = false;

  static async open(store: Store, cluster: ClusterRef, options: MirrorOptions): Promise<Mirror> {
    const { revision, objects } = await store.snapshot(cluster);
    const onEnd = (error: StoreError): void => {
      mirror.#end(error);
      options.onEnd(error);
    };
    const mirror = new Mirror((after, onEntries) => store.follow(cluster, after, onEntries, onEnd), revision, objects, options);
    return mirror;
  }

  /** These objects as of a revision, and no more ever: it follows no log. */
  static holding(revision: number, objects: readonly StoredObject[]): Mirror {
    return new Mirror(() => () => {}, revision, objects, {});
  }

  private constructor(follow: Follow, revision: number, objects: readonly StoredObject[], options: Omit<MirrorOptions, "onEnd">) {
    this.#revision = revision;
    this.#historyStart = revision;
    this.#historyEntries = options.historyEntries ?? 10_000;
    this.#historyByteLimit = options.historyBytes ?? 32 * 1024 * 1024;
    for (const stored of objects) this.#collection(stored.key).load(stored);
    this.#follow = () => follow(this.#revision, (entries, through) => this.#apply(entries, through));
    this.#unfollow = this.#follow();
  }

  get revision(): number {
    return this.#revision;
  }

  /** Changes above this revision are in memory; older ones have to be read from the store's log. */
  get historyStart(): number {
    return this.#historyStart;
  }

  get(resource: GroupResource, namespace: string, name: string): StoredObject | undefined {
    return this.#collections.get(collectionOf(resource))?.get(namespace, name);
  }

  list(resource: GroupResource, namespace?: string): readonly StoredObject[] {
    return this.#collections.get(collectionOf(resource))?.list(namespace) ?? [];
  }

  count(resource: GroupResource, namespace?: string): number {
    return this.#collections.get(collectionOf(resource))?.count(namespace) ?? 0;
  }

  /** The revision of the last change of a collection in this process; 0 before any. */
  changedAt(resource: GroupResource): number {
    return this.#collections.get(collectionOf(resource))?.changedAt ?? 0;
  }

  /** Keeps today's list for `listAt`, however many changes follow; what was kept first makes room. */
  keepList(resource: GroupResource, namespace: string | undefined): void {
    this.#keptLists.keep(collectionOf(resource), namespace, this.#revision, () => this.list(resource, namespace));
  }

  /** The list as it was at `revision`, or undefined when it was not kept and the history does not reach back so far. */
  listAt(resource: GroupResource, namespace: string | undefined, revision: number): readonly StoredObject[] | undefined {
    if (revision >= this.#revision) return this.list(resource, namespace);
    const kept = this.#keptLists.at(collectionOf(resource), namespace, revision);
    if (kept) return kept;
    if (revision < this.#historyStart) return undefined;
    return this.#collections.get(collectionOf(resource))?.listAt(namespace, revision) ?? [];
  }

  /** Changes of a collection after `after`, ascending. Only for `after` >= `historyStart`. */
  changesAfter(resource: GroupResource, after: number): readonly Change[] {
    return this.#collections.get(collectionOf(resource))?.changesAfter(after) ?? [];
  }

  /** Calls `listener` with each batch's changes on the topic; `onMove` after every batch, whatever it held. */
  subscribe(resource: GroupResource, topic: string, listener: (changes: readonly Change[]) => void): () => void {
    return this.#collection(resource).subscribe(topic, listener);
  }

  /** Whether anybody watches a collection. */
  get watched(): boolean {
    for (const collection of this.#collections.values()) if (collection.watched) return true;
    return false;
  }

  /** Called whenever `revision` moved. */
  onMove(listener: () => void): () => void {
    this.#moved.add(listener);
    return () => this.#moved.delete(listener);
  }

  ownedBy(uid: string): readonly StoredObject[] {
    if (!this.#owners) {
      this.#owners = new Map();
      for (const collection of this.#collections.values()) for (const stored of collection.list()) this.#indexOwners(undefined, stored);
    }
    return [...(this.#owners.get(uid)?.values() ?? [])];
  }

  podsOnNode(nodeName: string): readonly StoredObject[] {
    if (!this.#nodes) {
      this.#nodes = new Map();
      for (const stored of this.list({ group: "", resource: "pods" })) this.#indexNode(undefined, stored);
    }
    return [...(this.#nodes.get(nodeName)?.values() ?? [])];
  }

  resources(): readonly GroupResource[] {
    return [...this.#collections.values()].filter((collection) => collection.count() > 0).map((collection) => collection.resource);
  }

  onChange(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves once the mirror shows `revision`. @throws StoreError why it never will: it cannot follow the log any more, or was closed */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#revision < revision && !this.#ended) return;
        stop();
        if (this.#revision >= revision) resolve();
        else reject(this.#ended);
      };
      const stop = this.onMove(look);
      look();
    });
  }

  /** Follows the log no more until `resume`; a process that is about to be frozen need not poll for what nobody asks. */
  suspend(): void {
    this.#unfollow();
    this.#suspended = true;
  }

  /** Follows on from where it was. */
  resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#unfollow = this.#follow();
  }

  close(): void {
    this.#unfollow();
    this.#end(new StoreError("Unavailable", "the mirror was closed"));
  }

  #end(error: StoreError): void {
    this.#ended ??= error;
    for (const listener of [...this.#moved]) listener();
  }

  #collection(resource: GroupResource): Collection {
    const name = collectionOf(resource);
    let collection = this.#collections.get(name);
    if (!collection) {
      collection = new Collection({ group: resource.group, resource: resource.resource });
      this.#collections.set(name, collection);
    }
    return collection;
  }

  #apply(entries: readonly LogEntry[], through: number): void {
    const changes: Change[] = [];
    for (const entry of entries) {
      if (entry.revision <= this.#revision) continue;
      const collection = this.#collection(entry.key);
      const change = collection.apply(entry);
      this.#indexOwners(change.previous, change.type === "DELETED" ? undefined : change);
      this.#indexNode(change.previous, change.type === "DELETED" ? undefined : change);
      this.#remember(change);
      collection.queue(change, nodeOf(change), nodeOf(change.previous));
      changes.push(change);
    }
    this.#revision = Math.max(this.#revision, through);
    for (const collection of new Set(changes.map((change) => this.#collection(change.key)))) collection.publish();
    if (changes.length > 0) for (const listener of [...this.#listeners]) listener(changes);
    for (const listener of [...this.#moved]) listener();
    for (const change of changes) this.#parsed.push(change);
    if (this.#parsed.length >= 2 * parsedEntries)
      for (const change of this.#parsed.splice(0, this.#parsed.length - parsedEntries)) release(change);
  }

  #remember(change: Change): void {
    this.#order.push(change);
    this.#historyCount++;
    this.#historyBytes += change.bytes.length;
    if (this.#historyCount <= this.#historyEntries && this.#historyBytes <= this.#historyByteLimit) return;
    // Drop a quarter at once, so that trimming is rare.
    const dropped = this.#order.splice(0, Math.max(1, this.#order.length >> 2));
    for (const old of dropped) this.#historyBytes -= old.bytes.length;
    this.#historyCount -= dropped.length;
    this.#historyStart = dropped.at(-1)?.revision ?? this.#historyStart;
    for (const collection of this.#collections.values()) collection.forget(this.#historyStart);
  }

  #indexOwners(before: StoredObject | undefined, after: StoredObject | undefined): void {
    if (!this.#owners) return;
    for (const { uid } of before?.object.metadata.ownerReferences ?? []) remove(this.#owners, uid, before);
    for (const { uid } of after?.object.metadata.ownerReferences ?? []) add(this.#owners, uid, after);
  }

  #indexNode(before: StoredObject | undefined, after: StoredObject | undefined): void {
    if (!this.#nodes) return;
    const [from, to] = [nodeOf(before), nodeOf(after)];
    if (from !== "") remove(this.#nodes, from, before);
    if (to !== "") add(this.#nodes, to, after);
  }
}

function add(index: Map<string, Map<string, StoredObject>>, value: string, stored: StoredObject | undefined): void {
  if (!stored) return;
  const found = index.get(value);
  if (found) found.set(pathOf(stored), stored);
  else index.set(value, new Map([[pathOf(stored), stored]]));
}

function remove(index: Map<string, Map<string, StoredObject>>, value: string, stored: StoredObject | undefined): void {
  const found = stored && index.get(value);
  if (!found) return;
  found.delete(pathOf(stored));
  if (found.size === 0) index.delete(value);
}
