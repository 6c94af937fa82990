import type { ActorState, Host } from "../bench.ts";
import type { HeadCall, ListCall, ReadCall, Stretch } from "../history.ts";
import { cluster, pathOf, seen, seenEntry } from "../objects.ts";
import { begin, codeOf } from "./calls.ts";
import { keysOf } from "./writer.ts";

/** Reads one object as the API does: from the table, or from the mirror once it has caught up with the head. */
export async function read(host: Host, actor: ActorState): Promise<void> {
  const { random, store, mirror } = host;
  const key = random.pick(keysOf(host.scene.plan.keys));
  const way = mirror && random.chance(0.6) ? "mirror" : "latest";
  const { span, note, end } = begin(host, actor);
  const call: ReadCall = note({ ...span, kind: "read", way, path: pathOf(key), found: undefined, failed: undefined });
  try {
    if (way === "latest") {
      const [found] = await store.latest(cluster, [key]);
      await store.commit(cluster, []);
      call.found = found && seen(found);
    } else if (mirror) {
      const { revision } = await store.head(cluster);
      await mirror.reached(revision);
      const found = mirror.get(key, key.namespace, key.name);
      call.found = found && seen(found);
    }
  } catch (error) {
    call.failed = codeOf(error);
  }
  end(call);
}

export async function list(host: Host, actor: ActorState): Promise<void> {
  const { random, store } = host;
  const collection = random.pick([undefined, undefined, "configmaps", "apps/deployments"]);
  const { span, note, end } = begin(host, actor);
  const call: ListCall = note({ ...span, kind: "list", collection, revision: 0, objects: [], failed: undefined });
  try {
    const { revision, objects } = await store.snapshot(cluster, collection);
    call.revision = revision;
    call.objects = objects.map(seen);
  } catch (error) {
    call.failed = codeOf(error);
  }
  end(call);
}

export async function askHead(host: Host, actor: ActorState): Promise<void> {
  const { span, note, end } = begin(host, actor);
  const call: HeadCall = note({ ...span, kind: "head", revision: 0, floor: 0, failed: undefined });
  try {
    const { revision, floor } = await host.store.head(cluster);
    call.revision = revision;
    call.floor = floor;
  } catch (error) {
    call.failed = codeOf(error);
  }
  end(call);
}

/** Reads some of the log, page by page. */
export async function readLog(host: Host, actor: ActorState, from?: number): Promise<Stretch | undefined> {
  const { random, store, mirror, scene } = host;
  const after = from ?? random.below(Math.max(40, (mirror?.revision ?? 0) + 20));
  const { span, note, end } = begin(host, actor);
  const call: Stretch = note({
    ...span,
    kind: "stretch",
    way: "readLog",
    after,
    through: after,
    entries: [],
    slowestMs: 0,
    failed: undefined,
  });
  try {
    for (let pages = from === undefined ? 1 + random.below(4) : 1000; pages > 0; pages--) {
      const askedMs = scene.world.nowMs;
      const { entries, through } = await store.readLog(cluster, call.through, from === undefined ? 1 + random.below(8) : 50);
      call.slowestMs = Math.max(call.slowestMs, scene.world.nowMs - askedMs);
      call.entries.push(...entries.map(seenEntry));
      const ended = through <= call.through;
      call.through = Math.max(call.through, through);
      if (ended) break;
    }
  } catch (error) {
    call.failed = codeOf(error);
  }
  end(call);
  return call;
}

/** What the mirror shows now, without asking anybody, and what it says that was shown some revisions ago. */
export function look(host: Host, actor: ActorState): void {
  const { mirror, random } = host;
  if (!mirror) return;
  const at = random.chance(0.3) ? Math.max(1, mirror.revision - random.below(6)) : mirror.revision;
  const { span, note, end } = begin(host, actor);
  const resources = [...new Map(keysOf(host.scene.plan.keys).map((key) => [`${key.group}/${key.resource}`, key])).values()];
  const lists = resources.map((resource) => mirror.listAt(resource, undefined, at));
  if (lists.includes(undefined)) return;
  const objects = lists.flatMap((stored) => (stored ?? []).map(seen));
  end(note({ ...span, kind: "look", revision: mirror.revision, at, objects }));
}
