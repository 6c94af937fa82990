import type { Clock } from "../clock.ts";
import { RecentMap } from "../recent-map.ts";
import { type ClusterRef, isStoreError, type RecordOperation, type Store, StoreError } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { agendaKey, dropAgenda, dueOf, putAgenda } from "./agenda.ts";
import { listenNoMore, listenTo } from "./listening.ts";
import type { LoopLease, LoopLeases } from "./loop-lease.ts";
import type { NodeMarks } from "./node-marks.ts";
import type { TurnedCluster } from "./turned-cluster.ts";

/**
 * - `done`: nothing is left to do now; what is due later is on the agenda.
 * - `busy`: another process is at it, and looks again.
 * - `late`: time was up; the cluster is on the agenda for now.
 * - `gone`: there is no such cluster, or it is being deleted.
 */
export type TurnOutcome = "done" | "busy" | "late" | "gone";

/** Turns the loops of clusters for a while, one call a wake-up. Level-triggered: waking twice, late or for nothing is harmless. */
export interface Turner {
  /** Works until nothing is due, at the latest until `untilMs`. `revision`: the cluster may have changed up to there; 0: look, whatever is known. */
  turn(ref: ClusterRef, revision: number, untilMs: number): Promise<TurnOutcome>;
  /** Has the cluster in memory as it is now, for those who count what it holds. It is turned where it was not in memory, else not. */
  keepUp(ref: ClusterRef, untilMs: number): Promise<TurnOutcome>;
  /**
   * Lets go of what it has in memory of other clusters than these: of one that has no machines any more, or was deleted, nobody may have told it. What is
   * opened for a turn to come stays for it.
   */
  keepOnly(refs: readonly ClusterRef[]): Promise<void>;
  close(): Promise<void>;
}

export interface TurnerOptions {
  readonly storeOf: (tenant: string) => Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leasesOf: (tenant: string) => LoopLeases;
  readonly marksOf: (tenant: string) => NodeMarks;
  /** For the agenda, which is every tenant's. */
  readonly store: Store;
  readonly open: (ref: ClusterRef, lease: LoopLease) => Promise<TurnedCluster>;
  /** How many clusters stay in memory between turns. */
  readonly kept: number;
  /** The log has moved: followers shall not wait for their next look. */
  readonly wake: (ref: ClusterRef) => void;
}

interface Settled {
  readonly kind: "quiet" | "late" | "rest";
  /** Up to there nothing is left to do now. */
  readonly doneRevision: number;
}

/** Goes on beyond the turn that began it. */
interface Opening {
  readonly ref: ClusterRef;
  readonly cluster: Promise<TurnedCluster>;
  readonly giveUpAtMs: number;
  /** It need not be given up any more. */
  cancel(): void;
}

/** What is due so soon is waited for. */
const soonMs = 1500;
/** Waiting in all, in one turn. */
const patienceMs = 5000;
const renewEveryMs = 10_000;
/** So long an opening may take, with the turn that asks for it. */
const openingMs = 5 * 60_000;
/** Clusters of which it is known how far they were turned: whose is not has its lease looked at. */
const remembered = 10_000;

