import type { Clock } from "../../shared/clock.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export interface ClockError {
  /** What its clock shows beside true time. */
  readonly offsetMs: number;
  /** How much faster it runs, as a share: 0.001 gains 1 ms a second. */
  readonly drift: number;
}

/**
 * One run of a process: it can die, and then nothing of it goes on; it can be paused, and then what would have happened comes when it goes on. What
 * it has sent is on its way all the same.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly world: World;
  readonly random: Random;
  readonly clock: Clock;
  #state: "running" | "paused" | "dead" = "running";
  #held: (() => void)[] = [];
  /** Called when it was handed revisions, before it hears of it. */
  onRevisions: (() => void) | undefined;
  #offsetMs: number;
  readonly #drift: number;
  #startMs: number;

  constructor(name: string, world: World, random: Random, { offsetMs, drift }: ClockError = { offsetMs: 0, drift: 0 }) {
    this.name = name;
    this.world = world;
    this.random = random;
    this.#offsetMs = offsetMs;
    this.#drift = drift;
    this.#startMs = world.nowMs;
    this.clock = {
      now: () => Math.floor(world.nowMs + this.#offsetMs + (world.nowMs - this.#startMs) * this.#drift),
      // As Node's timers have it.
      after: (delayMs, run) => this.after(Math.max(1, delayMs), run),
    };
  }

  get alive(): boolean {
    return this.#state !== "dead";
  }

  /** In this process: not when it is dead by then, later when it is paused. */
  after(delayMs: number, run: () => void): () => void {
    let cancelled = false;
    const cancel = this.world.after(delayMs, () =>
      this.deliver(() => {
        if (!cancelled) run();
      }),
    );
    return () => {
      cancelled = true;
      cancel();
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  deliver(run: () => void): void {
    if (this.#state === "running") run();
    else if (this.#state === "paused") this.#held.push(run);
  }

  crash(): void {
    this.#state = "dead";
    this.#held = [];
  }

  pause(forMs: number): void {
    if (this.#state !== "running") return;
    this.freeze();
    this.world.after(forMs, () => this.thaw());
  }

  /** As a function between two invocations. */
  freeze(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  thaw(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.after(0, run);
  }

  /** As when a machine's time is set. */
  setClock(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#startMs = this.world.nowMs;
  }
}
