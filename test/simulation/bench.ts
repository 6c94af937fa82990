import { Mirror } from "../../shared/store/mirror.ts";
import { isStoreError, type Store } from "../../shared/store/store.ts";
import type { Call, Violation } from "./history.ts";
import { cluster } from "./objects.ts";
import type { ActorPlan, Plan } from "./plan.ts";
import { SimulatedProcess } from "./process.ts";
import { createRandom, type Random } from "./random.ts";
import type { Truth } from "./truth.ts";
import type { World } from "./world.ts";

/** What several runs of processes share: a table, or a disk. */
export interface Backend {
  readonly truth: Truth;
  /** Whether the table or disk fails calls from now on. */
  healthy: boolean;
  openStore(process: SimulatedProcess): Store;
  /** The only process died, or one of many. */
  crashed(): void;
  sweep(share: number): void;
}

export interface ActorState {
  readonly plan: ActorPlan;
  /** Steps still to do, over all restarts. */
  left: number;
  /** Where a client that watches goes on, whichever process it finds. */
  position: number | undefined;
  values: number;
  /** How far the log was at which time, for one that compacts. */
  readonly marks: { readonly atMs: number; readonly revision: number }[];
}

export interface Scene {
  readonly plan: Plan;
  readonly world: World;
  readonly calls: Call[];
  readonly violations: Violation[];
  readonly actors: readonly ActorState[];
  /** An actor has done its last step. */
  readonly onDone: () => void;
}

export type RunActor = (host: Host, actor: ActorState) => Promise<void>;

const retryMs = 200;

/** One server machine: its process can die and come back with nothing but what the store kept. */
export class Host {
  readonly index: number;
  readonly scene: Scene;
  readonly #backend: Backend;
  readonly #runActor: RunActor;
  #runs = 0;
  #current: { readonly process: SimulatedProcess; readonly store: Store } | undefined;
  /** Absent until it was first built, and between two. */
  mirror: Mirror | undefined;
  pauses = 0;

  constructor(index: number, scene: Scene, backend: Backend, runActor: RunActor) {
    this.index = index;
    this.scene = scene;
    this.#backend = backend;
    this.#runActor = runActor;
  }

  get running(): boolean {
    return this.#current !== undefined;
  }

  /** @throws when it is down: nothing of a dead process asks */
  get process(): SimulatedProcess {
    if (!this.#current) throw new Error("the process is down");
    return this.#current.process;
  }

  get store(): Store {
    if (!this.#current) throw new Error("the process is down");
    return this.#current.store;
  }

  get random(): Random {
    return this.process.random;
  }

  start(): void {
    if (this.#current) return;
    const { plan, world, actors } = this.scene;
    const name = `p${this.index}.${++this.#runs}`;
    const process = new SimulatedProcess(name, world, createRandom(plan.seed, name), plan.clocks[this.index]);
    const current = { process, store: this.#backend.openStore(process) };
    this.#current = current;
    void this.#keepMirror(current);
    for (const actor of actors)
      if (actor.plan.process === this.index && actor.left > 0) void this.#runActor(this, actor).then(this.scene.onDone);
  }

  crash(): void {
    if (!this.#current) return;
    this.#current.process.crash();
    this.#current = undefined;
    this.mirror = undefined;
    this.#backend.crashed();
  }

  /** It dies in the middle of its next commit. */
  doom(): void {
    if (this.#current) this.#current.process.onRevisions = () => this.crash();
  }

  pause(forMs: number): void {
    if (!this.#current) return;
    this.#current.process.pause(forMs);
    this.pauses++;
  }

  async #keepMirror({ process, store }: { process: SimulatedProcess; store: Store }): Promise<void> {
    while (process.alive) {
      const ended = Promise.withResolvers<void>();
      try {
        const historyEntries = process.random.pick([3, 20, 1000]);
        this.mirror = await Mirror.open(store, cluster, { historyEntries, onEnd: () => ended.resolve() });
        await ended.promise;
        this.mirror = undefined;
      } catch (error) {
        if (!isStoreError(error)) throw error;
      }
      await process.sleep(retryMs);
    }
  }
}
