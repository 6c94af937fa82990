import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";
import type { LogEntry, StoredObject } from "./store.ts";

const encoder = new TextEncoder();

/**
 * UTF-8 JSON in memory of its own. `Buffer.from` would cut it out of a shared slab, and what lives long would hold the whole slab with
 * all that was short-lived in it.
 */
export function serialize(object: KubernetesObject): Buffer {
  const { buffer } = encoder.encode(JSON.stringify(object));
  return Buffer.from(buffer);
}

/** A stored object that is parsed on first use: most of what a list or a watch passes on is never looked into. */
export class LazyObject implements StoredObject {
  readonly key: ObjectKey;
  readonly revision: number;
  readonly bytes: Buffer;
  #object: KubernetesObject | undefined;
  constructor(key: ObjectKey, revision: number, bytes: Buffer, object?: KubernetesObject) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
    this.#object = object;
  }
  get object(): KubernetesObject {
    this.#object ??= JSON.parse(this.bytes.toString("utf8")) as KubernetesObject;
    return this.#object;
  }
  /** Gives the parsed form back: it takes several times the room of the bytes. Who asks again gets a new one. */
  releaseObject(): void {
    this.#object = undefined;
  }
}

export class LazyEntry extends LazyObject implements LogEntry {
  readonly type: LogEntry["type"];
  readonly previous: StoredObject | undefined;
  constructor(
    type: LogEntry["type"],
    previous: StoredObject | undefined,
    key: ObjectKey,
    revision: number,
    bytes: Buffer,
    object?: KubernetesObject,
  ) {
    super(key, revision, bytes, object);
    this.type = type;
    this.previous = previous;
  }
}
