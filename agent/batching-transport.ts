import type { SyncRequestInput, SyncResponse } from "../shared/api/agent/protocol.ts";
import type { Clock } from "../shared/clock.ts";
import { type AgentTransport, createHttpTransport, type HttpTransportOptions, syncBatch, TransportError } from "./transport.ts";

interface Waiting {
  readonly credential: string;
  readonly sync: SyncRequestInput;
  resolve(answer: SyncResponse): void;
  reject(error: TransportError): void;
}

/** So that one node's news makes few others ask again. */
const batchSize = 50;
/** How long a call waits for others to share the way with. */
const gatherMs = 10;

/**
 * Transports for many nodes of one process: calls of about the same time travel together, so that a thousand idle nodes hold twenty
 * requests. Held calls and reports never share a batch.
 */
export function createBatchingTransports(
  options: HttpTransportOptions & { readonly clock: Clock },
): (credential: string) => AgentTransport {
  const gather = (held: boolean): ((call: Waiting) => void) => {
    let waiting: Waiting[] = [];
    let scheduled = false;
    const send = async (calls: readonly Waiting[]): Promise<void> => {
      const waitSeconds = held ? Math.min(...calls.map(({ sync }) => sync.waitSeconds ?? 0)) : 0;
      try {
        const answers = await syncBatch(
          options,
          calls.map(({ credential, sync }) => ({ credential, sync })),
          waitSeconds,
        );
        for (const [index, answer] of answers.entries()) {
          if (answer.kind === "answer") calls[index]?.resolve(answer.answer);
          else calls[index]?.reject(new TransportError(answer.problem.detail ?? answer.problem.title, answer.problem.status));
        }
      } catch (error) {
        const failure = error instanceof TransportError ? error : new TransportError("the call failed", undefined, error);
        for (const { reject } of calls) reject(failure);
      }
    };
    return (call) => {
      waiting.push(call);
      if (scheduled) return;
      scheduled = true;
      options.clock.after(gatherMs, () => {
        scheduled = false;
        const calls = waiting;
        waiting = [];
        for (let from = 0; from < calls.length; from += batchSize) void send(calls.slice(from, from + batchSize));
      });
    };
  };
  const hold = gather(true);
  const report = gather(false);
  return (credential) => ({
    ...createHttpTransport(options, credential),
    sync: (sync) =>
      new Promise((resolve, reject) => {
        const call = { credential, sync, resolve, reject };
        if ((sync.waitSeconds ?? 0) > 0) hold(call);
        else report(call);
      }),
  });
}
