import { generateKeyPairSync } from "node:crypto";
import { Documents } from "../../../shared/api/non-resource.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import { dropAgenda, dueAgenda, putAgenda } from "../../../shared/host/agenda.ts";
import { type ClusterRuntime, type ClusterRuntimeOptions, openClusterRuntime } from "../../../shared/host/cluster-runtime.ts";
import { createLoopLeases, type LoopLeases } from "../../../shared/host/loop-lease.ts";
import { createLoops } from "../../../shared/host/loops.ts";
import { createNodeMarks } from "../../../shared/host/node-marks.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { openTurnedCluster } from "../../../shared/host/turned-cluster.ts";
import { createTurner } from "../../../shared/host/turner.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import { isStoreError, type Store } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { cluster } from "../objects.ts";
import type { SimulatedProcess } from "../process.ts";
import type { WakeUps } from "./wake-ups.ts";

/** A commit that a holder of the loops' lease made: by what the store was asked for, and answered. */
export interface FencedCommit {
  readonly process: string;
  readonly token: number;
  readonly revision: number;
}

export interface LoopsTap {
  /** The loops are about to send a commit. */
  readonly before: () => void;
  readonly landed: (commit: FencedCommit) => void;
}

const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const turnMs = 12_000;
/** An invocation that a turn does not end in. */
export const invocationMs = 15_000;
/** How often the agenda is looked at. */
const agendaMs = 5000;

/** One function: it serves the cluster's API to whoever asks, and turns its loops when it is woken. */
export class Server {
  readonly process: SimulatedProcess;
  readonly store: Store;
  api: ClusterRuntime | undefined;

  constructor(process: SimulatedProcess, store: Store, tap: LoopsTap, wakeUps: WakeUps) {
    this.process = process;
    this.store = store;
    void this.#serve();
    void this.#turn(tap, wakeUps);
  }

  get #options(): ClusterRuntimeOptions {
    const { clock, random } = this.process;
    return {
      store: this.store,
      clock,
      log: silentLog,
      random: random.next,
      tokens: createTokenIssuer({ signingKey, clock, uid: () => String(random.next()) }),
      documents: new Documents("127.0.0.1"),
      podStreamsOf: () => ({ log: () => Promise.reject(new StatusError("ServiceUnavailable", "no node")) }),
    };
  }

  async #serve(): Promise<void> {
    while (this.process.alive) {
      const ended = Promise.withResolvers<void>();
      try {
        this.api = await openClusterRuntime(cluster, this.#options, () => ended.resolve());
        await ended.promise;
        this.api = undefined;
      } catch (error) {
        if (!isStoreError(error)) throw error;
      }
      await this.process.sleep(200);
    }
  }

  async #turn(tap: LoopsTap, wakeUps: WakeUps): Promise<void> {
    const { process, store } = this;
    const { clock, random } = process;
    let token = 0;
    const watched = overStore(store, {
      async commit(ref, operations, records = []) {
        const asHolder = token;
        tap.before();
        const entries = await store.commit(ref, operations, records);
        const revision = entries.at(-1)?.revision;
        if (revision !== undefined) tap.landed({ process: process.name, token: asHolder, revision });
        return entries;
      },
    });
    const lookAgain = async (_: unknown, atMs: number): Promise<void> => void (await store.writeRecords([putAgenda(cluster, atMs)]));
    const plain = createLoopLeases({ store, clock, holder: process.name, lookAgain });
    const leases: LoopLeases = {
      async acquire(ref, revision) {
        const lease = await plain.acquire(ref, revision);
        if (lease.kind === "held") token = lease.token;
        return lease;
      },
    };
    const turner = createTurner({
      ...{ store, clock, log: silentLog, storeOf: () => watched, leasesOf: () => leases, marksOf: () => createNodeMarks(store) },
      open: (ref, lease) =>
        openTurnedCluster(ref, watched, lease, {
          ...this.#options,
          loopsOf: (runtime) =>
            createLoops(runtime, {
              ...{ clock, log: silentLog, random: random.next, caPem: "CA", caKeyPem: () => "no certificate is asked for" },
              heartbeats: { lastSeen: () => undefined },
              schedulingPaused: () => Promise.resolve(false),
            }),
          prepare: () => Promise.resolve("turn"),
        }),
      wake: () => {},
      kept: 50,
    });
    const turn = async (revision: number): Promise<void> => void (await turner.turn(cluster, revision, clock.now() + turnMs));
    let lookedAtMs = 0;
    const agenda = async (): Promise<void> => {
      lookedAtMs = clock.now();
      const items = await dueAgenda(store, clock.now());
      if (items.length > 0) await turn(0);
      for (const { key } of items) await store.writeRecords([dropAgenda(key)]);
    };
    while (process.alive) {
      await process.sleep(random.between(50, 600));
      try {
        await wakeUps.tell(turn);
        if (clock.now() - lookedAtMs >= agendaMs) await agenda();
      } catch (error) {
        if (!isStoreError(error)) throw error;
      }
    }
  }
}
