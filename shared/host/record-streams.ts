import { z } from "zod";
import type { NodeIdentity } from "../api/agent/ports.ts";
import { type StreamRequest, streamRequest } from "../api/agent/protocol.ts";
import type { PendingStreams, StreamBroker, StreamNode } from "../api/agent/stream-broker.ts";
import { type Clock, sleep } from "../clock.ts";
import { StatusError, type StatusReason, statusCodes } from "../kubernetes/status-error.ts";
import { deleteRecord, putRecord } from "../platform/records.ts";
import type { RecordKey, Store } from "../store/store.ts";
import type { NodeMarks } from "./node-marks.ts";

export interface RecordStreamsOptions {
  readonly store: Store;
  readonly tenant: string;
  readonly marks: NodeMarks;
  readonly clock: Clock;
  readonly newId: () => string;
  /** An agent that was told to call again in half a minute hears of the request only then. */
  readonly answerSeconds?: number;
}

const chunkBytes = 192 * 1024;
const digits = 15;
const lookAgainMs = { first: 150, longest: 1000 } as const;

const requestValue = z.object({ request: streamRequest, told: z.boolean() });
const chunkValue = z.union([
  z.object({ kind: z.literal("bytes"), base64: z.string() }),
  z.object({ kind: z.literal("end") }),
  z.object({ kind: z.literal("refused"), reason: z.string(), message: z.string() }),
]);
type Chunk = z.infer<typeof chunkValue>;

/**
 * Brings callers of the cluster API together with nodes where each is served by another process: by records. A request waits for the agent's next call, and
 * the answer is read as it is written, some hundred milliseconds later. What nobody fetched goes with the node's next call after its time.
 */
