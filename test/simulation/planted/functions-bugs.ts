import type { PlantedBug } from "./bugs.ts";
import type { Patch } from "./patches.ts";

const one = (file: string, from: string, to: string): readonly Patch[] => [{ file, from, to }];

/** What the functions, the cluster API's watches, metering, agents and the deletion of clusters may get wrong. */
export const functionsBugs: readonly PlantedBug[] = [
  {
    name: "usage-written-twice",
    story: "what was written of usage is counted again with what comes next",
    patches: one("shared/metering/meter.ts", "const taken = rows;\n      rows = new Map();", "const taken = rows;"),
  },
  {
    name: "api-watch-from-now",
    story: "a watch that is resumed begins with what comes next",
    patches: one("shared/api/watch.ts", "deliver(mirror.changesAfter(resource, seen));", ""),
  },
  {
    name: "api-watch-without-the-log",
    story: "a watch that is resumed on a server that has just begun misses what happened before that",
    patches: one("shared/api/watch.ts", "wanted < cluster.mirror.historyStart ? await readMissed(cluster, wanted) : []", "[]"),
  },
  {
    name: "pods-of-other-nodes",
    story: "an agent is told of the pods of all nodes",
    patches: one("shared/api/agent/cluster-feed.ts", "view.podsOnNode(nodeName)", 'view.list({ group: "", resource: "pods" }, undefined)'),
  },
  {
    name: "status-not-sent-again",
    story: "a status whose report failed is forgotten",
    patches: one(
      "agent/agent.ts",
      "for (const entry of batch.statuses) if ((uids?.has(entry.uid) ?? true) && !statuses.has(entry.uid)) statuses.set(entry.uid, entry);",
      "",
    ),
  },
  {
    name: "lease-left-behind",
    story: "a wake-up that comes after a cluster's end leaves the lease that it took (found by this suite)",
    patches: [
      ...one("shared/host/loop-lease.ts", 'if (!found && exists && !(await exists(ref))) return { kind: "gone" };', ""),
      ...one("shared/host/turner.ts", "await lease.discard();", ""),
    ],
  },
  {
    name: "dropped-without-voids",
    story: "a commit that was on its way when its cluster was dropped lands in what is left of it",
    patches: one("shared/store/dynamo/cluster-drop.ts", "await voidEmptyPlaces(parts, site, head);", ""),
  },
  {
    name: "orphans-run-on",
    story: "what was deleted while its agent was away runs on",
    patches: one("agent/agent.ts", "if (news.full) await endOrphans(news.id, state);", ""),
  },
  {
    name: "busy-holder-not-told",
    story: "a wake-up that meets another holder of the loops' lease is lost: nobody looks again",
    patches: [
      ...one(
        "shared/host/loop-lease.ts",
        'await store.writeRecords([{ ...keyOf(ref), kind: "add", add: { wakes: 1 }, atMost: { free: -1, token: last.token } }]);',
        "",
      ),
      ...one("shared/host/loop-lease.ts", "await lookAgain(ref, last.expiresAtMs);", ""),
    ],
  },
  {
    name: "stream-batch-not-compared",
    story: "how far a batch of the stream goes is not looked at: a cluster that was turned once is taken for done",
    patches: one("functions/on-change.ts", "({ ...each, failures: 0,", "({ ...each, revision: 1, failures: 0,"),
  },
  {
    name: "stream-batch-by-its-first-record",
    story: "a batch of the stream is taken to go as far as its first record of a cluster does",
    patches: one("functions/stream-records.ts", "revision: Math.max(known.revision, revision)", "revision: known.revision"),
  },
  {
    name: "stream-batch-ends-at-a-poisoned-record",
    story: "what follows a record that nobody can read is dropped with it",
    patches: one("functions/stream-records.ts", "} else unreadable++;", "} else if (++unreadable) break;"),
  },
  {
    name: "stream-batch-taken-as-state",
    story:
      "a process that has the cluster in memory takes what a batch of the stream holds for all that has happened since, and reads no log",
    patches: [
      ...one(
        "functions/stream-records.ts",
        'import { z } from "zod";',
        `import { z } from "zod";
         import { fromItem } from "../shared/store/dynamo/expressions.ts";
         import { objectOfEntry, revisionOf } from "../shared/store/dynamo/log-items.ts";
         import { createPayloads } from "../shared/store/dynamo/payload.ts";
         import { LazyEntry } from "../shared/store/stored-entry.ts";
         const entryIn = (image) => {
           const item = fromItem(image);
           const key = objectOfEntry(item);
           return new LazyEntry(item.type, undefined, key, revisionOf(item), createPayloads().decode("", key, item.body));
         };`,
      ),
      ...one(
        "functions/stream-records.ts",
        "sk: z.object({ S: z.string() }) }),",
        "sk: z.object({ S: z.string() }) }), NewImage: z.any(),",
      ),
      ...one(
        "functions/stream-records.ts",
        "clusters.set(scopeOf(ref), known ?",
        `const image = data.dynamodb.NewImage;
         const held = [...(known?.held ?? []), ...(image.body ? [entryIn(image)] : [])];
         clusters.set(scopeOf(ref), { held, ...(known ?`,
      ),
      ...one("functions/stream-records.ts", ": { ref, revision, sequenceNumber });", ": { ref, revision, sequenceNumber }) });"),
      ...one("shared/host/turn-many.ts", "turner.turn(ref, revision, untilMs)", "turner.turn(ref, revision, untilMs, each.held)"),
      ...one(
        "shared/host/turner.ts",
        "turn: (ref, revision, untilMs) => inTurn(ref, () => turn(ref, revision, untilMs)),",
        `turn: (ref, revision, untilMs, held = []) =>
           inTurn(ref, () => {
             clusters.get(scopeOf(ref))?.runtime.cluster.mirror.take(held);
             return turn(ref, revision, untilMs);
           }),`,
      ),
      ...one(
        "shared/store/mirror.ts",
        "  close(): void {",
        "  take(entries) {\n    this.#apply(entries, entries.at(-1)?.revision ?? 0);\n  }\n\n  close(): void {",
      ),
    ],
  },
  {
    name: "turn-done-too-far",
    story: "a turn says that it did what came after its loops had come to rest (found by this suite)",
    patches: [
      ...one(
        "shared/host/turner.ts",
        "const outcome = await lease.release(doneRevision, notes);",
        'const outcome = await lease.release(kind === "late" ? doneRevision : cluster.mirror.revision, notes);',
      ),
      ...one(
        "shared/host/turner.ts",
        "doneRevisions.set(scopeOf(ref), doneRevision);",
        "doneRevisions.set(scopeOf(ref), cluster.mirror.revision);",
      ),
    ],
  },
  {
    name: "day-summed-up-twice",
    story: "whoever sums a day up adds to what another one had begun to write of it",
    patches: [
      ...one(
        "shared/metering/usage-days.ts",
        'kind: "put",\n        expected: undefined,\n        value: { ...sum.amounts },',
        'kind: "add",\n        add: { ...sum.amounts },',
      ),
    ],
  },
  {
    name: "pods-metered-by-all",
    story: "each function that has the cluster in memory meters its pods",
    patches: one("functions/on-change.ts", "tally: false", "tally: true"),
  },
  {
    name: "deleted-clusters-metered",
    story: "what the schedule has in memory of a cluster is metered after the cluster was deleted (found by this suite)",
    patches: one(
      "functions/schedule.ts",
      "if (turning.tallies) await turner.keepOnly([...silenced, ...others].map(({ ref }) => ref));",
      "",
    ),
  },
];
