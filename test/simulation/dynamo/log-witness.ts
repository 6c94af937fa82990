import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { keyOfObject, logPartsPartition, objectPath } from "../../../shared/store/dynamo/keys.ts";
import { isVoid, revisionOf, spanOf } from "../../../shared/store/dynamo/log-items.ts";
import { createPayloads } from "../../../shared/store/dynamo/payload.ts";
import type { Item } from "../../../shared/store/dynamo/table.ts";
import type { LogEntry } from "../../../shared/store/store.ts";
import type { SeenEntry } from "../history.ts";
import { writtenValue } from "../objects.ts";
import type { Truth } from "../truth.ts";
import type { Tap } from "./simulated-dynamo.ts";

const payloads = createPayloads(undefined);

/** Tells `truth` what comes to lie in the log of a cluster; `onEntry` hears of each. */
export function createLogWitness(scope: string, truth: Truth, onEntry: (entry: SeenEntry, object: KubernetesObject) => void): Tap {
  const parts = new Map<string, Uint8Array>();
  return (before, after) => {
    if (!after?.pk.startsWith(`${scope}#log#`)) return;
    if (after.pk.endsWith(logPartsPartition(""))) {
      if (after.body instanceof Uint8Array) parts.set(after.sk, after.body);
      return;
    }
    if (before) {
      truth.faults.push(`the place of revision ${after.sk} was written again: ${describe(before)} → ${describe(after)}`);
      return;
    }
    if (isVoid(after)) {
      truth.void(revisionOf(after), spanOf(after));
      return;
    }
    const { entry, object } = toSeen(scope, after, parts);
    truth.entry(entry);
    onEntry(entry, object);
  };
}

const describe = (item: Item): string => `${String(item.type)} by ${String(item.commit)}`;

function toSeen(scope: string, item: Item, parts: ReadonlyMap<string, Uint8Array>): { entry: SeenEntry; object: KubernetesObject } {
  const key = keyOfObject(String(item.collection), String(item.object));
  const count = typeof item.bodyParts === "number" ? item.bodyParts : 0;
  const pieces = Array.from({ length: count }, (_, index) => parts.get(`${item.sk}/body${index}`) ?? new Uint8Array());
  const body = item.body instanceof Uint8Array ? item.body : Buffer.concat(pieces);
  const object = JSON.parse(payloads.decode(scope, key, body).toString("utf8")) as KubernetesObject;
  const entry = { path: objectPath(key), revision: revisionOf(item), value: writtenValue(object), type: item.type as LogEntry["type"] };
  return { entry, object };
}
