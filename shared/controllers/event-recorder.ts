import type { ObjectClient } from "../api/object-client.ts";
import type { Clock } from "../clock.ts";
import { events } from "../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { Event } from "../kubernetes/types.ts";
import { createEventCorrelator, type ObservedEvent } from "./event-correlator.ts";
import { formatTime } from "./timestamp.ts";

export interface EventRecorderOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  /** Who tells it, e.g. `replicaset-controller`: the event's `source.component` and `reportingComponent`. */
  readonly component: string;
  /** Uniform in [0, 1): keeps names apart that two recorders make within one millisecond. Default: counted from 0. */
  readonly random?: () => number;
  /** Events that wait to be written; what comes beyond is dropped, as client-go's broadcaster does. Default 1,000. */
  readonly queueLength?: number;
  /** Writes at the same time. Default 2. */
  readonly concurrency?: number;
}

/**
 * Tells what happened to an object as Kubernetes Events, off the caller's path: `event` never throws and never waits. The same event again
 * is the same Event object with a higher `count`; too many about one object are counted but not written (see event-correlator.ts).
 */
export interface EventRecorder {
  event(object: KubernetesObject, type: "Normal" | "Warning", reason: string, message: string): void;
  /** Resolves when all that was told has been written or given up; what waits for another attempt is not waited for. */
  flush(): Promise<void>;
}

/** client-go's `maxTriesPerEvent` and `defaultSleepDuration`. */
const tries = 12;
const retryMs = 10_000;

interface WrittenEvent extends ObservedEvent {
  object: KubernetesObject;
  readonly type: string;
  readonly reason: string;
  readonly name: string;
  isCreated: boolean;
  isQueued: boolean;
  isWriting: boolean;
  failures: number;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, component, random, queueLength = 1000, concurrency = 2 } = options;
  let sequence = 0;
  const correlator = createEventCorrelator<WrittenEvent>();
  const queue: WrittenEvent[] = [];
  let head = 0;
  let writing = 0;
  let waiters: (() => void)[] = [];

  /** As client-go names events: the object's name and the time in nanoseconds, hexadecimal. */
  const nameAt = (object: KubernetesObject, ms: number): string => {
    const nanoseconds = random ? Math.floor(random() * 1e6) : sequence++ % 1e6;
    return `${object.metadata.name ?? ""}.${(BigInt(ms) * 1_000_000n + BigInt(nanoseconds)).toString(16)}`;
  };
  const enqueue = (event: WrittenEvent): void => {
    if (event.isQueued || queue.length - head >= queueLength) return;
    event.isQueued = true;
    queue.push(event);
  };
  const write = async (event: WrittenEvent): Promise<void> => {
    const namespace = event.object.metadata.namespace ?? "default";
    if (event.isCreated) {
      const body = { count: event.count, lastTimestamp: formatTime(event.lastMs), message: event.message };
      try {
        await client.patch(events, namespace, event.name, { type: "merge", body }, { fieldManager: component });
        return;
      } catch (error) {
        if (!isStatus(error, "NotFound")) throw error;
      }
    }
    await client.create(events, eventObject(event, namespace, component), { fieldManager: component });
    event.isCreated = true;
  };
  const work = async (event: WrittenEvent): Promise<void> => {
    event.isWriting = true;
    try {
      await write(event);
      event.failures = 0;
    } catch (error) {
      // An Event is best effort: an API that refuses it (a terminating namespace, say) is not asked again, one that is out of order is.
      if (isPassing(error) && ++event.failures < tries) {
        clock.after(retryMs, () => {
          enqueue(event);
          turn();
        });
      }
    }
    event.isWriting = false;
    writing--;
    turn();
  };
  const turn = (): void => {
    for (let left = queue.length - head; left > 0 && writing < concurrency; left--) {
      const event = queue[head++];
      if (event === undefined) break;
      if (event.isWriting) {
        queue.push(event);
        continue;
      }
      event.isQueued = false;
      writing++;
      void work(event);
    }
    if (head === queue.length) {
      queue.length = 0;
      head = 0;
      if (writing > 0) return;
      const resolved = waiters;
      waiters = [];
      for (const resolve of resolved) resolve();
    } else if (head > 1024) {
      queue.splice(0, head);
      head = 0;
    }
  };

  return {
    event(object, type, reason, message) {
      const { apiVersion, kind, metadata } = object;
      const subject = JSON.stringify([apiVersion, kind, metadata.namespace, metadata.name, metadata.uid, type]);
      const { event, isSpam } = correlator.correlate({ subject, reason, message }, clock.now(), (seen) => {
        const name = nameAt(object, seen.firstMs);
        return { ...seen, object, type, reason, name, isCreated: false, isQueued: false, isWriting: false, failures: 0 };
      });
      event.object = object;
      if (isSpam) return;
      enqueue(event);
      turn();
    },
    flush: () => (head === queue.length && writing === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}

function isPassing(error: unknown): boolean {
  return !isStatus(error) || error.code >= 500 || error.code === 429;
}

function eventObject(event: WrittenEvent, namespace: string, component: string): Event {
  const { apiVersion, kind, metadata } = event.object;
  const { name, namespace: home, uid, resourceVersion } = metadata;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: event.name, namespace },
    involvedObject: {
      ...(apiVersion && { apiVersion }),
      ...(kind && { kind }),
      ...(name && { name }),
      ...(home && { namespace: home }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
    },
    reason: event.reason,
    message: event.message,
    type: event.type,
    count: event.count,
    firstTimestamp: formatTime(event.firstMs),
    lastTimestamp: formatTime(event.lastMs),
    source: { component },
    reportingComponent: component,
    reportingInstance: "",
  };
}