export function createRecordStreams(options: RecordStreamsOptions): Pick<StreamBroker, "open" | "take" | "deliver" | "refuse"> {
  const { store, tenant, marks, clock, newId, answerSeconds = 45 } = options;
  const partitionOf = ({ pool, nodeName }: StreamNode): string => `${tenant}#streams#${pool}/${nodeName}`;
  const requestKey = (node: StreamNode, id: string): RecordKey => ({ partition: partitionOf(node), sort: `request/${id}` });
  const chunkKey = (node: StreamNode, id: string, number: number): RecordKey => ({
    partition: partitionOf(node),
    sort: `chunk/${id}/${String(number).padStart(6, "0")}`,
  });
  const stamp = (ms: number): string => String(ms).padStart(digits, "0");
  const expiryOf = (id: string): number => Number(id.slice(0, digits));

  async function chunksFrom(node: StreamNode, id: string, number: number): Promise<Chunk[]> {
    const { partition, sort } = chunkKey(node, id, number);
    const records = await store.queryRecords(partition, { from: sort, to: `chunk/${id}/~`, limit: 20 });
    return records.map(({ value }) => chunkValue.parse(value));
  }

  async function forget(node: StreamNode, id: string, chunks: number): Promise<void> {
    await store.writeRecords([deleteRecord(requestKey(node, id))]);
    for (let number = 0; number < chunks; number++) await store.writeRecords([deleteRecord(chunkKey(node, id, number))]);
  }

  /** Takes the request, so that it is answered once. */
  async function claim(node: StreamNode, id: string): Promise<boolean> {
    const [record] = await store.getRecords([requestKey(node, id)]);
    if (!record || expiryOf(id) < clock.now()) return false;
    await store.writeRecords([deleteRecord(requestKey(node, id), record.version)]);
    return true;
  }

  const put = (node: StreamNode, id: string, number: number, chunk: Chunk): Promise<unknown> =>
    store.writeRecords([putRecord(chunkKey(node, id, number), undefined, chunk)]);

  return {
    async open(node, request: StreamRequest) {
      const untilMs = clock.now() + answerSeconds * 1000;
      const id = `${stamp(untilMs)}-${newId()}`;
      await store.writeRecords([putRecord(requestKey(node, id), 0, { request, told: false })]);
      await marks.nodesChanged(tenant, node.pool, [node.nodeName]);
      let next = 0;
      let waitMs: number = lookAgainMs.first;
      const read = async (endMs: number): Promise<Chunk[]> => {
        for (;;) {
          const chunks = await chunksFrom(node, id, next);
          next += chunks.length;
          if (chunks.length > 0) {
            waitMs = lookAgainMs.first;
            return chunks;
          }
          if (clock.now() >= endMs) {
            await forget(node, id, next);
            throw new StatusError("Timeout", `node ${node.nodeName} did not answer within ${answerSeconds} seconds`);
          }
          await sleep(clock, waitMs);
          waitMs = Math.min(lookAgainMs.longest, waitMs * 1.5);
        }
      };
      const first = await read(untilMs);
      const [head] = first;
      if (head?.kind === "refused") {
        await forget(node, id, next);
        throw new StatusError(reasonOf(head.reason), head.message);
      }
      let waiting = first;
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (waiting.length === 0) waiting = await read(clock.now() + answerSeconds * 1000);
          const given = waiting;
          waiting = [];
          for (const chunk of given) {
            if (chunk.kind === "bytes") controller.enqueue(Buffer.from(chunk.base64, "base64"));
            else {
              await forget(node, id, next);
              return controller.close();
            }
          }
        },
        cancel: () => forget(node, id, next),
      });
    },
    async take(node) {
      const partition = partitionOf(node);
      const now = stamp(clock.now());
      const [requests, over] = await Promise.all([
        store.queryRecords(partition, { from: "request/", to: "request/~", limit: 100 }),
        store.queryRecords(partition, { from: "chunk/", to: `chunk/${now}`, limit: 100 }),
      ]);
      const told: PendingStreams = [];
      for (const { sort, value, version } of requests) {
        const id = sort.slice("request/".length);
        const parsed = requestValue.safeParse(value);
        if (!parsed.success || expiryOf(id) < clock.now()) over.push({ partition, sort, value, version });
        else if (!parsed.data.told) {
          await store.writeRecords([putRecord(requestKey(node, id), undefined, { ...parsed.data, told: true })]);
          told.push({ ...parsed.data.request, id });
        }
      }
      for (const { sort } of over) await store.writeRecords([deleteRecord({ partition, sort })]);
      return told;
    },
    async deliver(node, id, body) {
      if (!(await claim(node, id))) {
        await body.cancel();
        return "absent";
      }
      let number = 0;
      for await (const piece of inPieces(body)) await put(node, id, number++, { kind: "bytes", base64: piece.toString("base64") });
      await put(node, id, number, { kind: "end" });
      return "delivered";
    },
    async refuse(node, id, error) {
      if (!(await claim(node, id))) return "absent";
      await put(node, id, 0, { kind: "refused", reason: error.reason, message: error.message });
      return "delivered";
    },
  };
}

/** The broker of agents of all tenants. Nothing is held on such a host, so nobody is told of what is pending. */
export function createStreamsOfAll(of: (tenant: string) => Pick<StreamBroker, "open" | "take" | "deliver" | "refuse">): StreamBroker {
  const its = (node: StreamNode | NodeIdentity) => of("tenant" in node ? node.tenant : "");
  return {
    open: (node, request) => its(node).open(node, request),
    take: (node) => its(node).take(node),
    deliver: (node, id, body) => its(node).deliver(node, id, body),
    refuse: (node, id, error) => its(node).refuse(node, id, error),
    hasPending: () => false,
    onPending: () => () => {},
  };
}

const reasonOf = (text: string): StatusReason => (Object.hasOwn(statusCodes, text) ? (text as StatusReason) : "InternalError");

async function* inPieces(body: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of body) {
    held = Buffer.concat([held, chunk]);
    for (; held.length >= chunkBytes; held = held.subarray(chunkBytes)) yield held.subarray(0, chunkBytes);
  }
  if (held.length > 0) yield held;
}
