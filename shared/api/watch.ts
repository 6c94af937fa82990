import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { isStatus, StatusError } from "../kubernetes/status-error.ts";
import { topics } from "../store/mirror.ts";
import type { LogEntry, StoredObject } from "../store/store.ts";
import { isStoreError } from "../store/store.ts";
import type { Change } from "../store/view.ts";
import type { ApiCluster } from "./api-cluster.ts";
import { needsWebhook } from "./conversion/converted-objects.ts";
import { Turns } from "./conversion/turns.ts";
import type { Encoder } from "./encoder.ts";
import { catchUp, checkWatchOptions, parseResourceVersion, reach } from "./list.ts";
import { isTrue, parseInt64 } from "./request-info.ts";
import { type Sink, type StreamBody, statusBody } from "./response.ts";
import { namespaceOf, type Selection } from "./selection.ts";

export interface WatchOptions {
  readonly resourceVersion: string;
  readonly bookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number;
}

/** kube-apiserver's `--min-request-timeout`: watches end after 30 to 60 minutes unless the client says sooner. */
const minTimeoutSeconds = 1800;
const bookmarkPeriodMs = 60_000;
const readAhead = 1000;
/** A receiver this far behind is cut off; it resumes from where it was. */
const slowBytes = 16 * 1024 * 1024;

/** @throws StatusError `BadRequest` */
export function parseWatchOptions(query: URLSearchParams, random: () => number): WatchOptions {
  const given = query.get("timeoutSeconds");
  const timeout = given === null ? 0 : parseInt64(given);
  checkWatchOptions(query);
  const initial = query.get("sendInitialEvents");
  return {
    resourceVersion: query.get("resourceVersion") ?? "",
    bookmarks: isTrue(query.get("allowWatchBookmarks")),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    timeoutSeconds: timeout <= 0 ? minTimeoutSeconds * (1 + random()) : timeout,
  };
}

/**
 * Starts a watch: without a resource version, or where the client asks for it (KEP-3157), state first, else everything after its resource version, then whatever happens.
 * A revision that is no longer retained is answered inside the stream by an ERROR event with a 410 Status, as kube-apiserver does.
 */
export async function watchObjects(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  namespace: string,
  selection: Selection,
  options: WatchOptions,
  encoder: Encoder,
): Promise<StreamBody> {
  const wanted = parseResourceVersion(options.resourceVersion);
  if (wanted > 0) await reach(cluster, wanted);
  else if (options.resourceVersion === "") await catchUp(cluster);
  const within = namespaceOf(definition, namespace, selection);
  const watch = { cluster, definition, within, selection, options, encoder };
  const fromState = options.sendInitialEvents ?? wanted === 0;
  if (fromState) return { start: (sink) => run(watch, sink, { kind: "state" }) };
  const missed = wanted < cluster.mirror.historyStart ? await readMissed(cluster, wanted) : [];
  return {
    start: (sink) => run(watch, sink, missed === "compacted" ? { kind: "expired", wanted } : { kind: "after", revision: wanted, missed }),
  };
}

interface Watch {
  readonly cluster: ApiCluster;
  readonly definition: ResourceDefinition;
  readonly within: string | undefined;
  readonly selection: Selection;
  readonly options: WatchOptions;
  readonly encoder: Encoder;
}

type Origin =
  | { readonly kind: "state" }
  | { readonly kind: "after"; readonly revision: number; readonly missed: readonly LogEntry[] }
  | { readonly kind: "expired"; readonly wanted: number };

/** What the mirror's history no longer holds comes from the store's log, up to where the mirror takes over. */
async function readMissed({ store, mirror, ref }: ApiCluster, after: number): Promise<LogEntry[] | "compacted"> {
  const entries: LogEntry[] = [];
  const until = mirror.revision;
  for (let at = after; at < until; ) {
    try {
      const { entries: batch, through } = await store.readLog(ref, at, readAhead);
      entries.push(...batch.filter((entry) => entry.revision <= until));
      if (through <= at) break;
      at = through;
    } catch (error) {
      if (isStoreError(error, "Compacted")) return "compacted";
      throw error;
    }
  }
  return entries;
}

