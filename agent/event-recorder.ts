import type { EventReport } from "../shared/api/agent/protocol.ts";
import type { Clock } from "../shared/clock.ts";
import type { Pod } from "../shared/kubernetes/types.ts";

export type ContainerList = "containers" | "initContainers" | "ephemeralContainers";

/** The container of a pod that an event is about. */
export interface AboutContainer {
  readonly name: string;
  readonly list: ContainerList;
}

export interface AgentEventRecorder {
  /** `container` puts `spec.containers{NAME}` into the event's field path. */
  pod(cluster: string, pod: Pod, type: "Normal" | "Warning", reason: string, message: string, container?: AboutContainer): void;
  /** Takes what waits to be sent. */
  take(limit: number): EventReport[];
  /** Gives back what could not be sent. */
  restore(events: readonly EventReport[]): void;
  readonly size: number;
}

/** client-go's figures: alike events within 10 minutes are counted; 25 at once for one object, then one in 5 minutes. */
const alikeMs = 600_000;
const burst = 25;
const refillMs = 300_000;
const kept = 2000;

export function createAgentEventRecorder({ clock, onEvent }: { clock: Clock; onEvent: () => void }): AgentEventRecorder {
  const alike = new Map<string, EventReport>();
  const allowance = new Map<string, { tokens: number; atMs: number }>();
  let serial = 0;
  let waiting = new Map<string, EventReport>();

  const allowed = (uid: string, nowMs: number): boolean => {
    const before = allowance.get(uid) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, before.tokens + (nowMs - before.atMs) / refillMs);
    if (tokens >= 1) allowance.set(uid, { tokens: tokens - 1, atMs: nowMs });
    if (allowance.size > kept) allowance.delete(allowance.keys().next().value ?? "");
    return tokens >= 1;
  };

  return {
    pod(cluster, pod, type, reason, message, container) {
      const nowMs = clock.now();
      const uid = pod.metadata.uid ?? "";
      if (!allowed(uid, nowMs)) return;
      const list = container?.list ?? "containers";
      const fieldPath = container === undefined ? undefined : `spec.${list}{${container.name}}`;
      const key = [cluster, uid, fieldPath, type, reason, message].join("\n");
      const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z");
      const before = alike.get(key);
      alike.delete(key);
      const again = before !== undefined && nowMs - Date.parse(before.lastTimestamp) < alikeMs;
      const name = pod.metadata.name ?? "";
      const suffix = (BigInt(nowMs) * 1_000_000n + BigInt(serial++ % 1_000_000)).toString(16);
      const event: EventReport = again
        ? { ...before, count: before.count + 1, lastTimestamp: now }
        : {
            cluster,
            name: `${name}.${suffix}`,
            namespace: pod.metadata.namespace ?? "",
            involvedObject: {
              apiVersion: "v1",
              kind: "Pod",
              namespace: pod.metadata.namespace ?? "",
              name,
              uid,
              ...(fieldPath === undefined ? {} : { fieldPath }),
            },
            type,
            reason,
            message: message.slice(0, 1024),
            count: 1,
            firstTimestamp: now,
            lastTimestamp: now,
            component: "kubelet",
          };
      alike.set(key, event);
      if (alike.size > kept) alike.delete(alike.keys().next().value ?? "");
      if (waiting.size < kept) waiting.set(`${cluster}/${event.namespace}/${event.name}`, event);
      onEvent();
    },
    take(limit) {
      const entries = [...waiting].slice(0, limit);
      for (const [key] of entries) waiting.delete(key);
      return entries.map(([, event]) => event);
    },
    restore(events) {
      const back = events.map((event) => [`${event.cluster}/${event.namespace}/${event.name}`, event] as const);
      waiting = new Map([...back, ...waiting].slice(0, kept));
    },
    get size() {
      return waiting.size;
    },
  };
}
