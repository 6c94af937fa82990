import type { Clock } from "../../clock.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import { type LogEntry, type Operation, type RecordOperation, StoreError } from "../store.ts";
import { LazyEntry } from "../stored-entry.ts";
import { numberAt } from "./attributes.ts";
import { type ClusterFacts, noSuchCluster } from "./cluster-state.ts";
import { type HeadRow, nextMark } from "./head-item.ts";
import { collectionsKey, logKey } from "./keys.ts";
import { draftOf, type EntryDraft, type EntryStamp, expiryOf, fitsInline, isVoid, voidItem } from "./log-items.ts";
import type { ObjectTable } from "./object-table.ts";
import type { Payloads } from "./payload.ts";
import { failedRecord, transactionItems } from "./record-table.ts";
import { recordWrite } from "./record-writes.ts";
import type { RetryingTable } from "./retrying-table.ts";
import type { RevisionSource } from "./revision-source.ts";
import { type FailedCondition, type Item, isTableError, type TableError, type Write } from "./table.ts";

export const limits = { operations: 49, objectBytes: 1_572_864 } as const;
/** DynamoDB takes 4 MB in a transaction; keys and names need some room. */
const transactionBytes = 3_800_000;
const freshStarts = 6;
/**
 * Revisions that a writer was handed longer ago are not used any more: a process that was stopped in between must not put a commit below what readers
 * take for settled (`overlapMs` of snapshots).
 */
const longestCommitMs = 3000;
/** Places that a writer was handed longer ago are no longer its to void: its entries may have come, and gone by their TTL. */
const longestClaimMs = 10 * 60_000;
const rounds = 12;

export interface CommitterParts {
  readonly table: RetryingTable;
  readonly objects: ObjectTable;
  readonly payloads: Payloads;
  readonly clock: Clock;
  readonly makeId: () => string;
  readonly ttlSeconds: number;
}

/** What the cluster's readers in this process are told: entries, and revisions that hold none. */
export interface CommitNews {
  landed(entries: readonly LogEntry[]): void;
  void(first: number, span: number): void;
}

interface Commit {
  readonly facts: ClusterFacts;
  readonly operations: readonly Operation[];
  readonly records: readonly RecordOperation[];
  /** Names the commit in its log entries, whatever happens to the answers. */
  readonly id: string;
  /** How many parts each object's state before has: a guess until a condition says otherwise. */
  readonly parts: number[];
  /** Records that an `add` has to make. */
  readonly absent: Set<number>;
  /** A transaction of it went unanswered: the table may execute it later yet. */
  unanswered: boolean;
}

type Outcome =
  | { readonly kind: "landed" }
  /** Conditions of objects or records that do not hold. */
  | { readonly kind: "conflict"; readonly index: number; readonly message: string }
  /** A reader took the writer for dead and filled a place, or would have. */
  | { readonly kind: "overtaken" }
  /** Nobody knows yet whether it landed. */
  | { readonly kind: "failed"; readonly error: unknown };

