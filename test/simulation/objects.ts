import { collectionOf, type KubernetesObject, type ObjectKey } from "../../shared/kubernetes/object.ts";
import type { LogEntry, StoredObject } from "../../shared/store/store.ts";
import type { Seen, SeenEntry } from "./history.ts";

export const cluster = { tenant: "t", cluster: "c" } as const;

export const pathOf = (key: ObjectKey): string => `${collectionOf(key)}\u0001${key.namespace}\u0001${key.name}`;
export const collectionOfPath = (path: string): string => path.slice(0, path.indexOf("\u0001"));

/** `value` names the write; `padding` makes it large. */
export function objectWith(key: ObjectKey, value: string, padding: string): KubernetesObject {
  const object = {
    kind: "Thing",
    apiVersion: "v1",
    metadata: { name: key.name, namespace: key.namespace },
    data: { value, ...(padding && { padding }) },
  };
  return object;
}

export function writtenValue(object: KubernetesObject): string {
  const { data } = object as { data?: { value?: string } };
  return data?.value ?? "";
}

export const seen = (stored: StoredObject): Seen => ({
  path: pathOf(stored.key),
  revision: stored.revision,
  value: writtenValue(stored.object),
});
export const seenEntry = (entry: LogEntry): SeenEntry => ({ ...seen(entry), type: entry.type });
