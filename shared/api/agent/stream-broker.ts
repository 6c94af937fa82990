import type { Clock } from "../../clock.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { StreamRequest } from "./protocol.ts";

/** A node's place in the broker. */
export interface StreamNode {
  readonly pool: string;
  readonly nodeName: string;
}

/**
 * Brings a caller of the cluster API together with the node that runs the container: the caller opens, the node learns of it in
 * its next sync (a held one is woken) and delivers the answer as a body.
 */
export interface StreamBroker {
  /**
   * Resolves when the node begins its answer; cancelling the stream ends the node's side.
   * @throws StatusError as the node refused, or `Timeout` (504) when it did not answer in `answerSeconds`.
   */
  open(node: StreamNode, request: StreamRequest): Promise<ReadableStream<Uint8Array>>;
  /** Requests the node was not told yet; telling them once is enough, an unanswered one times out. */
  take(node: StreamNode): PendingStreams | Promise<PendingStreams>;
  hasPending(node: StreamNode): boolean;
  /** The node's answer. Resolves when the caller has read all of it or gone away. `absent`: nobody waits for it (any more). */
  deliver(node: StreamNode, id: string, body: ReadableStream<Uint8Array>): Promise<"delivered" | "absent">;
  /** The node's refusal. */
  refuse(node: StreamNode, id: string, error: StatusError): "delivered" | "absent" | Promise<"delivered" | "absent">;
  /** Calls when a node has something to take. Returns the unsubscriber. */
  onPending(listener: (node: StreamNode) => void): () => void;
}

export type PendingStreams = (StreamRequest & { readonly id: string })[];

interface Waiting {
  readonly node: string;
  readonly request: StreamRequest & { readonly id: string };
  told: boolean;
  resolve(body: ReadableStream<Uint8Array>): void;
  reject(error: Error): void;
  stopTimer(): void;
}

export function createStreamBroker(options: { clock: Clock; newId: () => string; answerSeconds?: number }): StreamBroker {
  const { clock, newId, answerSeconds = 30 } = options;
  const waiting = new Map<string, Waiting>();
  const listeners = new Set<(node: StreamNode) => void>();
  const keyOf = (node: StreamNode): string => `${node.pool}/${node.nodeName}`;

  const claim = (node: StreamNode, id: string): Waiting | undefined => {
    const entry = waiting.get(id);
    if (entry === undefined || entry.node !== keyOf(node)) return undefined;
    waiting.delete(id);
    entry.stopTimer();
    return entry;
  };

  return {
    open(node, request) {
      return new Promise((resolve, reject) => {
        const id = newId();
        const stopTimer = clock.after(answerSeconds * 1000, () => {
          waiting.delete(id);
          reject(new StatusError("Timeout", `node ${node.nodeName} did not answer within ${answerSeconds} seconds`));
        });
        waiting.set(id, { node: keyOf(node), request: { ...request, id }, told: false, resolve, reject, stopTimer });
        for (const listener of listeners) listener(node);
      });
    },
    take(node) {
      const key = keyOf(node);
      const taken = [...waiting.values()].filter((entry) => entry.node === key && !entry.told);
      for (const entry of taken) entry.told = true;
      return taken.map((entry) => entry.request);
    },
    hasPending(node) {
      if (waiting.size === 0) return false;
      const key = keyOf(node);
      for (const entry of waiting.values()) if (entry.node === key && !entry.told) return true;
      return false;
    },
    async deliver(node, id, body) {
      const entry = claim(node, id);
      if (entry === undefined) {
        await body.cancel();
        return "absent";
      }
      await new Promise<void>((finished) => entry.resolve(observed(body, finished)));
      return "delivered";
    },
    refuse(node, id, error) {
      const entry = claim(node, id);
      if (entry === undefined) return "absent";
      entry.reject(error);
      return "delivered";
    },
    onPending(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The same bytes; says once when they have ended, failed or are no longer wanted. */
function observed(body: ReadableStream<Uint8Array>, finished: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      finished();
    },
    async cancel(reason) {
      finished();
      await reader.cancel(reason);
    },
  });
}