/** Writes commits: revisions from the head, then one transaction of objects, log entries and records. */
export class Committer {
  readonly #parts: CommitterParts;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  /** @throws StoreError `RevisionConflict`, `TooLarge`, `TooManyOperations`, `Unavailable`; TableError */
  async commit(
    facts: ClusterFacts,
    revisions: RevisionSource,
    operations: readonly Operation[],
    records: readonly RecordOperation[],
    news: CommitNews,
  ): Promise<LogEntry[]> {
    const id = this.#parts.makeId();
    const commit: Commit = { facts, operations, records, id, parts: operations.map(() => 0), absent: new Set(), unanswered: false };
    for (let start = 0; start < freshStarts; start++) {
      const askedAtMs = this.#parts.clock.now();
      const isYoung = (): boolean => this.#parts.clock.now() - askedAtMs < longestCommitMs;
      const [{ first, head }] = await Promise.all([revisions.take(operations.length), this.#nameCollections(facts, operations)]);
      // Made again under its name since it was opened here: the next call opens it again.
      if (head.incarnation !== facts.incarnation) throw noSuchCluster(facts.scope);
      if (await this.#mark(facts, head)) {
        await this.#giveBack(commit, first, askedAtMs, news);
        continue;
      }
      const entries = operations.map((operation, index) => entryOf(operation, first + index));
      const outcome = await this.#attempt(commit, first, entries, isYoung).catch((error: unknown): Outcome => ({ kind: "failed", error }));
      const place = outcome.kind === "landed" ? "landed" : await this.#giveBack(commit, first, askedAtMs, news);
      if (place === "landed") {
        news.landed(entries);
        return entries;
      }
      if (outcome.kind === "failed") throw outcome.error;
      if (outcome.kind === "conflict" && place === "unknown" && commit.unanswered)
        throw new StoreError("Unavailable", "a request went unanswered: nobody knows whether it will be executed");
      if (outcome.kind === "conflict") throw new StoreError("RevisionConflict", outcome.message, { index: outcome.index });
    }
    throw new StoreError("Unavailable", "slower than readers wait for a writer");
  }

  async #attempt(commit: Commit, first: number, entries: readonly LogEntry[], isYoung: () => boolean): Promise<Outcome> {
    // Each further round knows more of the parts and the absent records.
    for (let round = 0; round < rounds; round++) {
      const { writes, owner } = await this.#prepare(commit, entries);
      if (!isYoung()) return { kind: "overtaken" };
      try {
        await this.#parts.table.writeTogether(writes, this.#parts.makeId(), isYoung);
        return { kind: "landed" };
      } catch (error) {
        if (!isTableError(error, "ConditionFailed")) throw error;
        commit.unanswered ||= error.ambiguous;
        const outcome = await this.#judge(commit, first, error, owner);
        if (outcome) return outcome;
      }
    }
    throw new StoreError("Unavailable", "the objects or records change faster than they can be written");
  }

  /** What failed conditions mean; `undefined`: try again with the same revisions and what was learnt. */
  async #judge(commit: Commit, first: number, error: TableError, owner: readonly Owner[]): Promise<Outcome | undefined> {
    const place = error.failed.find(({ index }) => owner[index]?.kind === "place");
    const found = place ? place.found : error.ambiguous ? await this.#parts.table.get(logKey(commit.facts.log, first)) : undefined;
    if (isEntryOf(commit, found)) return { kind: "landed" };
    return this.#conflictOf(commit, error.failed, owner) ?? (place || found ? { kind: "overtaken" } : undefined);
  }

