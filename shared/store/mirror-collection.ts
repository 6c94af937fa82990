import type { GroupResource } from "../kubernetes/object.ts";
import { lowerBound } from "./lower-bound.ts";
import type { LogEntry, StoredObject } from "./store.ts";
import { LazyEntry, LazyObject } from "./stored-entry.ts";
import type { Change } from "./view.ts";

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** As etcd orders its keys, `namespace/name`: what is in `a-b` comes before what is in `a`. */
const compareNamespaces = (a: string, b: string): number => compare(`${a}/`, `${b}/`);

type Listener = (changes: readonly Change[]) => void;

/** The objects of one namespace in order of their names. */
class Bucket {
  readonly byName = new Map<string, StoredObject>();
  readonly #sorted: StoredObject[] = [];
  set(stored: StoredObject): void {
    const { name } = stored.key;
    const known = this.byName.has(name);
    this.byName.set(name, stored);
    const last = this.#sorted.at(-1);
    if (!known && (last === undefined || last.key.name < name)) this.#sorted.push(stored);
    else {
      const at = position(this.#sorted, name);
      if (known) this.#sorted[at] = stored;
      else this.#sorted.splice(at, 0, stored);
    }
  }
  delete(name: string): void {
    if (this.byName.delete(name)) this.#sorted.splice(position(this.#sorted, name), 1);
  }
  list(): readonly StoredObject[] {
    return this.#sorted;
  }
}

/** Index of the first element whose name is not below `name`. */
const position = (sorted: readonly StoredObject[], name: string): number => lowerBound(sorted, ({ key }) => key.name < name);

/** One resource of a mirror: its objects, what changed lately, and who listens. */
export class Collection {
  readonly resource: GroupResource;
  readonly #namespaces = new Map<string, Bucket>();
  #namespaceOrder: string[] = [];
  #size = 0;
  #history: Change[] = [];
  readonly #listeners = new Map<string, Set<Listener>>();
  #queued = new Map<string, Change[]>();
  #all: readonly StoredObject[] | undefined;
  /** The revision of the last change that was applied. */
  changedAt = 0;

  constructor(resource: GroupResource) {
    this.resource = resource;
  }

  get(namespace: string, name: string): StoredObject | undefined {
    return this.#namespaces.get(namespace)?.byName.get(name);
  }

  count(namespace?: string): number {
    return namespace === undefined ? this.#size : (this.#namespaces.get(namespace)?.byName.size ?? 0);
  }

  /** A snapshot that stays valid only until the next change: copy it to keep it. */
  list(namespace?: string): readonly StoredObject[] {
    if (namespace !== undefined) return this.#namespaces.get(namespace)?.list() ?? [];
    if (this.#namespaceOrder.length === 1) return this.#namespaces.get(this.#namespaceOrder[0] ?? "")?.list() ?? [];
    this.#all ??= this.#namespaceOrder.flatMap((name) => this.#namespaces.get(name)?.list() ?? []);
    return this.#all;
  }

  listAt(namespace: string | undefined, revision: number): readonly StoredObject[] {
    const then = new Map<string, StoredObject | undefined>();
    const later = this.changesAfter(revision);
    for (let i = later.length - 1; i >= 0; i--) {
      const change = later[i];
      if (change && (namespace === undefined || change.key.namespace === namespace))
        then.set(`${change.key.namespace}\u0001${change.key.name}`, change.previous);
    }
    if (then.size === 0) return this.list(namespace);
    const unchanged = this.list(namespace).filter(({ key }) => !then.has(`${key.namespace}\u0001${key.name}`));
    const restored = [...then.values()].filter((stored) => stored !== undefined);
    return [...unchanged, ...restored].sort(
      (a, b) => compareNamespaces(a.key.namespace, b.key.namespace) || compare(a.key.name, b.key.name),
    );
  }

  changesAfter(revision: number): readonly Change[] {
    const first = lowerBound(this.#history, (change) => change.revision <= revision);
    return first === 0 ? this.#history : this.#history.slice(first);
  }

  load(stored: StoredObject): void {
    this.#set(stored);
  }

  /** Moves to the entry's state; answers it with the state before. */
  apply(entry: LogEntry): Change {
    const { namespace, name } = entry.key;
    const previous = this.get(namespace, name);
    const change =
      entry.previous === previous ? entry : new LazyEntry(entry.type, previous, entry.key, entry.revision, entry.bytes, entry.object);
    if (entry.type === "DELETED") this.#delete(namespace, name);
    else this.#set(new LazyObject(entry.key, entry.revision, entry.bytes, entry.object)); // not the change: its `previous` would chain all history
    this.#history.push(change);
    this.changedAt = entry.revision;
    return change;
  }

  forget(through: number): void {
    const first = lowerBound(this.#history, (change) => change.revision <= through);
    if (first !== 0) this.#history = this.#history.slice(first);
  }

  subscribe(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(topic, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(topic);
    };
  }

  get watched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Puts a change into the post of everyone whom it concerns. */
  queue(change: Change, node: string, nodeBefore: string): void {
    if (this.#listeners.size === 0) return;
    const { namespace, name } = change.key;
    this.#post("", change);
    this.#post(`${namespace}/`, change);
    this.#post(`${namespace}/${name}`, change);
    if (node !== "") this.#post(`@${node}`, change);
    if (nodeBefore !== "" && nodeBefore !== node) this.#post(`@${nodeBefore}`, change);
  }

  publish(): void {
    if (this.#queued.size === 0) return;
    const queued = this.#queued;
    this.#queued = new Map();
    for (const [topic, changes] of queued) for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener(changes);
  }

  #post(topic: string, change: Change): void {
    if (!this.#listeners.has(topic)) return;
    const waiting = this.#queued.get(topic);
    if (waiting) waiting.push(change);
    else this.#queued.set(topic, [change]);
  }

  #set(stored: StoredObject): void {
    const { namespace, name } = stored.key;
    let bucket = this.#namespaces.get(namespace);
    if (!bucket) {
      bucket = new Bucket();
      this.#namespaces.set(namespace, bucket);
      this.#namespaceOrder.push(namespace);
      this.#namespaceOrder.sort(compareNamespaces);
    }
    if (!bucket.byName.has(name)) this.#size++;
    bucket.set(stored);
    this.#all = undefined;
  }

  #delete(namespace: string, name: string): void {
    const bucket = this.#namespaces.get(namespace);
    if (!bucket?.byName.has(name)) return;
    bucket.delete(name);
    this.#size--;
    this.#all = undefined;
    if (bucket.byName.size > 0) return;
    this.#namespaces.delete(namespace);
    this.#namespaceOrder = this.#namespaceOrder.filter((other) => other !== namespace);
  }
}
