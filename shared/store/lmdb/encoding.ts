import type { ObjectKey } from "../../kubernetes/object.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import type { Sealer } from "../sealer.ts";
import type { ClusterRef, LogEntry, StoredObject } from "../store.ts";
import { LazyEntry, LazyObject } from "../stored-entry.ts";

/**
 * Sorts below every character of a name, so that byte order of keys is the order of (collection, namespace, name). Characters up to
 * U+0004 would not do: lmdb's key encoding escapes them in strings shorter than 64 characters and not in longer ones.
 */
const separator = "\u0005";
const revisionBytes = 8;
const types: readonly LogEntry["type"][] = ["ADDED", "MODIFIED", "DELETED"];

export const scopeOf = (cluster: ClusterRef): string => `${cluster.tenant}#${cluster.cluster}`;
export const objectPath = (key: ObjectKey): string => `${collectionOf(key)}${separator}${key.namespace}${separator}${key.name}`;
export const joinKey = (first: string, second: string): string => first + separator + second;
/** Every key that starts with `prefix` and a separator lies in [prefix + separator, this). */
export const endOfPrefix = (prefix: string): string => `${prefix}\u0006`;

export function keyOfPath(path: string): ObjectKey {
  const [collection = "", namespace = "", name = ""] = path.split(separator);
  const slash = collection.indexOf("/");
  return { group: slash < 0 ? "" : collection.slice(0, slash), resource: collection.slice(slash + 1), namespace, name };
}

const isSecret = (key: ObjectKey): boolean => key.group === "" && key.resource === "secrets";

/** Values of the object and log tables. Secrets are sealed; everything else is the JSON itself behind a short header. */
export function createEncoding(sealer: Sealer | undefined) {
  const seal = (key: ObjectKey, bytes: Buffer, context: string): Buffer => (sealer && isSecret(key) ? sealer.seal(bytes, context) : bytes);
  const open = (key: ObjectKey, bytes: Buffer, context: string): Buffer => (sealer && isSecret(key) ? sealer.open(bytes, context) : bytes);

  return {
    /** 8 bytes revision, then the body. `context`: the scope and the path, joined. */
    encodeObject(context: string, stored: StoredObject): Buffer {
      const body = seal(stored.key, stored.bytes, context);
      const value = Buffer.allocUnsafe(revisionBytes + body.length);
      value.writeDoubleBE(stored.revision, 0);
      body.copy(value, revisionBytes);
      return value;
    },
    /** Marks an object of the cluster base as deleted. */
    encodeTombstone(revision: number): Buffer {
      const value = Buffer.allocUnsafe(revisionBytes);
      value.writeDoubleBE(revision, 0);
      return value;
    },
    /** 0 for a tombstone. */
    liveRevisionOf: (value: Buffer): number => (value.length === revisionBytes ? 0 : value.readDoubleBE(0)),
    /** `undefined` for a tombstone. */
    decodeObject(scope: string, key: ObjectKey, value: Buffer): StoredObject | undefined {
      if (value.length === revisionBytes) return undefined;
      const bytes = open(key, value.subarray(revisionBytes), joinKey(scope, objectPath(key)));
      return new LazyObject(key, value.readDoubleBE(0), bytes);
    },
    /** type, length of the path, path, revision and length of the previous state, previous state, state. */
    encodeEntry(context: string, path: string, entry: LogEntry): Buffer {
      const body = seal(entry.key, entry.bytes, context);
      const previous = entry.previous && seal(entry.key, entry.previous.bytes, context);
      const pathLength = Buffer.byteLength(path);
      const start = 3 + pathLength + revisionBytes + 4;
      const end = start + (previous?.length ?? 0);
      const value = Buffer.allocUnsafe(end + body.length);
      value.writeUInt8(types.indexOf(entry.type), 0);
      value.writeUInt16BE(pathLength, 1);
      value.write(path, 3);
      value.writeDoubleBE(entry.previous?.revision ?? 0, 3 + pathLength);
      value.writeUInt32BE(end - start, start - 4);
      previous?.copy(value, start);
      body.copy(value, end);
      return value;
    },
    decodeEntry(scope: string, revision: number, value: Buffer): LogEntry {
      const pathLength = value.readUInt16BE(1);
      const path = value.toString("utf8", 3, 3 + pathLength);
      const key = keyOfPath(path);
      const context = joinKey(scope, path);
      const previousRevision = value.readDoubleBE(3 + pathLength);
      const start = 3 + pathLength + revisionBytes + 4;
      const end = start + value.readUInt32BE(start - 4);
      const previous = end > start ? new LazyObject(key, previousRevision, open(key, value.subarray(start, end), context)) : undefined;
      return new LazyEntry(types[value.readUInt8(0)] ?? "MODIFIED", previous, key, revision, open(key, value.subarray(end), context));
    },
  };
}

export type Encoding = ReturnType<typeof createEncoding>;
