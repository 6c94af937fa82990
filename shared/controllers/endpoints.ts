import { deepEqual } from "../kubernetes/deep-equal.ts";
import { endpoints, pods, services } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { EndpointAddress, EndpointPort, Endpoints, Pod, Service } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ReconcileOutcome } from "./controller.ts";
import {
  addressesOfType,
  addressTypesOf,
  headlessLabel,
  hostnameIn,
  isEndpoint,
  isHeadless,
  podsOf,
  selectsPods,
  servicesOfPod,
  targetPortOf,
  triggerTimeAnnotation,
} from "./endpoints/service-pods.ts";
import { type EndpointEntry, packSubsets, truncateSubsets } from "./endpoints/subsets.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating, messageOf, unlessMissing } from "./failures.ts";
import { isPodReady, podCondition } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";

const managedByLabel = "endpoints.kubernetes.io/managed-by";
const managedBy = "endpoint-controller";
const overCapacityAnnotation = "endpoints.kubernetes.io/over-capacity";
const done: ReconcileOutcome = { kind: "done" };

/** Keeps the Endpoints of services with a selector. `events` tells as `endpoint-controller`. */
export function createEndpointsController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return {
    name: "endpoint",
    *allKeys(view) {
      for (const { key } of view.list(services)) yield `${key.namespace}/${key.name}`;
      // Left over from services that went while nobody looked.
      for (const { key, object } of view.list(endpoints)) {
        if (object.metadata.labels?.[managedByLabel] === managedBy) yield `${key.namespace}/${key.name}`;
      }
    },
    keysOf(change, view) {
      if (isOf(pods, change.key)) return servicesOfPod(change, view);
      if (isOf(services, change.key)) return [`${change.key.namespace}/${change.key.name}`];
      return isOf(endpoints, change.key) && change.type !== "ADDED" ? [`${change.key.namespace}/${change.key.name}`] : [];
    },
    async reconcile(key, { view, client }) {
      const [namespace = "", name = ""] = key.split("/");
      const current = view.get(endpoints, namespace, name);
      const stored = view.get(services, namespace, name);
      if (!stored) {
        // Someone's own Endpoints without a service stay; those of a service that is gone go with it.
        if (current?.object.metadata.labels?.[managedByLabel] === managedBy) await unlessMissing(client.delete(endpoints, namespace, name));
        return done;
      }
      const service = objectOf<Service>(stored);
      if (!selectsPods(service)) return done;
      const before = current && objectOf<Endpoints>(current);
      const next = endpointsOf(service, view, before);
      if (before && isSame(before, next)) return done;
      try {
        await (before ? client.update(endpoints, next) : client.create(endpoints, next));
      } catch (error) {
        if (isNamespaceTerminating(error)) return done;
        const [reason, verb] = before ? ["FailedToUpdateEndpoint", "update"] : ["FailedToCreateEndpoint", "create"];
        const text = `Failed to ${verb} endpoint ${before ? "" : "for service "}${namespace}/${name}: ${messageOf(error)}`;
        if (!isStatus(error, "Conflict")) events.event(before ?? service, "Warning", reason ?? "", text);
        throw error;
      }
      return done;
    },
  };
}

/** What the trigger time says is not compared: it only notes why the last write happened. */
function isSame(before: Endpoints, next: Endpoints): boolean {
  const { metadata } = next;
  return (
    deepEqual(before.subsets ?? [], next.subsets ?? []) &&
    deepEqual(before.metadata.labels, metadata.labels) &&
    before.metadata.annotations?.[overCapacityAnnotation] === metadata.annotations?.[overCapacityAnnotation]
  );
}

function endpointsOf(service: Service, view: ClusterView, before: Endpoints | undefined): Endpoints {
  const { namespace = "", name = "", labels } = service.metadata;
  const selected = podsOf(view, service);
  const entries = selected.flatMap((pod) => entryOf(pod, service) ?? []);
  const { subsets, isTruncated } = truncateSubsets(packSubsets(entries));
  const { [triggerTimeAnnotation]: _, [overCapacityAnnotation]: __, ...others } = before?.metadata.annotations ?? {};
  const time = triggerTime(service, selected, before);
  const annotations = {
    ...others,
    ...(time !== undefined && { [triggerTimeAnnotation]: time }),
    ...(isTruncated && { [overCapacityAnnotation]: "truncated" }),
  };
  const { annotations: ___, ...metadata } = before?.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      ...metadata,
      namespace,
      name,
      labels: { ...labels, [managedByLabel]: managedBy, ...(isHeadless(service) && { [headlessLabel]: "" }) },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    ...(subsets.length > 0 && { subsets }),
  };
}

function entryOf(pod: Pod, service: Service): EndpointEntry | undefined {
  const toleratesUnready = service.spec?.publishNotReadyAddresses === true;
  if (!isEndpoint(pod, toleratesUnready)) return undefined;
  const [type = "IPv4"] = addressTypesOf(service);
  const [ip] = addressesOfType(pod, type);
  if (ip === undefined) return undefined;
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const hostname = hostnameIn(pod, service);
  const { nodeName } = pod.spec ?? {};
  const address: EndpointAddress = {
    ip,
    ...(hostname !== undefined && { hostname }),
    ...(nodeName && { nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
  const listed = service.spec?.ports ?? [];
  const ports = listed.flatMap((each): EndpointPort[] => {
    const port = targetPortOf(pod, each);
    const { name, protocol = "TCP", appProtocol } = each;
    return port === undefined ? [] : [{ ...(name && { name }), port, protocol, ...(appProtocol !== undefined && { appProtocol }) }];
  });
  const mayHaveNone = listed.length === 0 && service.spec?.clusterIP === "None";
  return ports.length === 0 && !mayHaveNone ? undefined : { address, isReady: toleratesUnready || isPodReady(pod), ports };
}

/** When the cause of this change happened: see the same note of endpoint slices. */
function triggerTime(service: Service, selected: readonly Pod[], before: Endpoints | undefined): string | undefined {
  const known = new Map<string | undefined, boolean>();
  for (const { addresses = [], notReadyAddresses = [] } of before?.subsets ?? []) {
    for (const { targetRef } of notReadyAddresses) known.set(targetRef?.uid, false);
    for (const { targetRef } of addresses) known.set(targetRef?.uid, true);
  }
  const times = selected
    .filter((pod) => isEndpoint(pod, false) && known.get(pod.metadata.uid) !== isPodReady(pod))
    .map((pod) => podCondition(pod, "Ready")?.lastTransitionTime);
  if (!before) times.push(service.metadata.creationTimestamp);
  return times.filter((time) => time !== undefined).sort()[0];
}
