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
    patches: one("shared/host/turner.ts", "await lease.discard();", ""),
  },
  {
    name: "dropped-without-voids",
    story: "a commit that was on its way when its cluster was dropped lands in what is left of it",
    patches: one("shared/store/dynamo/cluster-drop.ts", "await voidEmptyPlaces(parts, site, head);", ""),
  },
];