  #conflictOf(commit: Commit, failed: readonly FailedCondition[], owner: readonly Owner[]): Outcome | undefined {
    const { operations, records } = commit;
    let learnt = false;
    for (const { index: at, found } of failed) {
      const of = owner[at];
      if (of?.kind !== "object") continue;
      const expected = operations[of.index]?.expected;
      const parts = numberAt(found, "parts");
      if (!found || found.deleted === true || numberAt(found, "revision") !== expected || parts === commit.parts[of.index])
        return { kind: "conflict", index: of.index, message: "the object has been modified" };
      commit.parts[of.index] = parts;
      learnt = true;
    }
    const ofRecords = failed.filter(({ index }) => owner[index]?.kind === "record");
    if (ofRecords.length === 0) return undefined;
    const offset = owner.findIndex(({ kind }) => kind === "record");
    const index = failedRecord(records, ofRecords, offset, commit.absent);
    return index === undefined || learnt
      ? undefined
      : { kind: "conflict", index: operations.length + index, message: "the record has been modified" };
  }

  async #prepare(commit: Commit, entries: readonly LogEntry[]): Promise<{ writes: Write[]; owner: Owner[] }> {
    const { facts, operations, records } = commit;
    const stamp = this.#stamp(commit);
    const writes: Write[] = [];
    const owner: Owner[] = [];
    const add = (write: Write, by: Owner): void => {
      writes.push(write);
      owner.push(by);
    };
    for (const [index, operation] of operations.entries()) {
      const entry = entries[index];
      if (!entry) continue;
      const [state, ...others] = this.#parts.objects.writesOf(
        facts.scope,
        entry,
        operation.expected,
        commit.parts[index] ?? 0,
        expiryOf(stamp),
      );
      if (state) add(state, { kind: "object", index });
      for (const write of others) add(write, { kind: "part" });
    }
    const drafts = entries.map((entry) => draftOf(facts, this.#parts.payloads, entry, stamp));
    const items = await this.#place(
      drafts,
      writes.reduce((sum, write) => sum + bytesOf(write), 0),
    );
    for (const item of items) add({ kind: "put", item, when: { is: "absent" } }, { kind: "place" });
    for (const [index, record] of records.entries()) add(recordWrite(record, commit.absent.has(index)), { kind: "record" });
    if (writes.length > transactionItems) throw new StoreError("TooManyOperations", `${writes.length} items in one transaction`);
    return { writes, owner };
  }

  /** Log items that fit into the transaction beside `taken` bytes; what does not goes to parts, which are written at once. */
  async #place(drafts: readonly EntryDraft[], taken: number): Promise<Item[]> {
    let bytes = taken + drafts.reduce((sum, draft) => sum + draft.payloadBytes, 0);
    const spilled = new Set<EntryDraft>();
    for (const draft of [...drafts].sort((a, b) => b.payloadBytes - a.payloadBytes)) {
      if (bytes <= transactionBytes && fitsInline(draft)) break;
      spilled.add(draft);
      bytes -= draft.payloadBytes;
    }
    if (bytes > transactionBytes) throw new StoreError("TooLarge", `${bytes} bytes in one transaction: the limit is ${transactionBytes}`);
    const parts: Item[] = [];
    const items = drafts.map((draft) => {
      if (!spilled.has(draft)) return draft.item;
      const outside = draft.spilled();
      parts.push(...outside.parts);
      return outside.item;
    });
    if (parts.length > 0) await this.#parts.table.writeMany(parts.map((item) => ({ kind: "put", item })));
    return items;
  }

  /**
   * Voids the places of a transaction that is not known to have landed: from then on it never will, and no reader waits for it. What cannot be
   * voided now is filled by readers.
   */
  async #giveBack(commit: Commit, first: number, askedAtMs: number, news: CommitNews): Promise<"landed" | "void" | "unknown"> {
    const count = commit.operations.length;
    const isOurs = (): boolean => this.#parts.clock.now() - askedAtMs < longestClaimMs;
    if (!isOurs()) return "unknown";
    try {
      const found = await this.#claim(commit, first, count, askedAtMs);
      if (isEntryOf(commit, found)) return "landed";
      if (found) await Promise.all(Array.from({ length: count - 1 }, (_, index) => this.#claim(commit, first + 1 + index, 1, askedAtMs)));
      if (!isOurs()) return "unknown";
      news.void(first, count);
      return "void";
    } catch (error) {
      if (!isTableError(error)) throw error;
      return "unknown";
    }
  }

  /** Takes a place (and the `span` - 1 after it) as void; answers what lies there instead. */
  async #claim(commit: Commit, revision: number, span: number, askedAtMs: number): Promise<Item | undefined> {
    const stamp = { commit: commit.id, nowMs: askedAtMs, ttlSeconds: this.#parts.ttlSeconds };
    try {
      await this.#parts.table.write({
        kind: "put",
        item: voidItem(commit.facts, revision, span, stamp),
        when: { is: "absent" },
      });
      return undefined;
    } catch (error) {
      if (!isTableError(error, "ConditionFailed")) throw error;
      const found = error.failed[0]?.found;
      return found && isVoid(found) && found.commit === commit.id ? undefined : found;
    }
  }

  /** Whoever reads a whole cluster has to know where its objects lie: a collection is named before it has any. */
  async #nameCollections(facts: ClusterFacts, operations: readonly Operation[]): Promise<void> {
    const unknown = [...new Set(operations.map(({ key }) => collectionOf(key)))].filter((name) => !facts.collections.has(name));
    if (unknown.length === 0) return;
    const update = { join: { names: unknown } };
    try {
      await this.#parts.table.write({ kind: "update", key: collectionsKey(facts.scope), update, when: { is: "present" } });
    } catch (error) {
      throw isTableError(error, "ConditionFailed") ? noSuchCluster(facts.scope) : error;
    }
    for (const name of unknown) facts.collections.add(name);
  }

  /** Whether a mark was due: then revisions from before it are not to be used. */
  async #mark(facts: ClusterFacts, head: HeadRow): Promise<boolean> {
    const mark = nextMark(facts.scope, head, this.#parts.clock.now(), this.#parts.ttlSeconds);
    if (!mark) return false;
    try {
      await this.#parts.table.write(mark);
    } catch (error) {
      // Another writer was first.
      if (!isTableError(error, "ConditionFailed")) throw error;
    }
    return true;
  }

  #stamp(commit: Commit): EntryStamp {
    return { commit: commit.id, nowMs: this.#parts.clock.now(), ttlSeconds: this.#parts.ttlSeconds };
  }
}

const isEntryOf = (commit: Commit, item: Item | undefined): boolean => item !== undefined && item.commit === commit.id && !isVoid(item);

/** What a write of the transaction belongs to. */
type Owner = { readonly kind: "object"; readonly index: number } | { readonly kind: "part" | "place" | "record" };

const bytesOf = (write: Write): number =>
  write.kind === "put"
    ? Object.values(write.item).reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.length : 40), 0)
    : 100;

function entryOf(operation: Operation, revision: number): LogEntry {
  const { key, object } = operation;
  object.metadata.resourceVersion = String(revision);
  const bytes = Buffer.from(JSON.stringify(object));
  if (operation.kind === "delete") return new LazyEntry("DELETED", undefined, key, revision, bytes, object);
  return new LazyEntry(operation.expected === 0 ? "ADDED" : "MODIFIED", operation.previous, key, revision, bytes, object);
}
