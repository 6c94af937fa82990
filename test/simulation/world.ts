import type { Random } from "./random.ts";

interface Happening {
  readonly atMs: number;
  /** Decides between what happens at the same time. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** Lets everything run that was made possible: promise continuations, and what the product puts off with `setImmediate`. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const lookMs = 5;
/** What was put off may put something off itself. */
const mostIdleTurns = 20;

/**
 * True time and what is to happen when. Nothing else makes time pass and nothing real is waited for: every continuation in a history comes from an
 * entry of this queue, in an order that the seed alone decides.
 */
export class World {
  readonly #random: Random;
  readonly #settled: () => Promise<void>;
  readonly #heap: Happening[] = [];
  #nowMs: number;
  happenings = 0;

  /** `settled`: when all that one happening brought about is done. */
  constructor(random: Random, startMs: number, settled = turn) {
    this.#random = random;
    this.#settled = settled;
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Returns what cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const happening: Happening = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#random.next(), run };
    push(this.#heap, happening);
    return () => {
      happening.run = undefined;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Waits until `done` holds, and no longer than that. */
  async until(done: () => boolean, withinMs: number): Promise<void> {
    for (const untilMs = this.#nowMs + withinMs; !done() && this.#nowMs < untilMs; ) await this.sleep(lookMs);
  }

  /** Until `done` holds. @throws when nothing is left to happen, or too much happens without an end */
  async run(done: () => boolean, limit: number): Promise<void> {
    await turn();
    let idleTurns = 0;
    while (!done()) {
      const next = pop(this.#heap);
      if (!next && ++idleTurns > mostIdleTurns) throw new Error("the history is stuck: nothing is left to happen");
      if (!next) {
        await turn();
        continue;
      }
      idleTurns = 0;
      const { run } = next;
      if (!run) continue;
      if (++this.happenings > limit) throw new Error(`the history has no end: ${limit} happenings`);
      this.#nowMs = next.atMs;
      run();
      await this.#settled();
    }
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

function push(heap: Happening[], item: Happening): void {
  let at = heap.length;
  heap.push(item);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (!above || !isBefore(item, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = item;
}

function pop(heap: Happening[]): Happening | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!last || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const [left, right] = [heap[child], heap[child + 1]];
    if (!left) break;
    if (right && isBefore(right, left)) child++;
    const smaller = heap[child];
    if (!smaller || !isBefore(smaller, last)) break;
    heap[at] = smaller;
    at = child;
  }
  heap[at] = last;
  return first;
}
