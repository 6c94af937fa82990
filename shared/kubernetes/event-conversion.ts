import type { KubernetesObject } from "./object.ts";
import type { Event, EventsV1Event } from "./types.ts";

/**
 * Core and `events.k8s.io` events are one resource in two spellings: the same values under other names. Fields that both
 * spellings always show are shown here too, empty or null. Source: Kubernetes' `pkg/apis/events/v1/conversion.go`.
 */
export function eventToEventsGroup(event: Event): KubernetesObject {
  const { metadata, action, related, series, reason, type, message, count } = event;
  const converted = {
    kind: "Event",
    apiVersion: "events.k8s.io/v1",
    metadata,
    eventTime: event.eventTime ?? null,
    ...(series && { series }),
    ...optional("reportingController", event.reportingComponent),
    ...optional("reportingInstance", event.reportingInstance),
    ...optional("action", action),
    ...optional("reason", reason),
    regarding: event.involvedObject ?? {},
    ...(related && { related }),
    ...optional("note", message),
    ...optional("type", type),
    deprecatedSource: event.source ?? {},
    deprecatedFirstTimestamp: event.firstTimestamp ?? null,
    deprecatedLastTimestamp: event.lastTimestamp ?? null,
    ...(count && { deprecatedCount: count }),
  };
  return converted;
}

/** The inverse of `eventToEventsGroup`. */
export function eventFromEventsGroup(event: EventsV1Event): KubernetesObject {
  const { metadata, action, related, series, reason, type, note, deprecatedCount } = event;
  const converted = {
    kind: "Event",
    apiVersion: "v1",
    metadata,
    involvedObject: event.regarding ?? {},
    ...optional("reason", reason),
    ...optional("message", note),
    source: event.deprecatedSource ?? {},
    firstTimestamp: event.deprecatedFirstTimestamp ?? null,
    lastTimestamp: event.deprecatedLastTimestamp ?? null,
    ...(deprecatedCount && { count: deprecatedCount }),
    ...optional("type", type),
    eventTime: event.eventTime ?? null,
    ...(series && { series }),
    ...optional("action", action),
    ...(related && { related }),
    reportingComponent: event.reportingController ?? "",
    reportingInstance: event.reportingInstance ?? "",
  };
  return converted;
}

function optional(name: string, value: string | undefined): Record<string, string> {
  return value ? { [name]: value } : {};
}
