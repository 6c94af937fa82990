import type { z } from "zod";
import type { AgentApiOptions, AgentApiPorts, NodeChanges } from "./agent-api-ports.ts";
import type { NodeRegistry, WaitingNode } from "./node-registry.ts";
import { busyFrom, nextSyncSeconds, readState, writeState } from "./polling.ts";
import type { NodeIdentity, PoolCluster } from "./ports.ts";
import { problemOf } from "./problem.ts";
import type { SyncRequest, SyncResponse, syncBatchRequest, syncBatchResponse } from "./protocol.ts";
import { answerTokenRequests, applySync } from "./sync-node.ts";

export interface SyncCalls {
  /** One node's call: held until there is news where the host holds calls, else answered at once. */
  one(node: NodeIdentity, request: SyncRequest, signal: AbortSignal): Promise<SyncResponse>;
  /** Those of many nodes of one agent, held together while there is news for none of them. What is wrong with one call concerns no other. */
  many(batch: z.output<typeof syncBatchRequest>, signal: AbortSignal): Promise<z.input<typeof syncBatchResponse>>;
}

export interface SyncCallsOptions {
  readonly ports: AgentApiPorts;
  readonly registry: NodeRegistry;
  readonly settings: AgentApiOptions;
  /** @throws AgentProblem */
  readonly identify: (credential: string) => Promise<NodeIdentity>;
}

export function createSyncCalls({ ports, registry, settings, identify }: SyncCallsOptions): SyncCalls {
  const { pool, tokens, streams, changes, clock, log, newId } = ports;

  /** Everything of a sync but the waiting. */
  const report = async (node: NodeIdentity, request: SyncRequest): Promise<Reported> => {
    pool.seen(node, clock.now());
    if (request.usage !== undefined) pool.usage(node, request.usage);
    const state = await registry.refresh(node, request.node);
    const clusters: ReadonlyMap<string, PoolCluster> = state.clusters;
    const retry = await applySync(clusters, node, request, log);
    const answers = await answerTokenRequests(clusters, node, request.tokenRequests, { issuer: tokens, log });
    return { retry, tokens: answers, sendNode: state.described === undefined };
  };

  /** Streams are told once, so only to a call that asks for news and whose agent still listens. */
  const answer = async (node: NodeIdentity, request: SyncRequest, reported: Reported, { aborted }: AbortSignal): Promise<SyncResponse> => {
    const { pollSeconds } = settings;
    if (request.marks === undefined || aborted) return { news: [], ...reported, streams: [], nextSyncSeconds: pollSeconds };
    const told = await registry.news(waitingNode(node, request));
    return { ...told, ...reported, streams: await streams.take(node), nextSyncSeconds: pollSeconds };
  };

  /** One call that is not held. */
  const syncByState = async (
    changes: NodeChanges,
    node: NodeIdentity,
    request: SyncRequest,
    signal: AbortSignal,
  ): Promise<SyncResponse> => {
    const state = await changes.state(node);
    const said = readState(request.state, clock.now());
    const next = (busyUntilMs: number): number => nextSyncSeconds(settings, busyUntilMs, clock.now());
    if (said && request.marks !== undefined && said.known === state && saysNothing(request)) {
      pool.seen(node, clock.now());
      const nothing = { news: [], retry: [], tokens: [], streams: [], sendNode: false };
      return { ...nothing, state: writeState(said), nextSyncSeconds: next(said.busyUntilMs) };
    }
    await changes.follow(node, state);
    const answered = await answer(node, request, await report(node, request), signal);
    const isBusy = answered.news.length > 0 || answered.streams.length > 0 || !saysNothing(request) || answered.sendNode;
    const busyUntilMs = isBusy ? busyFrom(clock.now()) : (said?.busyUntilMs ?? 0);
    // Who did not ask for news was not told of it.
    const known = request.marks === undefined ? said?.known : state;
    return { ...answered, ...(known !== undefined && { state: writeState({ known, busyUntilMs }) }), nextSyncSeconds: next(busyUntilMs) };
  };

  const wait = (waiting: readonly WaitingNode[], waitSeconds: number, signal: AbortSignal): Promise<void> =>
    registry.waitForNews(waiting, Math.min(waitSeconds, settings.holdSeconds), signal);

  /** What is known of a call of a batch before anybody waits. */
  const begin = async (credential: string, sync: SyncRequest, signal: AbortSignal) => {
    try {
      const node = await identify(credential);
      if (changes) return { kind: "answer", answer: await syncByState(changes, node, sync, signal) } as const;
      return { kind: "node", node, sync, reported: await report(node, sync) } as const;
    } catch (error) {
      return { kind: "problem", problem: problemOf(error, log, newId) } as const;
    }
  };

  return {
    async one(node, request, signal) {
      if (changes) return syncByState(changes, node, request, signal);
      const reported = await report(node, request);
      if (mayWait(request, reported)) await wait([waitingNode(node, request)], request.waitSeconds, signal);
      return answer(node, request, reported, signal);
    },
    async many({ calls, waitSeconds }, signal) {
      const outcomes = await Promise.all(calls.map(({ credential, sync }) => begin(credential, sync, signal)));
      const good = outcomes.flatMap((outcome) => (outcome.kind === "node" ? [outcome] : []));
      if (good.length === outcomes.length && good.every(({ sync, reported }) => mayWait(sync, reported)))
        await wait(
          good.map(({ node, sync }) => waitingNode(node, sync)),
          waitSeconds,
          signal,
        );
      const answers = await Promise.all(
        outcomes.map(async (outcome) =>
          outcome.kind !== "node"
            ? outcome
            : ({ kind: "answer", answer: await answer(outcome.node, outcome.sync, outcome.reported, signal) } as const),
        ),
      );
      return { answers };
    },
  };
}

type Reported = Pick<SyncResponse, "retry" | "tokens" | "sendNode">;

const mayWait = (request: SyncRequest, reported: Reported): boolean =>
  request.marks !== undefined && reported.tokens.length === 0 && reported.retry.length === 0 && !reported.sendNode;

/** A call that carries nothing up but that the node is there. */
const saysNothing = ({ node, statuses, ended, events, tokenRequests }: SyncRequest): boolean =>
  node === undefined && statuses.length === 0 && ended.length === 0 && events.length === 0 && tokenRequests.length === 0;

const waitingNode = (node: NodeIdentity, { marks = {}, routes = false, peersMark }: SyncRequest): WaitingNode => ({
  ...{ node, marks, routes, peersMark },
});
