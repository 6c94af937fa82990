import { dnsSubdomainProblems, qualifiedNameProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Event, EventsV1Event } from "../../types.ts";
import { invalid, required } from "../field-error.ts";
import { checkImmutable, goLiteral, invalidEach } from "./checks.ts";
import { same } from "./object-meta.ts";

const maximumText = 128;
const maximumNote = 1024;

/** What both versions of an event share, named as the internal type names it. */
interface CommonEvent {
  readonly namespace: string;
  readonly involvedNamespace: string;
  readonly timed: boolean;
  readonly controller: string;
  readonly controllerField: string;
  readonly instance: string;
  readonly action: string;
  readonly reason: string;
  readonly message: string;
}

/** `ValidateEventCreate` for the core version, which keeps the rules of old. */
export function validateEvent(event: Event): StatusCause[] {
  return checkCommon({
    namespace: event.metadata.namespace ?? "",
    involvedNamespace: event.involvedObject?.namespace ?? "",
    timed: isSet(event.eventTime),
    controller: event.reportingComponent ?? "",
    controllerField: "reportingComponent",
    instance: event.reportingInstance ?? "",
    action: event.action ?? "",
    reason: event.reason ?? "",
    message: event.message ?? "",
  });
}

/** `ValidateEventCreate` for events.k8s.io/v1. */
export function validateNewEvent(event: EventsV1Event): StatusCause[] {
  const causes = checkCommon({
    namespace: event.metadata.namespace ?? "",
    involvedNamespace: event.regarding?.namespace ?? "",
    timed: isSet(event.eventTime),
    controller: event.reportingController ?? "",
    controllerField: "reportingController",
    instance: event.reportingInstance ?? "",
    action: event.action ?? "",
    reason: event.reason ?? "",
    message: event.note ?? "",
  });
  causes.push(...checkSeries(event));
  if (!isSet(event.eventTime)) causes.push(required("eventTime"));
  const type = event.type ?? "";
  if (type !== "Normal" && type !== "Warning") causes.push(invalid("type", "", `has invalid value: ${type}`));
  if (isSet(event.deprecatedFirstTimestamp)) causes.push(invalid("firstTimestamp", "", "needs to be unset"));
  if (isSet(event.deprecatedLastTimestamp)) causes.push(invalid("lastTimestamp", "", "needs to be unset"));
  if ((event.deprecatedCount ?? 0) !== 0) causes.push(invalid("count", "", "needs to be unset"));
  const source = event.deprecatedSource;
  if (source?.component !== undefined || source?.host !== undefined) causes.push(invalid("source", "", "needs to be unset"));
  return causes;
}

/** Of an event of events.k8s.io/v1 only the series may change. */
export function validateNewEventUpdate(next: EventsV1Event, live: EventsV1Event): StatusCause[] {
  const causes = same(next.series, live.series) ? [] : checkSeries(next);
  const fields = [
    ["involvedObject", next.regarding, live.regarding],
    ["reason", next.reason, live.reason],
    ["message", next.note, live.note],
    ["type", next.type, live.type],
    ["action", next.action, live.action],
    ["related", next.related, live.related],
    ["reportingController", next.reportingController, live.reportingController],
    ["reportingInstance", next.reportingInstance, live.reportingInstance],
  ] as const;
  return [...causes, ...fields.flatMap(([field, after, before]) => checkImmutable(after, before, field, goLiteral(after)))];
}

function checkSeries({ series }: EventsV1Event): StatusCause[] {
  if (series === undefined) return [];
  const causes: StatusCause[] = series.count < 2 ? [invalid("series.count", "", "should be at least 2")] : [];
  return isSet(series.lastObservedTime) ? causes : [...causes, required("series.lastObservedTime")];
}

function checkCommon(event: CommonEvent): StatusCause[] {
  const { namespace, involvedNamespace, timed } = event;
  const mismatch = invalid("involvedObject.namespace", involvedNamespace, "does not match event.namespace");
  const causes: StatusCause[] = [];
  if (involvedNamespace === "") {
    const allowed = timed ? ["default", "kube-system"] : ["", "default"];
    if (!allowed.includes(namespace)) causes.push(mismatch);
  } else if (!timed && namespace !== involvedNamespace) causes.push(mismatch);
  if (timed) causes.push(...checkTimed(event));
  return [...causes, ...invalidEach("namespace", namespace, dnsSubdomainProblems(namespace))];
}

function checkTimed({ controller, controllerField, instance, action, reason, message }: CommonEvent): StatusCause[] {
  const bounded = (field: string, value: string, maximum = maximumText) =>
    value.length > maximum ? [invalid(field, "", `can have at most ${maximum} characters`)] : [];
  const needed = (field: string, value: string) => (value === "" ? [required(field)] : bounded(field, value));
  return [
    ...(controller === "" ? [required(controllerField)] : []),
    ...invalidEach(controllerField, controller, qualifiedNameProblems(controller)),
    ...needed("reportingInstance", instance),
    ...needed("action", action),
    ...needed("reason", reason),
    ...bounded("message", message, maximumNote),
  ];
}

function isSet(time: unknown): boolean {
  return time !== undefined && time !== null;
}
