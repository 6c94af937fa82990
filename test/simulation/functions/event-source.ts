import { toItem } from "../../../shared/store/dynamo/expressions.ts";
import type { Tap } from "../dynamo/simulated-dynamo.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import type { FunctionsPlan } from "./functions-plan.ts";

export interface StreamRecord {
  readonly dynamodb: {
    readonly SequenceNumber: string;
    readonly Keys: Record<"pk" | "sk", { readonly S: string }>;
    readonly NewImage: ReturnType<typeof toItem>;
  };
}

export type Deliver = (
  records: readonly unknown[],
) => Promise<{ readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] }>;

interface Shard {
  readonly records: StreamRecord[];
  running: boolean;
}

const shardCount = 3;
const mostInBatch = 20;
const wakes = new Set<unknown>(["ADDED", "MODIFIED", "DELETED"]);
const platform = new Set(["platform#deleting#records", "platform#draining#records", "platform#removing#records"]);
const poison = [
  {},
  { dynamodb: { SequenceNumber: 7 } },
  { dynamodb: { SequenceNumber: "9", Keys: { pk: { S: "a#b#log#c#d#e" }, sk: { S: "?" } } } },
];

/**
 * The table's stream and what Lambda makes of it: the order of a partition's changes within a shard alone, batches late, again, and with records
 * that nobody can read; what is not taken comes again.
 */
export class EventSource {
  readonly #world: World;
  readonly #random: Random;
  readonly #deliver: Deliver;
  readonly #shards = Array.from({ length: shardCount }, (): Shard => ({ records: [], running: false }));
  #faults: FunctionsPlan["stream"];
  #sequence = 0;
  /** Everything that was told. */
  readonly told: StreamRecord[] = [];

  constructor(world: World, random: Random, faults: FunctionsPlan["stream"], deliver: Deliver) {
    this.#world = world;
    this.#random = random;
    this.#faults = faults;
    this.#deliver = deliver;
  }

  /** From then on nothing is late. */
  calm(faults: Partial<FunctionsPlan["stream"]> = {}): void {
    this.#faults = { late: 0, repeated: 0, poisoned: 0, ...faults };
  }

  readonly tap: Tap = (_before, after) => {
    if (!after || !(platform.has(after.pk) || (after.pk.includes("#log#") && wakes.has(after.type)))) return;
    const SequenceNumber = String(++this.#sequence).padStart(21, "0");
    const Keys = { pk: { S: after.pk }, sk: { S: after.sk } };
    const record = {
      dynamodb: {
        ...{ SequenceNumber, Keys },
        get NewImage() {
          return toItem(after);
        },
      },
    };
    this.told.push(record);
    const shard = this.#shards[[...after.pk].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % shardCount];
    shard?.records.push(record);
    if (shard && !shard.running) void this.#drain(shard);
  };

  /** Tells all of it once more, in the same order. */
  async repeat(): Promise<void> {
    const batches = Math.ceil(this.told.length / mostInBatch);
    for (let index = 0; index < batches; index++)
      await this.#deliver(this.told.slice(index * mostInBatch, (index + 1) * mostInBatch)).catch(() => {});
  }

  async #drain(shard: Shard): Promise<void> {
    shard.running = true;
    const random = this.#random;
    while (shard.records.length > 0) {
      await this.#world.sleep(random.chance(this.#faults.late) ? random.between(1000, 20_000) : random.between(50, 300));
      const batch = shard.records.slice(0, 1 + random.below(mostInBatch));
      const taken = await this.#offer(batch);
      shard.records.splice(0, taken);
      if (taken > 0 && random.chance(this.#faults.repeated))
        this.#world.after(random.between(500, 60_000), () => void this.#deliver(batch).catch(() => {}));
    }
    shard.running = false;
  }

  /** How many of them need not be told again. */
  async #offer(batch: readonly StreamRecord[]): Promise<number> {
    const records: unknown[] = [...batch];
    if (this.#random.chance(this.#faults.poisoned)) records.splice(this.#random.below(records.length + 1), 0, this.#random.pick(poison));
    try {
      const { batchItemFailures } = await this.#deliver(records);
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const first = batch.findIndex(({ dynamodb }) => failed.has(dynamodb.SequenceNumber));
      return first < 0 ? batch.length : first;
    } catch {
      return 0;
    }
  }
}
