import type { Clock } from "../../clock.ts";
import { type LogEntry, StoreError } from "../store.ts";
import type { HeadRow } from "./head-item.ts";
import type { LogReader } from "./log-reader.ts";

export interface PollTimings {
  /** Between two looks at the head right after something came; doubled up to `idleMs` while nothing comes. */
  readonly busyMs: number;
  readonly idleMs: number;
  /** Failed looks in a row before followers are told. */
  readonly failures: number;
}

type OnEntries = (entries: readonly LogEntry[], through: number) => void;
type OnEnd = (error: StoreError) => void;

interface Follower {
  position: number;
  stopped: boolean;
  readonly onEntries: OnEntries;
  readonly onEnd: OnEnd;
}

const pageEntries = 1000;

/**
 * The end of a cluster's log as this process follows it: one reader for all its followers. It looks at the head at intervals that grow while nothing
 * comes, at once when something is known to have come (`wake`), and takes this process's own commits without reading them again.
 */
export class Tail {
  readonly #reader: LogReader;
  readonly #readHead: () => Promise<HeadRow>;
  readonly #clock: Clock;
  readonly #timings: PollTimings;
  readonly #toStoreError: (error: unknown) => StoreError;
  readonly #followers = new Set<Follower>();
  /** Own places beyond `#position`: an entry, or `undefined` for a void. */
  readonly #own = new Map<number, LogEntry | undefined>();
  #position = 0;
  #intervalMs: number;
  #failed = 0;
  #polling = false;
  #again = false;
  /** Followers that are reading up, and the highest revision that was heard of meanwhile: what they have read may be older. */
  #joining = 0;
  #heardOf = 0;
  #cancel: (() => void) | undefined;

  constructor(
    reader: LogReader,
    readHead: () => Promise<HeadRow>,
    clock: Clock,
    timings: PollTimings,
    toStoreError: (error: unknown) => StoreError,
  ) {
    this.#reader = reader;
    this.#readHead = readHead;
    this.#clock = clock;
    this.#timings = timings;
    this.#intervalMs = timings.busyMs;
    this.#toStoreError = toStoreError;
  }

  get followed(): boolean {
    return this.#followers.size > 0;
  }

  /** Somebody knows of this revision: followers need not wait for the next look. */
  heardOf(revision: number): void {
    this.#heardOf = Math.max(this.#heardOf, revision);
    if (this.followed && this.#position < revision) this.wake();
  }

  follow(after: number, onEntries: OnEntries, onEnd: OnEnd): () => void {
    const follower: Follower = { position: after, stopped: false, onEntries, onEnd };
    // Callers get their way to stop before the first call.
    queueMicrotask(() => void this.#join(follower));
    return () => {
      follower.stopped = true;
      this.#followers.delete(follower);
      this.#restIfAlone();
    };
  }

  /** Something may have come. */
  wake(): void {
    if (!this.followed) {
      if (this.#joining > 0) this.#heardOf = Number.POSITIVE_INFINITY;
      return;
    }
    this.#intervalMs = this.#timings.busyMs;
    if (this.#polling) this.#again = true;
    else void this.#poll();
  }

  landed(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#own.set(entry.revision, entry);
    this.#takeOwn();
  }

  void(first: number, span: number): void {
    for (let revision = first; revision < first + span; revision++) this.#own.set(revision, undefined);
    this.#takeOwn();
  }

  end(error: StoreError): void {
    const followers = [...this.#followers];
    this.#followers.clear();
    this.#restIfAlone();
    for (const follower of followers) follower.onEnd(error);
  }

  /** Reads a follower up to where the others are. */
  async #join(follower: Follower): Promise<void> {
    if (this.#joining++ === 0) this.#heardOf = 0;
    try {
      while (!follower.stopped) {
        const head = await this.#readHead();
        if (follower.position < head.floor)
          throw new StoreError("Compacted", `revision ${follower.position} is below the floor ${head.floor}`);
        if (follower.stopped) return;
        if (!this.followed) {
          this.#own.clear();
          this.#position = follower.position;
        }
        if (follower.position >= this.#position) {
          this.#follow(follower, head);
          return;
        }
        const { entries, through } = await this.#reader.readSettled(head, follower.position, pageEntries);
        this.#give(follower, entries, through);
      }
    } catch (error) {
      if (!follower.stopped) follower.onEnd(this.#toStoreError(error));
    } finally {
      this.#joining--;
    }
  }

  /** The head that was just read is the first look, unless more has been heard of since. */
  #follow(follower: Follower, head: HeadRow): void {
    const isFirst = !this.followed;
    this.#followers.add(follower);
    if (!isFirst || this.#polling || this.#heardOf > head.revision) {
      this.wake();
      return;
    }
    this.#intervalMs = this.#timings.busyMs;
    void this.#poll(head);
  }

  async #poll(known?: HeadRow): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#polling = true;
    let delayMs: number;
    try {
      delayMs = await this.#look(known);
      this.#failed = 0;
    } catch (error) {
      const reason = this.#toStoreError(error);
      const passing = reason.code === "Throttled" || reason.code === "Unavailable";
      delayMs = this.#timings.idleMs;
      if (!passing || ++this.#failed >= this.#timings.failures) this.end(reason);
    }
    this.#polling = false;
    if (!this.followed) return;
    const again = this.#again;
    this.#again = false;
    if (again) void this.#poll();
    else this.#cancel = this.#clock.after(delayMs, () => void this.#poll());
  }

  /** Takes what has come; answers when to look again. */
  async #look(known: HeadRow | undefined): Promise<number> {
    const before = this.#position;
    const head = known ?? (await this.#readHead());
    const at = this.#position;
    if (head.revision <= at && at >= head.floor) return this.#grow(before);
    const page = await this.#reader.read(head, at, pageEntries);
    this.#take(at, page.entries, page.through);
    if (!page.waiting) {
      if (page.through < head.revision) this.#again = true;
      return this.#grow(before);
    }
    if (await this.#reader.fill(head, page.through)) this.#again = true;
    return this.#timings.busyMs;
  }

  #grow(before: number): number {
    this.#intervalMs =
      this.#position > before ? this.#timings.busyMs : Math.min(this.#timings.idleMs, Math.max(this.#intervalMs, this.#timings.busyMs) * 2);
    return this.#intervalMs;
  }

  #takeOwn(): void {
    if (!this.followed) {
      this.#own.clear();
      return;
    }
    const entries: LogEntry[] = [];
    let through = this.#position;
    while (this.#own.has(through + 1)) {
      const entry = this.#own.get(++through);
      if (entry) entries.push(entry);
      this.#own.delete(through);
    }
    this.#take(this.#position, entries, through);
    // Somebody else's places lie between.
    if (this.#own.size > 0) this.wake();
  }

  /** Entries in (from, through]. A look that began before all followers changed may be of another stretch. */
  #take(from: number, entries: readonly LogEntry[], through: number): void {
    if (through <= this.#position || from > this.#position) return;
    this.#position = through;
    for (const revision of this.#own.keys()) if (revision <= through) this.#own.delete(revision);
    for (const follower of [...this.#followers]) this.#give(follower, entries, through);
  }

  #give(follower: Follower, entries: readonly LogEntry[], through: number): void {
    if (follower.stopped || through <= follower.position) return;
    const from = follower.position;
    follower.position = through;
    follower.onEntries(entries[0] && entries[0].revision > from ? entries : entries.filter((entry) => entry.revision > from), through);
  }

  #restIfAlone(): void {
    if (this.followed) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#own.clear();
  }
}