export function createTurner(options: TurnerOptions): Turner {
  const { clock, log } = options;
  const clusters = new Map<string, TurnedCluster>();
  const doneRevisions = new RecentMap<string, number>(remembered);
  const running = new Map<string, Promise<unknown>>();
  /** Those that no turn has taken yet. */
  const openings = new Map<string, Opening>();
  const scopeOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}`;
  const isWanted = (opening: Opening): boolean => openings.get(scopeOf(opening.ref)) === opening;
  const sleep = (ms: number): Promise<"late"> => new Promise((resolve) => void clock.after(Math.max(0, ms), () => resolve("late")));

  async function turn(ref: ClusterRef, revision: number, untilMs: number): Promise<TurnOutcome> {
    const scope = scopeOf(ref);
    if (revision > 0 && (doneRevisions.get(scope) ?? 0) >= revision) return "done";
    if (revision > 0 && (await concernsNobody(ref, revision, untilMs))) return "done";
    const lease = await options.leasesOf(ref.tenant).acquire(ref, revision === 0 ? Number.POSITIVE_INFINITY : revision);
    if (lease.kind === "gone") await discard(ref);
    if (lease.kind !== "held") return lease.kind;
    try {
      const turned = await opened(ref, lease, untilMs);
      return turned ? await turnUnder(lease, turned, untilMs) : await putOff(lease, ref);
    } catch (error) {
      if (isStoreError(error, "NoSuchCluster")) {
        await discard(ref);
        await lease.discard();
        return "gone";
      }
      await letGo(lease, ref);
      throw error;
    }
  }

  async function turnUnder(lease: LoopLease, turned: TurnedCluster, untilMs: number): Promise<TurnOutcome> {
    turned.fence.token = lease.token;
    const stopRenewing = keepRenewing(lease, turned);
    try {
      return await work(turned, lease, clock.now(), untilMs);
    } finally {
      stopRenewing();
      turned.loops.hold(true);
      turned.runtime.cluster.mirror.suspend();
      if (turned.over) await discard(turned.runtime.ref);
    }
  }

  /** The cluster was not open in time. */
  async function putOff(lease: LoopLease, ref: ClusterRef): Promise<TurnOutcome> {
    const agenda = await noteNext(ref, lease.notes.agenda, clock.now());
    await lease.letGo(lease.doneRevision, { ...lease.notes, agenda });
    return "late";
  }

  /** After a failure: whoever comes next need not wait for the end of the lease's time. */
  async function letGo(lease: LoopLease, { cluster }: ClusterRef): Promise<void> {
    try {
      await lease.letGo(lease.doneRevision, lease.notes);
    } catch (error) {
      log.warn("lease not let go of", { cluster, cause: String(error) });
    }
  }

  /**
   * Of a cluster in memory whose last turn here came to its end: catches up with the log while the loops are held. Where that gives no controller a key,
   * the scheduler no pod and no node news, there is nothing to have the lease for. What others did in between is in the log too.
   */
  async function concernsNobody(ref: ClusterRef, revision: number, untilMs: number): Promise<boolean> {
    const scope = scopeOf(ref);
    const turned = clusters.get(scope);
    if (!turned || turned.over || !doneRevisions.has(scope)) return false;
    const { mirror } = turned.runtime.cluster;
    mirror.resume();
    options.wake(ref);
    try {
      const caughtUp = mirror.reached(revision).catch(() => turned.end());
      if ((await first(untilMs, [caughtUp, turned.ended])) === "late" || turned.over) return false;
      if (turned.hasNews || turned.loops.hasDue(clock.now() + soonMs)) return false;
      doneRevisions.set(scope, mirror.revision);
      return true;
    } finally {
      mirror.suspend();
    }
  }

  /**
   * undefined: it is not open in time. The opening goes on, and turns that come wait for the same one: however short they are, and with one snapshot read at
   * a time, a slow table is waited for.
   * @throws StoreError `Unavailable`: it has taken minutes, and is given up
   */
  async function opened(ref: ClusterRef, lease: LoopLease, untilMs: number): Promise<TurnedCluster | undefined> {
    const scope = scopeOf(ref);
    const known = clusters.get(scope);
    clusters.delete(scope);
    if (known && !known.over) {
      clusters.set(scope, known);
      known.runtime.cluster.mirror.resume();
      return known;
    }
    await known?.close();
    const opening = openings.get(scope) ?? open(ref, lease);
    if ((await first(untilMs, [opening.cluster])) === "late") {
      if (clock.now() >= opening.giveUpAtMs) {
        giveUp(opening);
        throw new StoreError("Unavailable", "the cluster was not open within minutes");
      }
      opening.cluster.then(
        ({ runtime }) => runtime.cluster.mirror.suspend(),
        () => {},
      );
      return undefined;
    }
    forget(opening);
    const turned = await opening.cluster;
    turned.runtime.cluster.mirror.resume();
    clusters.set(scope, turned);
    for (const [other, { runtime }] of clusters) {
      if (clusters.size <= options.kept) break;
      if (other !== scope && !running.has(other)) await discard(runtime.ref);
    }
    return turned;
  }

  function open(ref: ClusterRef, lease: LoopLease): Opening {
    const cluster = options.open(ref, lease);
    // In turn: none is waiting for it then.
    const cancel = clock.after(openingMs, () => void inTurn(ref, async () => giveUp(opening)));
    const opening: Opening = { ref, cluster, giveUpAtMs: clock.now() + openingMs, cancel };
    openings.set(scopeOf(ref), opening);
    cluster.catch((error: unknown) => {
      forget(opening);
      if (!running.has(scopeOf(ref))) log.warn("cluster not opened", { cluster: ref.cluster, cause: String(error) });
    });
    return opening;
  }

  function forget(opening: Opening): void {
    opening.cancel();
    if (isWanted(opening)) openings.delete(scopeOf(opening.ref));
  }

  /** Closes what an opening has brought or will bring, unless a turn has taken it. */
  function giveUp(opening: Opening): void {
    if (!isWanted(opening)) return;
    forget(opening);
    const closed = opening.cluster.then((turned) => turned.close());
    closed.catch((error: unknown) => log.warn("opening given up", { cluster: opening.ref.cluster, cause: String(error) }));
  }

  async function discard(ref: ClusterRef): Promise<void> {
    const opening = openings.get(scopeOf(ref));
    if (opening) giveUp(opening);
    const turned = clusters.get(scopeOf(ref));
    clusters.delete(scopeOf(ref));
    await turned?.close();
  }

  function keepRenewing(lease: LoopLease, turned: TurnedCluster): () => void {
    let cancel = (): void => {};
    const again = (): void => {
      cancel = clock.after(renewEveryMs, () => {
        lease.renew().then(
          (outcome) => (outcome === "lost" ? turned.end() : again()),
          (error: unknown) => {
            log.error("lease not renewed", error, { cluster: turned.runtime.ref.cluster });
            again();
          },
        );
      });
    };
    again();
    return () => cancel();
  }

  /** `heardMs`: heartbeats are read after it. */
  async function work(turned: TurnedCluster, lease: LoopLease, heardMs: number, untilMs: number): Promise<TurnOutcome> {
    const { ref, cluster } = turned.runtime;
    const { store } = cluster;
    let { agenda, pools: listened } = lease.notes;
    const drops: RecordOperation[] = [];
    for (;;) {
      const settled = await settle(turned, untilMs);
      // What comes from here on is not done, and is the next turn's: no controller and no node has heard of it.
      turned.loops.hold(true);
      // Whoever has the lease now does all of this.
      if (turned.over) return "busy";
      const { kind, doneRevision } = settled;
      await turned.tellNodes(options.marksOf(ref.tenant));
      const noted = agenda;
      agenda = await noteNext(ref, noted, kind === "late" ? clock.now() : kind === "rest" ? undefined : turned.loops.nextDue());
      if (noted !== undefined && noted !== agenda) drops.push(...(await dropOf(ref, noted)));
      const pools = kind === "rest" ? [] : turned.pools;
      const { all, unlisten } = await listen(ref, listened, pools, heardMs);
      listened = all;
      const notes = { agenda, pools };
      const outcome = await lease.release(doneRevision, notes);
      if (outcome === "lost") {
        turned.end();
        return "busy";
      }
      if (outcome === "woken" && kind !== "late") continue;
      const isFree = outcome === "released" || (await lease.letGo(doneRevision, notes));
      if (isFree) await dropNoted(ref, [...drops, ...unlisten]);
      if (kind === "late") return "late";
      doneRevisions.set(scopeOf(ref), doneRevision);
      return kind === "rest" ? "gone" : "done";
    }
    async function settle({ loops, ended }: TurnedCluster, until: number): Promise<Settled> {
      const late = { kind: "late", doneRevision: lease.doneRevision } as const;
      options.wake(ref);
      const { revision } = await store.head(ref);
      if ((await first(until, [cluster.mirror.reached(revision), ended])) === "late") return late;
      if ((await turned.prepare()) === "rest") {
        await loops.stop();
        return { kind: "rest", doneRevision: cluster.mirror.revision };
      }
      loops.start();
      loops.lookAtSilent();
      loops.hold(false);
      const waitUntil = Math.min(until, clock.now() + patienceMs);
      for (let doneRevision = 0; ; ) {
        const idle = loops.idle().then((idleAt) => {
          doneRevision = idleAt;
        });
        if ((await first(until, [idle, ended])) === "late") return late;
        const due = loops.nextDue();
        if (turned.over || due === undefined || due > clock.now() + soonMs || due > waitUntil) return { kind: "quiet", doneRevision };
        await first(until, [sleep(due - clock.now() + 1), ended]);
      }
    }
  }

  /**
   * Has the heartbeats of the cluster's machines looked after. Where it has none any more, `unlisten` takes the record away as it is now, for when the lease has
   * said so: whoever found it naming pools, and a machine of theirs back, would think them listened to. A pool that others took the place of stays until
   * then: it costs a look at its heartbeats.
   */
  async function listen(ref: ClusterRef, listened: readonly string[], pools: readonly string[], heardMs: number) {
    const all = [...new Set([...listened, ...pools])].sort();
    const isLast = pools.length === 0 && listened.length > 0;
    if (all.length === listened.length && !isLast) return { all, unlisten: [] };
    // Written also where it is to go: the functions may not read it, and know its version so.
    const [version] = await options.store.writeRecords([listenTo(ref, all, heardMs)]);
    return { all, unlisten: isLast && version !== undefined ? [listenNoMore(ref, version)] : [] };
  }

  async function first(untilMs: number, others: readonly Promise<unknown>[]): Promise<"late" | "in time"> {
    let cancel = (): void => {};
    const late = new Promise<"late">((resolve) => {
      cancel = clock.after(Math.max(0, untilMs - clock.now()), () => resolve("late"));
    });
    try {
      return await Promise.race([late, ...others.map((other) => other.then((): "in time" => "in time"))]);
    } finally {
      cancel();
    }
  }

  /** Notes the next look, where none is noted that comes in time. An earlier one that is still to come may stay: it wakes for nothing, once. */
  async function noteNext(ref: ClusterRef, noted: string | undefined, dueMs: number | undefined): Promise<string | undefined> {
    if (dueMs === undefined) return undefined;
    if (noted !== undefined && dueOf(noted) > clock.now() && dueOf(noted) <= dueMs) return noted;
    await options.store.writeRecords([putAgenda(ref, dueMs)]);
    return agendaKey(ref, dueMs).sort;
  }

  /** What takes an agenda item away as it is now: who notes it anew keeps it. */
  async function dropOf(ref: ClusterRef, sort: string): Promise<RecordOperation[]> {
    // One that is due already goes with the schedule's look at it.
    if (dueOf(sort) <= clock.now()) return [];
    const [item] = await options.store.getRecords([{ partition: agendaKey(ref, 0).partition, sort }]);
    return item ? [dropAgenda(item, item.version)] : [];
  }

  /**
   * Keeps one agenda item a cluster, and listens to none without machines, after the lease has said that the others count no more: whoever found it
   * saying otherwise would rely on them. A death in between leaves a look too many, and so does a failure.
   */
  async function dropNoted({ cluster }: ClusterRef, drops: readonly RecordOperation[]): Promise<void> {
    for (const drop of drops) {
      try {
        await options.store.writeRecords([drop]);
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict")) log.warn("a look too many is noted", { cluster, cause: String(error) });
      }
    }
  }

  async function keepUp(ref: ClusterRef, untilMs: number): Promise<TurnOutcome> {
    const turned = clusters.get(scopeOf(ref));
    if (!turned || turned.over) return turn(ref, 0, untilMs);
    const { store, mirror } = turned.runtime.cluster;
    try {
      const { revision } = await store.head(ref);
      if (mirror.revision >= revision) return "done";
      mirror.resume();
      return (await first(untilMs, [mirror.reached(revision), turned.ended])) === "late" ? "late" : "done";
    } catch (error) {
      await discard(ref);
      if (!isStoreError(error, "NoSuchCluster")) throw error;
      return "gone";
    } finally {
      mirror.suspend();
    }
  }

  /** One after another: two would think the lease theirs, and one let the mirror rest on which the other stands. */
  async function inTurn<T>(ref: ClusterRef, run: () => Promise<T>): Promise<T> {
    const scope = scopeOf(ref);
    const before = running.get(scope) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(run);
    running.set(scope, mine);
    try {
      return await mine;
    } finally {
      if (running.get(scope) === mine) running.delete(scope);
    }
  }

  return {
    turn: (ref, revision, untilMs) => inTurn(ref, () => turn(ref, revision, untilMs)),
    keepUp: (ref, untilMs) => inTurn(ref, () => keepUp(ref, untilMs)),
    async keepOnly(refs) {
      const kept = new Set(refs.map(scopeOf));
      for (const [scope, { runtime }] of [...clusters]) if (!kept.has(scope) && !running.has(scope)) await discard(runtime.ref);
    },
    async close() {
      for (const opening of [...openings.values()]) giveUp(opening);
      for (const { runtime } of [...clusters.values()]) await discard(runtime.ref);
    },
  };
}
