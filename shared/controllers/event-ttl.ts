import { events } from "../kubernetes/known-resources.ts";
import type { StoredObject } from "../store/store.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";
import { writtenAt } from "./written-at.ts";

/** kube-apiserver's `--event-ttl`, counted from an event's last write. */
const ttlMs = 3_600_000;
const batch = 500;
const parallelDeletions = 20;
const key = "expired";

interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly writtenMs: number;
}

/**
 * Deletes events an hour after they were last written. Entries wait in the order in which they came, which is that of their times but
 * for a little; a look costs only what is due, and an event written again meanwhile has a later entry.
 */
export function createEventTtlController(): Controller {
  let entries: Entry[] = [];
  let head = 0;
  return {
    name: "event-ttl",
    allKeys(view) {
      entries = view
        .list(events)
        .map(entryOf)
        .sort((a, b) => a.writtenMs - b.writtenMs);
      head = 0;
      return entries.length > 0 ? [key] : [];
    },
    keysOf(change) {
      if (!isOf(events, change.key) || change.type === "DELETED") return [];
      entries.push(entryOf(change));
      // With others before it the appointment stands already.
      return entries.length - head === 1 ? [key] : [];
    },
    async reconcile(_key, { view, client, clock }) {
      const due: Entry[] = [];
      for (let next = entries[head]; next && next.writtenMs + ttlMs <= clock.now() && due.length < batch; next = entries[head]) {
        head++;
        const stored = view.get(events, next.namespace, next.name);
        if (stored && writtenAt(stored.object) + ttlMs <= clock.now()) due.push(next);
      }
      if (head > 1024 && head * 2 > entries.length) {
        entries = entries.slice(head);
        head = 0;
      }
      const failures = await forEachBounded(due, parallelDeletions, async (entry) => {
        try {
          await unlessMissing(client.delete(events, entry.namespace, entry.name));
        } catch (error) {
          entries[--head] = entry;
          throw error;
        }
      });
      if (failures.length > 0) throw failures[0];
      const next = entries[head];
      return next ? { kind: "again", afterMs: Math.max(0, next.writtenMs + ttlMs - clock.now()) } : { kind: "done" };
    },
  };
}

function entryOf(stored: StoredObject): Entry {
  return { namespace: stored.key.namespace, name: stored.key.name, writtenMs: writtenAt(stored.object) };
}
