import { collectionOf, type KubernetesObject, type ObjectKey } from "../../shared/kubernetes/object.ts";
import type { LogEntry, StoredObject } from "../../shared/store/store.ts";
import type { Seen, SeenEntry } from "./history.ts";

export const cluster = { tenant: "t", cluster: "c" } as const;

export const pathOf = (key: ObjectKey): string => `${collectionOf(key)}\u0001${key.namespace}\u0001${key.name}`;
export const collectionOfPath = (path: string): string => path.slice(0, path.indexOf("\u0001"));

/** `value` names the write, at both ends of the `padding` that makes it large: nothing put together from two writes passes for one. */
export function objectWith(key: ObjectKey, value: string, padding: string): KubernetesObject {
  const object = {
    kind: "Thing",
    apiVersion: "v1",
    metadata: { name: key.name, namespace: key.namespace },
    data: { value, ...(padding && { padding, end: value }) },
  };
  return object;
}

export function writtenValue(object: KubernetesObject): string {
  const { data } = object as { data?: { value?: string; padding?: string; end?: string } };
  const { value = "", padding, end } = data ?? {};
  return padding === undefined || end === value ? value : `${value} that ends as ${end}`;
}

export const seen = (stored: StoredObject): Seen => ({
  path: pathOf(stored.key),
  revision: stored.revision,
  value: writtenValue(stored.object),
});
export const seenEntry = (entry: LogEntry): SeenEntry => ({ ...seen(entry), type: entry.type });
