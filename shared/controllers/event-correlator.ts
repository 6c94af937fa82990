/** What client-go's `EventCorrelator` is built with by default (tools/record/events_cache.go). */
const correlation = {
  /** So many different messages of one reason about one object within the interval are combined into one event. */
  similarEvents: 10,
  similarIntervalMs: 600_000,
  /** Events that one source may send about one object at once, and how long one more takes to be allowed. */
  spamBurst: 25,
  spamRefillMs: 300_000,
  /** Entries of each memory; the least recently used ones are forgotten. */
  remembered: 4096,
} as const;

interface Occurrence {
  /** Identifies source, object and type: what the spam filter counts by. */
  readonly subject: string;
  readonly reason: string;
  readonly message: string;
}

/** One Event object and what is known of it. `count` says how often it happened, told or not. */
export interface ObservedEvent {
  readonly firstMs: number;
  lastMs: number;
  count: number;
  message: string;
}

/** `event` is the same object for every occurrence of the same event; `isSpam`: counted, but not worth a write. */
interface Correlated<T extends ObservedEvent> {
  readonly event: T;
  readonly isSpam: boolean;
}

export interface EventCorrelator<T extends ObservedEvent> {
  /** `begin` makes the event of an occurrence that was not seen before. */
  correlate(occurrence: Occurrence, nowMs: number, begin: (seen: ObservedEvent) => T): Correlated<T>;
}

/**
 * Recognizes what happened before, as client-go's `EventCorrelator` does: the same event counts up, ten different messages of one reason
 * become one event "(combined from similar events)", and a source that talks too much about one object is cut off.
 */
export function createEventCorrelator<T extends ObservedEvent>(): EventCorrelator<T> {
  const similar = createRecent<{ messages: Set<string>; lastMs: number }>(correlation.remembered);
  const observed = createRecent<T>(correlation.remembered);
  const buckets = createRecent<{ tokens: number; filledMs: number }>(correlation.remembered);

  const aggregate = ({ subject, reason, message }: Occurrence, nowMs: number): { key: string; message: string } => {
    const group = JSON.stringify([subject, reason]);
    let record = similar.get(group);
    if (record === undefined || nowMs - record.lastMs > correlation.similarIntervalMs) record = { messages: new Set(), lastMs: nowMs };
    record.messages.add(message);
    record.lastMs = nowMs;
    similar.set(group, record);
    if (record.messages.size < correlation.similarEvents) return { key: JSON.stringify([subject, reason, message]), message };
    for (const oldest of record.messages) {
      record.messages.delete(oldest);
      break;
    }
    return { key: group, message: `(combined from similar events): ${message}` };
  };
  const takeToken = (subject: string, nowMs: number): boolean => {
    const bucket = buckets.get(subject) ?? { tokens: correlation.spamBurst, filledMs: nowMs };
    const refilled = Math.max(0, nowMs - bucket.filledMs) / correlation.spamRefillMs;
    const tokens = Math.min(correlation.spamBurst, bucket.tokens + refilled);
    const isAllowed = tokens >= 1;
    buckets.set(subject, { tokens: isAllowed ? tokens - 1 : tokens, filledMs: nowMs });
    return isAllowed;
  };

  return {
    correlate(occurrence, nowMs, begin) {
      const { key, message } = aggregate(occurrence, nowMs);
      let event = observed.get(key);
      if (event === undefined) {
        event = begin({ firstMs: nowMs, lastMs: nowMs, count: 1, message });
      } else {
        event.count++;
        event.lastMs = nowMs;
        event.message = message;
      }
      observed.set(key, event);
      return { event, isSpam: !takeToken(occurrence.subject, nowMs) };
    },
  };
}

function createRecent<V>(limit: number): { get(key: string): V | undefined; set(key: string, value: V): void } {
  const entries = new Map<string, V>();
  return {
    get: (key) => entries.get(key),
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size <= limit) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    },
  };
}
