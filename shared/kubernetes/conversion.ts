import { autoscalerFromV1, autoscalerToV1 } from "./autoscaler-conversion.ts";
import { eventFromEventsGroup, eventToEventsGroup } from "./event-conversion.ts";
import type { KubernetesObject } from "./object.ts";
import { apiVersionOf, type ResourceDefinition } from "./resources.ts";
import type { AutoscalingV1HorizontalPodAutoscaler, Event, EventsV1Event, HorizontalPodAutoscaler } from "./types.ts";

const conversions: ReadonlyMap<string, (object: KubernetesObject) => KubernetesObject> = new Map([
  ["HorizontalPodAutoscaler autoscaling/v1 → autoscaling/v2", (object) => autoscalerFromV1(object as AutoscalingV1HorizontalPodAutoscaler)],
  ["HorizontalPodAutoscaler autoscaling/v2 → autoscaling/v1", (object) => autoscalerToV1(object as HorizontalPodAutoscaler)],
  ["Event events.k8s.io/v1 → v1", (object) => eventFromEventsGroup(object as EventsV1Event)],
  ["Event v1 → events.k8s.io/v1", (object) => eventToEventsGroup(object as Event)],
]);

/**
 * The object in another served version of its resource. `from` is the `apiVersion` it is in. The answer may share parts with
 * `object`, which is left as it is. Versions that have no conversion of their own differ in `apiVersion` alone, as those of a custom
 * resource without a webhook do (`spec.conversion.strategy: None`).
 */
export function convert(object: KubernetesObject, from: string, to: ResourceDefinition): KubernetesObject {
  const apiVersion = apiVersionOf(to);
  if (from === apiVersion) return object;
  const own = conversions.get(`${to.kind} ${from} → ${apiVersion}`);
  return own ? own(object) : { ...object, apiVersion };
}
