import { type Clock, sleep } from "../../clock.ts";
import { firstRevision } from "../cluster-base.ts";
import { type LogEntry, StoreError } from "../store.ts";
import { limits } from "./committer.ts";
import { certainFrom, type HeadRow, isYoungVoid } from "./head-item.ts";
import { logPartition, logSort, partitionOfRevision, revisionsPerPartition } from "./keys.ts";
import { isVoid, type LogSite, placeOf, revisionOf, spanOf, voidItem } from "./log-items.ts";
import type { Payloads } from "./payload.ts";
import { type Item, isTableError, type Table } from "./table.ts";

export interface LogTimings {
  /** A place that stays empty for longer is filled as void; a writer that comes later takes fresh revisions. */
  readonly fillAfterMs: number;
  /** Between two looks at an empty place. */
  readonly lookAgainMs: number;
  readonly ttlSeconds: number;
}

export interface LogPage {
  readonly entries: LogEntry[];
  /** Complete up to here. */
  readonly through: number;
  /** The next place is empty: on its way, or its writer died. */
  readonly waiting: boolean;
  /** When the oldest entry was written, by its writer's clock. */
  readonly oldestAtMs: number | undefined;
}

const fillsAtOnce = 16;
const mostVoids = 200;
/** Nobody waits so long at an empty place below the floor. */
const forgetMs = 60_000;
/** So many places beyond its page a reader looks at while it waits, … */
const aheadPlaces = 4096;
/** … so many at once. */
const aheadAtOnce = 1000;

/**
 * Reads one incarnation of a cluster's log. Places are handed out before they are written, so a reader goes up to the first empty one. It remembers
 * since when it has seen a place empty, and fills those that stay so: conditionally, so either the writer or the void has the place, for ever.
 */
export class LogReader {
  readonly site: LogSite;
  readonly #table: Table;
  readonly #payloads: Payloads;
  readonly #clock: Clock;
  readonly #timings: LogTimings;
  /** Empty places and when this process first saw them so. */
  readonly #empty = new Map<number, number>();
  /**
   * Voids of several places that this process has read: the first place, and the one after the last. Who begins in the middle of one sees nothing there,
   * while all who come from below keep calling it settled.
   */
  readonly #voids = new Map<number, number>();

  constructor(site: LogSite, table: Table, payloads: Payloads, clock: Clock, timings: LogTimings) {
    this.site = site;
    this.#table = table;
    this.#payloads = payloads;
    this.#clock = clock;
    this.#timings = timings;
  }

