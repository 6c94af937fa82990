import { functionsBugs } from "./functions-bugs.ts";
import type { Patch } from "./patches.ts";

/** A bug that somebody made once, or could make, as a change of the product's text. Tests alone load it. */
export interface PlantedBug {
  readonly name: string;
  /** What it is, and who had it. */
  readonly story: string;
  readonly patches: readonly Patch[];
}

const dynamo = (file: string, from: string, to: string): Patch => ({ file: `shared/store/dynamo/${file}`, from, to });

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "holes-never-filled",
    story: "a reader waits for a dead writer for ever (kine #754)",
    patches: [dynamo("log-reader.ts", "now - sinceMs >= this.#timings.fillAfterMs", "now < sinceMs")],
  },
  {
    name: "fill-overwrites-writer",
    story: "a reader's fill takes the place of a slow writer's entry (kine #226)",
    patches: [
      dynamo(
        "log-reader.ts",
        'item: voidItem(this.site, revision, 1, stamp), when: { is: "absent" } });',
        "item: voidItem(this.site, revision, 1, stamp) });",
      ),
    ],
  },
  {
    name: "void-without-condition",
    story: "a writer that lost an answer voids its places whether or not its commit landed",
    patches: [
      dynamo("committer.ts", '        when: { is: "absent" },\n      });\n      return undefined;', "      });\n      return undefined;"),
    ],
  },
  {
    name: "list-without-overlay",
    story: "a list is what the query showed (the DynamoDB fork of spyrospav/kubernetes)",
    patches: [dynamo("snapshots.ts", "for (let at = start; at < head.revision; )", "for (let at = head.revision; at < head.revision; )")],
  },
  {
    name: "compaction-by-ttl",
    story: "what TTL has deleted is taken for never written",
    patches: [dynamo("log-reader.ts", "const certain = certainFrom(head, now, this.#timings.ttlSeconds);", "const certain = -1;")],
  },
  {
    name: "watch-resumed-one-too-high",
    story: "the first event after a reconnect is lost",
    patches: [dynamo("tail.ts", "{ position: after, stopped: false", "{ position: after + 1, stopped: false")],
  },
  {
    name: "commit-order-is-not-revision-order",
    story: "a process shows its own commits before those of others below them (kine #676)",
    patches: [
      dynamo(
        "tail.ts",
        "    while (this.#own.has(through + 1)) {",
        "    while (this.#own.size > 0) {\n      through = Math.min(...this.#own.keys()) - 1;",
      ),
    ],
  },
  {
    name: "own-entries-twice",
    story: "what a process wrote itself and then reads again is told again",
    patches: [
      dynamo("tail.ts", "if (follower.stopped || through <= follower.position) return;", "if (follower.stopped) return;"),
      dynamo("tail.ts", "entries : entries.filter((entry) => entry.revision > from), through", "entries : entries, through"),
      dynamo(
        "tail.ts",
        "if (through <= this.#position || from > this.#position) return;",
        "if (entries.length === 0 && through <= this.#position) return;",
      ),
    ],
  },
  {
    name: "condition-dropped-on-retry",
    story: "a transaction is tried again without its conditions",
    patches: [
      dynamo(
        "retrying-table.ts",
        "return this.#retry(() => this.#table.writeTogether(writes, token), isWanted);",
        "let tries = 0;\n    return this.#retry(() => this.#table.writeTogether(tries++ ? writes.map((write) => ({ ...write, when: undefined })) : writes, token), isWanted);",
      ),
    ],
  },
  {
    name: "fresh-token-on-retry",
    story: "a transaction is tried again as another one, and is done twice",
    patches: [
      dynamo(
        "retrying-table.ts",
        "return this.#retry(() => this.#table.writeTogether(writes, token), isWanted);",
        "let tries = 0;\n    return this.#retry(() => this.#table.writeTogether(writes, token + tries++), isWanted);",
      ),
    ],
  },
  {
    name: "lost-answer-tried-again",
    story: "a commit that landed, whose answer was lost, is made again under fresh revisions, and then refused because of itself",
    patches: [
      dynamo("committer.ts", 'if (isEntryOf(commit, found)) return "landed";', ""),
      dynamo("committer.ts", 'if (outcome.kind === "failed") throw outcome.error;', 'if (outcome.kind === "failed") continue;'),
    ],
  },
  {
    name: "stale-head",
    story: "the head is read eventually consistent: what it was somewhat earlier",
    patches: [
      dynamo(
        "dynamo-store.ts",
        "    const head = await readHead(this.#table, facts.scope);\n",
        "    const held = heads.get(facts);\n    const fresh = await readHead(this.#table, facts.scope);\n    const now = this.#clock.now();\n    if (!held || now - held.now > 300) heads.set(facts, { now, head: fresh });\n    const head = heads.get(facts)?.head ?? fresh;\n",
      ),
      dynamo("dynamo-store.ts", "const mostSeen = 10_000;", "const heads = new Map();\nconst mostSeen = 10_000;"),
    ],
  },
  {
    name: "one-hole-at-a-time",
    story: "a reader begins to wait for the second dead writer when it is done with the first (found by this suite)",
    patches: [
      dynamo(
        "log-reader.ts",
        "while (at < revisionOf(item)) gaps.push(at++);",
        "while (at < revisionOf(item) && gaps.length === 0) gaps.push(at++);",
      ),
      dynamo(
        "log-reader.ts",
        "while (end !== undefined && at <= end) gaps.push(at++);",
        "while (end !== undefined && at <= end && gaps.length === 0) gaps.push(at++);",
      ),
    ],
  },
  {
    name: "empty-places-forgotten",
    story: "two readers at different places make each other's waiting begin anew, for ever (found by this suite)",
    patches: [
      dynamo(
        "log-reader.ts",
        "if (revision > after && revision < until && !empty.has(revision)) this.#empty",
        "if (!empty.has(revision)) this.#empty",
      ),
    ],
  },
  {
    name: "parts-of-another-state",
    story: "a large object is put together from parts of two of its states",
    patches: [dynamo("object-table.ts", 'numberAt(part, "revision") === revision ?', "part ?")],
  },
  {
    name: "mirror-skips-voids",
    story: "a mirror does not move on over revisions that hold nothing, and reads wait for ever",
    patches: [
      {
        file: "shared/store/mirror.ts",
        from: "this.#revision = Math.max(this.#revision, through);",
        to: "this.#revision = Math.max(this.#revision, entries.at(-1)?.revision ?? 0);",
      },
    ],
  },
  {
    name: "create-below-a-deletion",
    story: "a slow create lands under a revision older than the deletion of its key (found by this suite)",
    patches: [dynamo("object-table.ts", '        { is: "atMost", path: ["revision"], value: revision },\n', "")],
  },
  {
    name: "limit-not-checked",
    story: "an addition to a record forgets its upper bound: a node is over-committed",
    patches: [
      dynamo(
        "record-writes.ts",
        'return limit < 0 ? bound : { is: "any", of: [{ is: "unset", path: ["numbers", field] }, bound] };',
        'return { is: "any", of: [{ is: "present" }, bound] };',
      ),
    ],
  },
  {
    name: "acknowledged-before-sync",
    story: "a commit is acknowledged when LMDB shows it, not when it is on the disk",
    patches: [{ file: "shared/store/lmdb/group-commit.ts", from: "isLinked && synced", to: "isLinked" }],
  },
  {
    name: "shown-though-lost",
    story: "what a full disk refused is still taken for written",
    patches: [{ file: "shared/store/lmdb/lmdb-store.ts", from: "      state.pending.clear();\n", to: "" }],
  },
  {
    name: "last-entry-not-read",
    story: "a follower that catches up from the disk does not get the newest entry",
    patches: [
      {
        file: "shared/store/lmdb/cluster-tables.ts",
        from: "end: [state.scope, state.durable + 1], limit",
        to: "end: [state.scope, state.durable], limit",
      },
    ],
  },
  {
    name: "lease-without-token",
    story: "commits of the loops are not conditional on the lease's token (Jepsen on etcd 3.4.3's locks)",
    patches: [{ file: "shared/host/fenced-store.ts", from: "atMost: { token: fence.token } }", to: "atMost: {} }" }],
  },
  {
    name: "released-twice",
    story: "a pod that has ended gives its room back again when it is deleted",
    patches: [
      {
        file: "shared/api/companions/node-claims.ts",
        from: 'if (nodeName === "" || hasEnded(before)) return none;',
        to: 'if (nodeName === "") return none;',
      },
    ],
  },
  {
    name: "claim-without-limit",
    story: "a binding adds to what is committed on a machine whether or not it fits",
    patches: [
      {
        file: "shared/api/companions/node-claims.ts",
        from: 'return { kind: "add", ...claimKey(cluster, name, node), add, atMost };',
        to: 'return { kind: "add", ...claimKey(cluster, name, node), add };',
      },
    ],
  },
  {
    name: "bound-over-another",
    story: "a scheduler that is behind binds a pod that is bound already",
    patches: [
      {
        file: "shared/api/binding.ts",
        from: 'return (pod.spec?.nodeName ?? "") === "" && (pod.spec?.schedulingGates',
        to: "return (pod.spec?.schedulingGates",
      },
    ],
  },
  ...functionsBugs,
];
