import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import type { LogEntry } from "../../shared/store/store.ts";
import { checkCounts, cluster, follow } from "./counted-writes.ts";
import { dynamoClient } from "./dynamodb-local.ts";
import type { WriterPlan } from "./killed-writer-process.ts";
import { type Death, deathPhases } from "./killing-table.ts";

interface Acknowledged {
  readonly name: string;
  readonly commit: string;
  readonly revision: number;
}

const writerCount = 8;
/** The others write large objects, where there are many keys. */
const smallWriters = 5;
const commitsAtLast = 4;
const longestStallMs = 2000;
/** Between the hole that a dead writer left and what lies beyond it: a look at the head, one at the log, the void, one more at the log. */
const requestsPastHole = 4;

/**
 * Eight processes count up one key or many; each is killed at some step of a commit and followed by another, until every step was the end of one. A commit of a small
 * object has two writing calls (the head, the transaction), of a large one three (its parts of the log first).
 */
export async function checkKilledWriters(options: { endpoint: string; table: string; keys: "one" | "many" }) {
  const { endpoint, table, keys } = options;
  const open = () =>
    new DynamoStore({
      table: new AwsTable(dynamoClient(endpoint), table),
      clock: systemClock,
      random: Math.random,
      makeId: randomUUID,
    });
  const readers = [open(), open()];
  const [reader] = readers;
  if (!reader) throw new Error("no reader");
  await reader.createCluster(cluster);
  const views = readers.map(follow);
  const watcher = watchStalls(reader, views);
  const acknowledged: Acknowledged[] = [];
  let killed = 0;

  const writer = async (index: number): Promise<void> => {
    const name = `w${index}`;
    const own = keys === "one" ? ["shared"] : [`${name}-a`, `${name}-b`, `${name}-c`];
    const large = keys === "many" && index >= smallWriters;
    const plan = { endpoint, table, keys: own, large };
    for (const [life, death] of endsOf(index, large).entries()) {
      const signal = await runWriter({ ...plan, name: `${name}.${life}`, commits: 3, death }, acknowledged);
      expect(signal, `${death.phase} call ${death.call}`).toBe("SIGKILL");
      killed++;
    }
    await runWriter({ ...plan, name: `${name}.last`, commits: commitsAtLast }, acknowledged);
  };
  await Promise.all(Array.from({ length: writerCount }, (_, index) => writer(index)));
  const log = await checkCounts(reader, views);
  const { longestMs, slowestRequestMs, stoodStillMs } = await watcher.stop();
  checkAcknowledged(log, acknowledged);
  // What the emulator itself takes, and how long this process had no turn, on a machine that does other things too, is not the reader's.
  expect(longestMs).toBeLessThan(longestStallMs + requestsPastHole * slowestRequestMs + stoodStillMs);
  for (const view of views) view.stop();
  await Promise.all(readers.map((each) => each.close()));
  return { killed, acknowledged: acknowledged.length, longestMs, slowestRequestMs, stoodStillMs };
}

/** Every phase of every writing call, as each writer's ends, one after the other. */
function endsOf(index: number, large: boolean): Death[] {
  const calls = large ? 3 : 2;
  const all = Array.from({ length: calls }, (_, call) => deathPhases.map((phase) => ({ call, phase }))).flat();
  const writers = large ? writerCount - smallWriters : smallWriters;
  return all.filter((_, at) => at % writers === index % writers);
}

function runWriter(plan: WriterPlan, acknowledged: Acknowledged[]): Promise<NodeJS.Signals | null> {
  const child = fork(new URL("./killed-writer-process.ts", import.meta.url), [JSON.stringify(plan)], { execArgv: [], stdio: "inherit" });
  child.on("message", (message) => acknowledged.push(message as Acknowledged));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0 || signal === "SIGKILL") resolve(signal);
      else reject(new Error(`a writer ended with ${signal ?? code}`));
    });
  });
}

function checkAcknowledged(log: readonly LogEntry[], acknowledged: readonly Acknowledged[]): void {
  const committed = log.map(({ revision, object }) => [object.metadata.annotations?.by, revision] as const);
  expect(new Set(committed.map(([by]) => by)).size).toBe(committed.length);
  const revisionOf = new Map(committed);
  expect(acknowledged.length).toBeGreaterThanOrEqual(writerCount * commitsAtLast);
  expect(acknowledged.filter(({ commit, revision }) => revisionOf.get(commit) !== revision)).toEqual([]);
}

/** How long a reader took at the longest to get to where the head was. */
function watchStalls(store: DynamoStore, views: readonly { through(): number }[]) {
  let longestMs = 0;
  let slowestRequestMs = 0;
  let stoodStillMs = 0;
  const lateness = createLateness();
  let running = true;
  /** When each head was seen, and how late timers had come by then in all. */
  const seen: { revision: number; atMs: number; lateMs: number }[] = [];
  const look = async (): Promise<void> => {
    while (running || seen.length > 0) {
      const askedMs = performance.now();
      const { revision } = await store.head(cluster);
      const atMs = performance.now();
      slowestRequestMs = Math.max(slowestRequestMs, atMs - askedMs);
      if (revision > (seen.at(-1)?.revision ?? 1)) seen.push({ revision, atMs, lateMs: lateness.inAll() });
      const slowest = Math.min(...views.map((view) => view.through()));
      for (let first = seen[0]; first; first = seen[0]) {
        const stallMs = performance.now() - first.atMs;
        if (stallMs > longestMs) {
          longestMs = stallMs;
          stoodStillMs = lateness.inAll() - first.lateMs;
        }
        if (first.revision > slowest) break;
        seen.shift();
      }
      await sleep(20);
    }
  };
  const looking = look();
  return {
    async stop() {
      running = false;
      await looking;
      lateness.stop();
      return { longestMs, slowestRequestMs, stoodStillMs };
    },
  };
}

/** How much later than asked for this process has had its turns since the beginning, in milliseconds. */
function createLateness() {
  const [everyMs, usualMs] = [50, 5];
  let lateMs = 0;
  let dueMs = performance.now() + everyMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - dueMs > usualMs) lateMs += nowMs - dueMs;
    dueMs = nowMs + everyMs;
  }, everyMs);
  return { inAll: () => lateMs, stop: () => clearInterval(timer) };
}
