import type { TokenAnswer, TokenRequest } from "../shared/api/agent/protocol.ts";
import type { Clock } from "../shared/clock.ts";

/** ServiceAccount tokens of the node's pods. */
export interface TokenCache {
  /** The token at hand if it has not reached 80 % of its life, else a fresh one. Rejects when the server refuses it. */
  get(request: TokenRequest): Promise<string>;
  /** When the first of the pod's tokens reaches 80 % of its life. */
  refreshAtMs(podUid: string): number | undefined;
  /** Requests that wait to be sent. */
  take(limit: number): TokenRequest[];
  /** Gives back what could not be sent. */
  restore(requests: readonly TokenRequest[]): void;
  answer(answers: readonly TokenAnswer[]): void;
  forget(podUid: string): void;
  readonly size: number;
}

interface Held {
  readonly podUid: string;
  readonly token: string;
  readonly refreshAtMs: number;
  readonly expiresAtMs: number;
}

const answerSeconds = 60;

type KeyParts = Pick<TokenRequest, "cluster" | "podUid" | "audience" | "expirationSeconds">;
const keyOf = ({ cluster, podUid, audience, expirationSeconds }: KeyParts): string =>
  [cluster, podUid, audience, expirationSeconds].join("\n");

export function createTokenCache({ clock, onRequest }: { clock: Clock; onRequest: () => void }): TokenCache {
  const held = new Map<string, Held>();
  const waiting = new Map<string, { promise: Promise<string>; resolve(token: string): void; reject(error: Error): void }>();
  const unsent = new Map<string, TokenRequest>();

  const fetch = (key: string, request: TokenRequest): Promise<string> => {
    const under = waiting.get(key);
    if (under !== undefined) return under.promise;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const entry = { promise, resolve, reject };
    waiting.set(key, entry);
    unsent.set(key, request);
    const stopTimer = clock.after(answerSeconds * 1000, () => reject(new Error("timed out waiting for a ServiceAccount token")));
    const settled = (): void => {
      stopTimer();
      if (waiting.get(key) === entry) waiting.delete(key);
    };
    promise.then(settled, settled);
    onRequest();
    return promise;
  };

  return {
    async get(request) {
      const key = keyOf(request);
      const known = held.get(key);
      if (known !== undefined && clock.now() < known.refreshAtMs) return known.token;
      try {
        return await fetch(key, request);
      } catch (error) {
        if (known !== undefined && clock.now() < known.expiresAtMs) return known.token;
        throw error;
      }
    },
    refreshAtMs(podUid) {
      const times = [...held.values()].filter((entry) => entry.podUid === podUid).map(({ refreshAtMs }) => refreshAtMs);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    take(limit) {
      const entries = [...unsent].slice(0, limit);
      for (const [key] of entries) unsent.delete(key);
      return entries.map(([, request]) => request);
    },
    restore(requests) {
      for (const request of requests) if (waiting.has(keyOf(request))) unsent.set(keyOf(request), request);
    },
    answer(answers) {
      for (const { token, expiresAt, message, ...request } of answers) {
        const key = keyOf(request);
        if (token === undefined || expiresAt === undefined) {
          waiting.get(key)?.reject(new Error(message ?? "the server refused a ServiceAccount token"));
          continue;
        }
        const nowMs = clock.now();
        const expiresAtMs = Date.parse(expiresAt);
        held.set(key, { podUid: request.podUid, token, expiresAtMs, refreshAtMs: nowMs + (expiresAtMs - nowMs) * 0.8 });
        waiting.get(key)?.resolve(token);
      }
    },
    forget(podUid) {
      for (const [key, entry] of held) if (entry.podUid === podUid) held.delete(key);
    },
    get size() {
      return unsent.size;
    },
  };
}
