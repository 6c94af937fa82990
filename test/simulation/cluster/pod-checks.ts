import type { Violation } from "../history.ts";
import { podMillis } from "./people.ts";
import type { FencedCommit } from "./server.ts";

/** A change of a pod, as the log has it. */
export interface PodChange {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly ended: boolean;
}

/**
 * A pod is bound once and never moves; what is bound to a machine fits it at every moment. `changes` come in the order in which the table decided them: that
 * is the log's for each pod, but a binding may lie in the log just below the end of another pod whose room it takes.
 */
export function* checkPods(changes: readonly PodChange[], room: number): Generator<Violation> {
  const bound = new Map<string, string>();
  const lying = new Map<string, Set<string>>();
  for (const { revision, type, name, uid, node, ended } of changes) {
    const before = bound.get(uid);
    if (before !== undefined && node !== before)
      yield { rule: "a pod is bound once", story: `${name} (${uid}) was on ${before} and at ${revision} is on ${node || "none"}` };
    if (node === "") continue;
    bound.set(uid, node);
    const here = lying.get(node) ?? new Set();
    lying.set(node, here);
    if (type === "DELETED" || ended) here.delete(uid);
    else here.add(uid);
    if (here.size > room)
      yield {
        rule: "a machine is never over-committed",
        story: `${node} has room for ${room} and holds ${here.size} at ${revision}, with ${name}`,
      };
  }
}

/** What is counted as committed on a machine is what lies there. */
export function* checkClaims(changes: readonly PodChange[], committed: ReadonlyMap<string, number>): Generator<Violation> {
  const live = new Map<string, PodChange>();
  for (const change of [...changes].sort((a, b) => a.revision - b.revision)) {
    if (change.type === "DELETED" || change.ended) live.delete(change.uid);
    else live.set(change.uid, change);
  }
  const counted = Map.groupBy(live.values(), ({ node }) => node);
  for (const [node, cpu] of committed) {
    const right = (counted.get(node)?.length ?? 0) * podMillis;
    if (cpu !== right) yield { rule: "usage is counted once", story: `${node}: ${cpu} are counted as committed, ${right} are` };
  }
}

/** Who has the loops' lease acts alone: once a token acted, no older one does, and no two processes act under one. */
export function* checkFences(commits: readonly FencedCommit[]): Generator<Violation> {
  const holders = new Map<number, string>();
  let newest: FencedCommit | undefined;
  for (const commit of [...commits].sort((a, b) => a.revision - b.revision)) {
    const holder = holders.get(commit.token) ?? commit.process;
    holders.set(commit.token, holder);
    const story = `${commit.process} wrote revision ${commit.revision} under token ${commit.token}`;
    if (holder !== commit.process) yield { rule: "one holder acts under a token", story: `${story}, which was ${holder}'s` };
    if (newest && commit.token < newest.token)
      yield {
        rule: "no holder acts after the next one",
        story: `${story}, after ${newest.process} wrote ${newest.revision} under ${newest.token}`,
      };
    if (!newest || commit.token >= newest.token) newest = commit;
  }
}
