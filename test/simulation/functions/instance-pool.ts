import type { LambdaContext } from "../../../functions/lambda.ts";
import { SimulatedProcess } from "../process.ts";
import { createRandom, type Random } from "../random.ts";
import type { World } from "../world.ts";

/** As whoever invoked a function hears that it came to no answer. */
export class FunctionLost extends Error {}

interface Instance<A> {
  readonly process: SimulatedProcess;
  readonly handler: (event: unknown, context: LambdaContext) => Promise<A>;
  readonly lost: PromiseWithResolvers<never>;
  busy: boolean;
}

export interface PoolOptions<A> {
  readonly name: string;
  readonly seed: number;
  readonly world: World;
  readonly open: (process: SimulatedProcess) => (event: unknown, context: LambdaContext) => Promise<A>;
  readonly clockOf: (index: number) => number;
  readonly limitMs: number;
  /** Invocations at the same time. */
  readonly most: number;
  /** Share of invocations that end in the middle of what they do. */
  readonly cutShort: () => number;
}

/** One function: instances that are made when there is none free, frozen between two invocations, and die at their time limit. */
export class InstancePool<A> {
  readonly #options: PoolOptions<A>;
  readonly #random: Random;
  #instances: Instance<A>[] = [];
  #made = 0;

  constructor(options: PoolOptions<A>) {
    this.#options = options;
    this.#random = createRandom(options.seed, options.name);
  }

  /** Those that live. */
  get size(): number {
    return this.#instances.length;
  }

  invoke(event: unknown): Promise<A> {
    const free = this.#instances.filter(({ busy }) => !busy);
    const isFull = this.#instances.length >= this.#options.most;
    if (free.length === 0 && isFull) return Promise.reject(new FunctionLost("throttled"));
    const isFresh = free.length === 0 || (!isFull && this.#random.chance(0.1));
    return this.#run(isFresh ? this.#start() : this.#random.pick(free), event);
  }

  /** Each that lives is invoked once. */
  async invokeAll(event: unknown): Promise<void> {
    for (const instance of [...this.#instances]) if (!instance.busy) await this.#run(instance, event).catch(() => {});
  }

  /** Ends those that are at work, in the middle of whatever they do. */
  endBusy(): void {
    for (const instance of this.#instances) if (instance.busy) this.#end(instance);
  }

  #start(): Instance<A> {
    const { name, seed, world, open, clockOf } = this.#options;
    const index = this.#made++;
    const process = new SimulatedProcess(`${name}${index}`, world, createRandom(seed, `${name}${index}`), {
      offsetMs: clockOf(index),
      drift: 0,
    });
    const instance = { process, handler: open(process), lost: Promise.withResolvers<never>(), busy: false };
    instance.lost.promise.catch(() => {});
    this.#instances.push(instance);
    return instance;
  }

  async #run(instance: Instance<A>, event: unknown): Promise<A> {
    const { world, limitMs, cutShort } = this.#options;
    const { process } = instance;
    instance.busy = true;
    process.thaw();
    const endMs = process.clock.now() + limitMs;
    const cancel = world.after(this.#random.chance(cutShort()) ? this.#random.between(5, 1500) : limitMs, () => this.#end(instance));
    try {
      const answer = instance.handler(event, { getRemainingTimeInMillis: () => endMs - process.clock.now() });
      return await Promise.race([answer, instance.lost.promise]);
    } finally {
      cancel();
      instance.busy = false;
      process.freeze();
    }
  }

  #end(instance: Instance<A>): void {
    instance.process.crash();
    this.#instances = this.#instances.filter((other) => other !== instance);
    instance.lost.reject(new FunctionLost("it was ended in the middle"));
  }
}
