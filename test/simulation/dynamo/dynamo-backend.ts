import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { type ClusterBase, emptyBase } from "../../../shared/store/cluster-base.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { scopeOf } from "../../../shared/store/dynamo/keys.ts";
import { defaultRetryPolicy } from "../../../shared/store/dynamo/retrying-table.ts";
import type { Backend } from "../bench.ts";
import type { SeenEntry } from "../history.ts";
import { cluster } from "../objects.ts";
import type { Plan } from "../plan.ts";
import { createRandom } from "../random.ts";
import { Truth } from "../truth.ts";
import type { World } from "../world.ts";
import { createLogWitness } from "./log-witness.ts";
import { SimulatedDynamo } from "./simulated-dynamo.ts";
import { onlySlow, TableClient } from "./table-client.ts";

/** What a plan says of the table. */
export type TablePlan = Pick<Plan, "seed" | "faults" | "applyMs" | "slowShare" | "attempts" | "stream">;

/** One table for all processes; its stream tells each of them of what was written, some time later, now and then twice. */
export function createDynamoBackend(
  plan: TablePlan,
  world: World,
  onEntry: (entry: SeenEntry, object: KubernetesObject) => void = () => {},
  base: ClusterBase = emptyBase,
): Backend {
  const random = createRandom(plan.seed, "dynamo");
  const truth = new Truth();
  const stores = new Set<{ store: DynamoStore; alive: () => boolean }>();
  const wakeAll = (): void => {
    for (const entry of stores) {
      if (entry.alive()) entry.store.wake(cluster);
      else stores.delete(entry);
    }
  };
  const streamed = (): void => {
    if (!plan.stream) return;
    const deliveries = random.chance(0.1) ? 2 : 1;
    for (let i = 0; i < deliveries; i++) world.after(random.chance(0.1) ? random.between(500, 5000) : random.between(20, 200), wakeAll);
  };
  const dynamo = new SimulatedDynamo(
    world,
    random,
    plan,
    createLogWitness(scopeOf(cluster), truth, (entry, object) => {
      streamed();
      onEntry(entry, object);
    }),
  );
  const backend: Backend = {
    truth,
    healthy: false,
    openStore(process) {
      const table = new TableClient(dynamo, process, () => (backend.healthy ? onlySlow(plan.faults) : plan.faults));
      let ids = 0;
      const makeId = (): string => `${process.name}-${++ids}`;
      const store = new DynamoStore({
        table,
        clock: process.clock,
        random: process.random.next,
        makeId,
        base,
        retries: { ...defaultRetryPolicy, attempts: plan.attempts },
      });
      stores.add({ store, alive: () => process.alive });
      return store;
    },
    crashed() {},
    sweep: (share) => dynamo.sweep(share),
  };
  return backend;
}
