import { finishPlatformWork, sendWebhooks } from "../../functions/platform-work.ts";
import type { Turning } from "../../functions/turning.ts";
import { putAgenda } from "../../shared/host/agenda.ts";
import type { NotedWork } from "../../shared/host/noted-work.ts";
import { turnMany } from "../../shared/host/turn-many.ts";
import type { ClusterRef } from "../../shared/store/store.ts";
import type { OwnWrites } from "./own-writes.ts";

/** Turns what this process has written: whoever commits turns, so that one change wakes one process. */
export interface WakeUps extends OwnWrites {
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>;
}

const turnsAtOnce = 16;
const longestTurnMs = 15_000;
const platformWorkMs = 25_000;
/** A process that dies is noticed by whoever looks at the agenda then; noted anew while a cluster goes on being written to. */
const lookAfterMs = 60_000;
const noteEveryMs = 30_000;
const againMs = 1000;

interface Waiting {
  readonly ref: ClusterRef;
  readonly revision: number;
}

export function createWakeUps(turning: Turning): WakeUps {
  const { clock, log, store } = turning.dependencies;
  const waiting = new Map<string, Waiting>();
  const underWay = new Map<string, Promise<void>>();
  const noted = new Map<string, { readonly atMs: number; readonly writing: Promise<void> }>();
  let stopped = false;

  const committed = (ref: ClusterRef, revision: number): void => {
    const scope = scopeOf(ref);
    waiting.set(scope, { ref, revision: Math.max(revision, waiting.get(scope)?.revision ?? 0) });
    begin();
  };
  const begin = (): void => {
    for (const [scope, each] of waiting) {
      if (stopped || underWay.size >= turnsAtOnce) return;
      if (underWay.has(scope)) continue;
      waiting.delete(scope);
      const turn = turnOne(each).finally(() => {
        underWay.delete(scope);
        begin();
      });
      underWay.set(scope, turn);
    }
  };
  const turnOne = async ({ ref, revision }: Waiting): Promise<void> => {
    const [turned] = await turnMany(
      { turner: turning.turner, clock, log, store },
      [{ ref, revision, failures: 0 }],
      clock.now() + longestTurnMs,
    );
    if (turned?.outcome === "lost" || turned?.outcome === "late") clock.after(againMs, () => committed(ref, revision));
  };

  const works: Readonly<Record<NotedWork, () => Promise<void>>> = {
    platform: () => finishPlatformWork(turning, clock.now() + platformWorkMs),
    webhooks: () => sendWebhooks(turning),
  };
  const askedAgain = new Set<NotedWork>();
  const running = new Map<NotedWork, Promise<void>>();
  const work = (what: NotedWork): void => {
    if (stopped) return;
    if (running.has(what)) {
      askedAgain.add(what);
      return;
    }
    const run = works[what]().finally(() => {
      running.delete(what);
      if (askedAgain.delete(what)) work(what);
    });
    running.set(what, run);
  };

  const forgetOld = (nowMs: number): void => {
    for (const [scope, { atMs }] of noted) {
      if (atMs + noteEveryMs > nowMs) return;
      noted.delete(scope);
    }
  };
  return {
    before(ref) {
      const scope = scopeOf(ref);
      const nowMs = clock.now();
      const known = noted.get(scope);
      if (known && known.atMs + noteEveryMs > nowMs) return known.writing;
      forgetOld(nowMs);
      const writing = store.writeRecords([putAgenda(ref, nowMs + lookAfterMs)]).then(() => {});
      writing.catch((error: unknown) => {
        noted.delete(scope);
        log.warn("a look at a cluster could not be noted", { cluster: ref.cluster, cause: String(error) });
      });
      noted.delete(scope);
      noted.set(scope, { atMs: nowMs, writing });
      return writing;
    },
    committed,
    noted: work,
    async stop() {
      stopped = true;
      await Promise.all([...underWay.values(), ...running.values()]);
    },
  };
}

const scopeOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}`;