function run(watch: Watch, sink: Sink, origin: Origin): () => void {
  const { cluster, definition, within, selection, options, encoder } = watch;
  const { mirror, clock } = cluster;
  const resource = { group: definition.group, resource: definition.resource };
  let open = true;
  let waiting: Buffer[] | undefined;
  let waitingBytes = 0;
  const stops: (() => void)[] = [];

  /** Writes in one piece; while the receiver is slow, what comes is collected. */
  const send = (chunks: readonly Buffer[]): void => {
    if (!open || chunks.length === 0) return;
    if (waiting) {
      for (const chunk of chunks) {
        waiting.push(chunk);
        waitingBytes += chunk.length;
      }
      if (waitingBytes > slowBytes) end();
      return;
    }
    const [only] = chunks;
    if (sink.write(chunks.length === 1 && only ? only : Buffer.concat(chunks))) return;
    waiting = [];
    void sink.drained().then(() => {
      const collected = waiting ?? [];
      waiting = undefined;
      waitingBytes = 0;
      send(collected);
    });
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    for (const stop of stops) stop();
  };
  const end = (): void => {
    close();
    sink.end();
  };
  /** What cannot be shown is not left out: the watch ends with why, and its client lists. */
  const fail = (error: unknown): void => {
    if (!open) return;
    const known = isStatus(error) ? error : new StatusError("InternalError", "Internal error occurred: objects could not be converted");
    send([encoder.error(statusBody(known))]);
    end();
  };
  const turns = needsWebhook(definition) ? new Turns(fail) : undefined;
  const bookmark = (initialEnd: boolean): void => {
    const line = encoder.bookmark(mirror.revision, initialEnd);
    if (turns) turns.take(0, async () => send([line]));
    else send([line]);
  };
  const concerns = (stored: StoredObject): boolean =>
    (within === undefined || stored.key.namespace === within) && (selection.name === undefined || stored.key.name === selection.name);
  const deliver = (changes: readonly (Change | LogEntry)[]): void => {
    const mine = turns ? changes.filter(concerns) : changes;
    if (turns) turns.take(mine.length, async () => deliverShown(await cluster.resources.converted.showChanges(cluster, definition, mine)));
    else deliverShown(mine);
  };
  const deliverState = (stored: readonly StoredObject[]): void =>
    send(stored.filter((one) => selection.matches(one)).map((one) => encoder.event("ADDED", one)));
  const deliverShown = (changes: readonly (Change | LogEntry)[]): void => {
    const chunks: Buffer[] = [];
    for (const change of changes) {
      const event = concerns(change) ? eventOf(change, selection, encoder) : undefined;
      if (event) chunks.push(event);
    }
    send(chunks);
  };

  if (origin.kind === "expired") {
    const message = `too old resource version: ${origin.wanted} (${mirror.historyStart})`;
    send([encoder.error(statusBody(new StatusError("Expired", message)))]);
    end();
    return close;
  }
  if (origin.kind === "state") {
    const all = mirror.list(resource, within).filter(concerns);
    if (turns) turns.take(all.length, async () => deliverState(await cluster.resources.converted.show(cluster, definition, all)));
    else deliverState(all);
    if (options.sendInitialEvents === true && options.bookmarks) bookmark(true);
  } else {
    deliver(origin.missed.filter(({ key }) => key.group === resource.group && key.resource === resource.resource));
    const seen = Math.max(origin.revision, origin.missed.at(-1)?.revision ?? 0);
    deliver(mirror.changesAfter(resource, seen));
  }
  stops.push(mirror.subscribe(resource, topicOf(within, selection), deliver));
  const finish = (): void => {
    if (options.bookmarks) bookmark(false);
    if (turns) turns.take(0, async () => end());
    else end();
  };
  stops.push(clock.after(options.timeoutSeconds * 1000, finish));
  if (cluster.ending) stops.push(cluster.ending.onEnd(finish));
  if (options.bookmarks) {
    let cancel = (): void => {};
    const again = (): void => {
      cancel = clock.after(bookmarkPeriodMs, () => {
        bookmark(false);
        again();
      });
    };
    again();
    stops.push(() => cancel());
  }
  return close;
}

function topicOf(namespace: string | undefined, selection: Selection): string {
  if (selection.nodeName !== undefined && selection.nodeName !== "") return topics.node(selection.nodeName);
  if (namespace === undefined) return topics.all;
  return selection.name === undefined ? topics.namespace(namespace) : topics.object(namespace, selection.name);
}

/** An object that begins or ceases to match is added or deleted for this watcher, as the watch cache does it. */
function eventOf(change: Change | LogEntry, selection: Selection, encoder: Encoder): Buffer | undefined {
  if (selection.all) return encoder.event(change.type, change);
  const matches = change.type !== "DELETED" && selection.matches(change);
  const { previous } = change;
  // The log keeps the state before only where labels or selectable fields changed.
  const matched = change.type === "ADDED" ? false : previous ? selection.matches(previous) : selection.matches(change);
  if (matches) return encoder.event(matched ? "MODIFIED" : "ADDED", change);
  if (!matched) return undefined;
  return change.type === "DELETED" || !previous ? encoder.event("DELETED", change) : encoder.event("DELETED", previous, change.revision);
}