  /** Entries in (after, head.revision] up to the first empty place, at most `limit`. @throws StoreError `Compacted` */
  async read(head: HeadRow, after: number, limit: number): Promise<LogPage> {
    if (after < head.floor) throw new StoreError("Compacted", `revision ${after} is below the floor ${head.floor}`);
    const entries: LogEntry[] = [];
    let oldestAtMs: number | undefined;
    let next = Math.max(after, firstRevision) + 1;
    while (next <= head.revision && entries.length < limit) {
      const partition = partitionOfRevision(next);
      const range = { from: logSort(next), to: logSort(head.revision), limit: limit - entries.length };
      const { items, more } = await this.#table.query(logPartition(this.site.log, partition), range);
      const whole = contiguous(items, next);
      const places = await Promise.all(whole.map((item) => placeOf(this.site, this.#payloads, this.#table, item)));
      for (const item of items) this.#remember(item);
      for (const [index, place] of places.entries()) {
        if (place.kind === "void") this.#refuseDoubtful(head, next, place.atMs);
        next = Math.max(next, afterItem(whole[index]));
        if (place.kind === "void") continue;
        entries.push(place.entry);
        oldestAtMs ??= place.atMs;
      }
      const end = Math.min(head.revision, (partition + 1) * revisionsPerPartition - 1);
      const beyond = items.slice(whole.length);
      if (beyond.length === 0 && (more || next > end)) continue;
      const voidEnd = whole.length === 0 ? this.#endOfVoidAround(next) : undefined;
      if (voidEnd !== undefined) {
        next = voidEnd;
        continue;
      }
      const seenUntil = more ? afterItem(beyond.at(-1)) : Math.max(end + 1, afterItem(beyond.at(-1)));
      const gaps = gapsOf(beyond, next, more ? undefined : end);
      this.#notice(after, await this.#lookAhead(head, seenUntil, gaps), gaps);
      return { entries, through: next - 1, waiting: true, oldestAtMs };
    }
    this.#notice(after, next, []);
    return { entries, through: Math.max(after, next - 1), waiting: false, oldestAtMs };
  }

  /** What is empty beyond the page of a reader that waits is waited for at the same time. Adds the gaps; answers up to where it has seen. */
  async #lookAhead(head: HeadRow, from: number, gaps: number[]): Promise<number> {
    const last = Math.min(head.revision, from + aheadPlaces);
    let next = from;
    while (next <= last) {
      const partition = partitionOfRevision(next);
      const end = Math.min(last, (partition + 1) * revisionsPerPartition - 1);
      const range = { from: logSort(next), to: logSort(end), limit: aheadAtOnce };
      const { items, more } = await this.#table.query(logPartition(this.site.log, partition), range);
      for (const item of items) this.#remember(item);
      gaps.push(...gapsOf(items, next, more ? undefined : end));
      next = more ? afterItem(items.at(-1)) : Math.max(end + 1, afterItem(items.at(-1)));
    }
    return next;
  }

  /** As `read`, but waits at an empty place until it is written or may be filled. */
  async readSettled(head: HeadRow, after: number, limit: number): Promise<LogPage> {
    const entries: LogEntry[] = [];
    let oldestAtMs: number | undefined;
    for (let at = after; ; ) {
      const page = await this.read(head, at, limit - entries.length);
      entries.push(...page.entries);
      oldestAtMs ??= page.oldestAtMs;
      at = page.through;
      if (!page.waiting || entries.length >= limit) return { ...page, entries, oldestAtMs };
      if (!(await this.fill(head, at))) await sleep(this.#clock, this.#timings.lookAgainMs);
    }
  }

  /**
   * Fills what has been empty for too long; whether anything was. What may have been an entry once is never filled and stays known: each reader that
   * stands before it (`after`) hears so at once. @throws StoreError `Compacted` where that is so
   */
  async fill(head: HeadRow, after: number): Promise<boolean> {
    const now = this.#clock.now();
    for (const [revision, sinceMs] of this.#empty) {
      // Somebody whose head is older may still wait there.
      if (revision <= head.floor && now - sinceMs > forgetMs) this.#empty.delete(revision);
      // The clock was set back: nobody waits longer for that.
      else if (sinceMs > now) this.#empty.set(revision, now);
    }
    const old = [...this.#empty].filter(([, sinceMs]) => now - sinceMs >= this.#timings.fillAfterMs).map(([revision]) => revision);
    const certain = certainFrom(head, now, this.#timings.ttlSeconds);
    if (old.some((revision) => revision > after && revision <= certain)) throw mayBeGone(certain);
    const dead = old.filter((revision) => revision > certain);
    for (let start = 0; start < dead.length; start += fillsAtOnce)
      await Promise.all(dead.slice(start, start + fillsAtOnce).map((revision) => this.#fillPlace(revision, now)));
    return dead.length > 0;
  }

  /** A void from long ago at or below the mark may have been executed when the entry of its place had come and gone. */
  #refuseDoubtful(head: HeadRow, revision: number, stampedAtMs: number): void {
    const now = this.#clock.now();
    const { ttlSeconds } = this.#timings;
    if (isYoungVoid(stampedAtMs, now, ttlSeconds)) return;
    const certain = certainFrom(head, now, ttlSeconds);
    if (revision <= certain) throw mayBeGone(certain);
  }

  /** `decidedAtMs`: when the place was above the mark. */
  async #fillPlace(revision: number, decidedAtMs: number): Promise<void> {
    const stamp = { commit: "reader", nowMs: decidedAtMs, ttlSeconds: this.#timings.ttlSeconds };
    try {
      await this.#table.write({ kind: "put", item: voidItem(this.site, revision, 1, stamp), when: { is: "absent" } });
    } catch (error) {
      if (!isTableError(error, "ConditionFailed")) throw error;
    }
    this.#empty.delete(revision);
  }

  #remember(item: Item): void {
    if (!isVoid(item) || spanOf(item) === 1) return;
    this.#voids.set(revisionOf(item), afterItem(item));
    const [oldest] = this.#voids.keys();
    if (this.#voids.size > mostVoids && oldest !== undefined) this.#voids.delete(oldest);
  }

  #endOfVoidAround(revision: number): number | undefined {
    for (let first = revision - 1; first > revision - limits.operations; first--) {
      const end = this.#voids.get(first);
      if (end !== undefined) return end > revision ? end : undefined;
    }
    return undefined;
  }

  /**
   * All gaps that can be seen in (after, until), not only the first: writers that died one after another hold readers up once, not once each. What lies
   * outside is left alone: others read there, and their waiting must not begin anew each time.
   */
  #notice(after: number, until: number, gaps: readonly number[]): void {
    if (gaps.length === 0 && this.#empty.size === 0) return;
    const now = this.#clock.now();
    const empty = new Set(gaps);
    for (const revision of this.#empty.keys())
      if (revision > after && revision < until && !empty.has(revision)) this.#empty.delete(revision);
    for (const revision of gaps) if (!this.#empty.has(revision)) this.#empty.set(revision, now);
  }
}

const mayBeGone = (certain: number): StoreError => new StoreError("Compacted", `entries up to ${certain} may be gone: their time was over`);

const afterItem = (item: Item | undefined): number => (item ? revisionOf(item) + spanOf(item) : 0);

/** The empty places from `next` on: between the items, and after the last one up to `end` where nothing lies beyond them. */
function gapsOf(items: readonly Item[], next: number, end: number | undefined): number[] {
  const gaps: number[] = [];
  let at = next;
  for (const item of items) {
    while (at < revisionOf(item)) gaps.push(at++);
    at = Math.max(at, afterItem(item));
  }
  while (end !== undefined && at <= end) gaps.push(at++);
  return gaps;
}

/** The items from `next` on up to the first empty place. */
function contiguous(items: readonly Item[], next: number): Item[] {
  let at = next;
  const whole: Item[] = [];
  for (const item of items) {
    if (revisionOf(item) > at) break;
    at = Math.max(at, afterItem(item));
    whole.push(item);
  }
  return whole;
}
