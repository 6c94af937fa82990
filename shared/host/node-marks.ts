import type { NodeIdentity } from "../api/agent/ports.ts";
import { recordKeys } from "../platform/record-keys.ts";
import { putRecord } from "../platform/records.ts";
import type { RecordKey, Store } from "../store/store.ts";

/**
 * How an agent's call learns that there is nothing new without looking at any cluster: a small record a node and one a pool, whose versions grow
 * when something changed that the node (every node of the pool) has to be told. They are written after the change, so what is read after them shows it.
 */
export interface NodeMarks {
  /** Both versions as one opaque word: the same word, nothing new. And when the node spoke last, by its heartbeat. One request for three small items. */
  state(node: NodeIdentity): Promise<{ readonly word: string; readonly lastSeenMs: number | undefined }>;
  nodesChanged(tenant: string, pool: string, nodeNames: Iterable<string>): Promise<void>;
  poolChanged(tenant: string, pool: string): Promise<void>;
}

const atOnce = 16;

export function createNodeMarks(store: Store): NodeMarks {
  const grow = async (mark: RecordKey): Promise<void> => {
    await store.writeRecords([putRecord(mark, undefined, {})]);
  };
  return {
    async state({ tenant, pool, nodeName }) {
      const [own, all, heartbeat] = await store.getRecords([
        recordKeys.mark(tenant, pool, nodeName),
        recordKeys.poolMark(tenant, pool),
        recordKeys.heartbeat(tenant, pool, nodeName),
      ]);
      const lastSeenMs = heartbeat?.value.lastSeenMs;
      return {
        word: `${own?.version ?? 0}.${all?.version ?? 0}`,
        lastSeenMs: typeof lastSeenMs === "number" ? lastSeenMs : undefined,
      };
    },
    async nodesChanged(tenant, pool, nodeNames) {
      const names = [...nodeNames];
      for (let at = 0; at < names.length; at += atOnce)
        await Promise.all(names.slice(at, at + atOnce).map((name) => grow(recordKeys.mark(tenant, pool, name))));
    },
    poolChanged: (tenant, pool) => grow(recordKeys.poolMark(tenant, pool)),
  };
}
