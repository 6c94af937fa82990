import type { LogEntry, StoreErrorCode } from "../../shared/store/store.ts";

/** All times are true time: what a stopwatch beside the world would show. */
interface Span {
  readonly actor: string;
  readonly startMs: number;
  /** `undefined`: it never came back. */
  endMs: number | undefined;
  /** Its process was stopped for a while in between. */
  paused: boolean;
}

/** An object as a client saw it: its value names the write that made it. */
export interface Seen {
  readonly path: string;
  readonly revision: number;
  readonly value: string;
}

export interface SeenEntry extends Seen {
  readonly type: LogEntry["type"];
}

export interface WriteCall extends Span {
  readonly kind: "write";
  readonly operations: readonly {
    readonly path: string;
    readonly type: "put" | "delete";
    readonly expected: number;
    readonly value: string;
  }[];
  outcome:
    | { readonly kind: "ok"; readonly entries: readonly SeenEntry[] }
    | { readonly kind: "conflict"; readonly index: number }
    /** It may have been done or not. */
    | { readonly kind: "failed"; readonly code: StoreErrorCode }
    | undefined;
}

/** `found` undefined: the key was absent. */
export interface ReadCall extends Span {
  readonly kind: "read";
  readonly way: "latest" | "mirror";
  readonly path: string;
  found: Seen | undefined;
  failed: StoreErrorCode | undefined;
}

export interface ListCall extends Span {
  readonly kind: "list";
  readonly collection: string | undefined;
  revision: number;
  objects: readonly Seen[];
  failed: StoreErrorCode | undefined;
}

/** A stretch of the log that was read, or followed without interruption. Complete in (after, through]. */
export interface Stretch extends Span {
  readonly kind: "stretch";
  readonly way: "readLog" | "follow";
  readonly after: number;
  through: number;
  readonly entries: SeenEntry[];
  /** Of the reads that it is made of, where it was not followed. */
  slowestMs: number;
  failed: StoreErrorCode | undefined;
}

/** What a mirror shows, at the revision that it says. */
export interface MirrorLook extends Span {
  readonly kind: "look";
  readonly revision: number;
  /** The revision of which it was asked; `revision` when the newest. */
  readonly at: number;
  readonly objects: readonly Seen[];
}

export interface HeadCall extends Span {
  readonly kind: "head";
  revision: number;
  floor: number;
  failed: StoreErrorCode | undefined;
}

export interface RecordCall extends Span {
  readonly kind: "record";
  readonly sort: string;
  readonly change:
    | { readonly kind: "put"; readonly expected: number; readonly value: string }
    | { readonly kind: "add"; readonly by: number; readonly atMost: number | undefined };
  outcome:
    | { readonly kind: "ok"; readonly version: number }
    | { readonly kind: "conflict" }
    | { readonly kind: "failed"; readonly code: StoreErrorCode }
    | undefined;
}

/** What a record holds when the history is over. */
export interface Balance extends Span {
  readonly kind: "balance";
  readonly sort: string;
  readonly version: number;
  readonly amount: number;
  readonly value: string;
}

export type Call = WriteCall | ReadCall | ListCall | Stretch | MirrorLook | HeadCall | RecordCall | Balance;

export interface Violation {
  /** What is broken: the same for the same kind of break. */
  readonly rule: string;
  readonly story: string;
}
