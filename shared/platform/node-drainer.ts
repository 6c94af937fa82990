import type { PlatformContext } from "./context.ts";
import type { NodeRegistry } from "./nodes.ts";
import { isPlatformError } from "./problem.ts";
import type { NodeOperations } from "./provisioner.ts";
import { partitions } from "./record-keys.ts";
import { deleteRecord, everyRecord } from "./records.ts";
import { createRounds, type Rounds } from "./rounds.ts";

/** Goes on with every drain and every removal that was begun, also by another process or before a crash. */
export interface NodeDrainer extends Rounds {
  round(): Promise<number>;
}

export function createNodeDrainer({ store, clock, log }: PlatformContext, nodes: NodeRegistry, operations: NodeOperations): NodeDrainer {
  async function drainNodes(): Promise<number> {
    let pending = 0;
    for await (const { partition, sort, value } of everyRecord(store, partitions.drainingNodes)) {
      const { tenant, pool, node: name } = value;
      if (typeof tenant !== "string" || typeof pool !== "string" || typeof name !== "string") continue;
      try {
        const node = await nodes.get(tenant, pool, name);
        const outcome = node.value.drain === "draining" ? await operations.drain(node.value) : "done";
        if (outcome === "pending") pending++;
        else await nodes.markDrained(node.value);
        // It may have been taken back into service while it was made unschedulable.
        if ((await nodes.get(tenant, pool, name)).value.drain === "none") await operations.uncordon(node.value);
      } catch (error) {
        if (isPlatformError(error, "not-found")) await store.writeRecords([deleteRecord({ partition, sort })]);
        else {
          pending++;
          log.error("node not drained yet", error, { pool, node: name });
        }
      }
    }
    return pending;
  }

  async function finishRemovals(): Promise<number> {
    let pending = 0;
    for await (const { partition, sort, value } of everyRecord(store, partitions.removingNodes)) {
      const { tenant, pool, node: name } = value;
      if (typeof tenant !== "string" || typeof pool !== "string" || typeof name !== "string") continue;
      try {
        const outcome = await nodes.finishRemoval({ tenant, pool, name }, { partition, sort });
        if (outcome === "joined-anew") await store.writeRecords([deleteRecord({ partition, sort })]);
      } catch (error) {
        pending++;
        log.error("node not taken out of its clusters yet", error, { pool, node: name });
      }
    }
    return pending;
  }

  const round = async (): Promise<number> => (await finishRemovals()) + (await drainNodes());
  return { ...createRounds({ clock, log, name: "node-drainer", round, retryMs: 1000, restMs: 30_000 }), round };
}
