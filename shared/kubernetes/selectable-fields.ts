import { z } from "zod";
import { once, readFacts } from "./facts.ts";
import type { KubernetesObject } from "./object.ts";
import type { ResourceDefinition } from "./resources.ts";
import { StatusError } from "./status-error.ts";
import type {
  CertificateSigningRequest,
  Event,
  EventsV1Event,
  Job,
  Namespace,
  Node,
  Pod,
  ReplicationController,
  Secret,
  Service,
} from "./types.ts";

type FieldReader = (object: KubernetesObject) => string | undefined;

const metadataFields: ReadonlyMap<string, FieldReader> = new Map([
  ["metadata.name", ({ metadata }) => metadata.name],
  ["metadata.namespace", ({ metadata }) => metadata.namespace],
]);

/** By collection, what can be selected beyond name and namespace. Source: `ToSelectableFields` of each strategy in Kubernetes' `pkg/registry`. */
const ownFields: ReadonlyMap<string, ReadonlyMap<string, FieldReader>> = new Map(
  Object.entries<Record<string, FieldReader>>({
    pods: {
      "spec.nodeName": (object) => (object as Pod).spec?.nodeName,
      "spec.restartPolicy": (object) => (object as Pod).spec?.restartPolicy,
      "spec.schedulerName": (object) => (object as Pod).spec?.schedulerName,
      "spec.serviceAccountName": (object) => (object as Pod).spec?.serviceAccountName,
      "spec.hostNetwork": (object) => String((object as Pod).spec?.hostNetwork ?? false),
      "status.phase": (object) => (object as Pod).status?.phase,
      "status.podIP": (object) => (object as Pod).status?.podIPs?.[0]?.ip,
      // Accepted, but kube-apiserver knows no value for it.
      "status.podIPs": () => "",
      "status.nominatedNodeName": (object) => (object as Pod).status?.nominatedNodeName,
    },
    nodes: { "spec.unschedulable": (object) => String((object as Node).spec?.unschedulable ?? false) },
    namespaces: { "status.phase": (object) => (object as Namespace).status?.phase },
    secrets: { type: (object) => (object as Secret).type },
    services: {
      "spec.clusterIP": (object) => (object as Service).spec?.clusterIP,
      "spec.type": (object) => (object as Service).spec?.type,
    },
    replicationcontrollers: { "status.replicas": (object) => String((object as ReplicationController).status?.replicas ?? 0) },
    "batch/jobs": { "status.successful": (object) => String((object as Job).status?.succeeded ?? 0) },
    "certificates.k8s.io/certificatesigningrequests": {
      "spec.signerName": (object) => (object as CertificateSigningRequest).spec.signerName,
    },
    events: {
      "involvedObject.kind": (object) => subjectOf(object)?.kind,
      "involvedObject.namespace": (object) => subjectOf(object)?.namespace,
      "involvedObject.name": (object) => subjectOf(object)?.name,
      "involvedObject.uid": (object) => subjectOf(object)?.uid,
      "involvedObject.apiVersion": (object) => subjectOf(object)?.apiVersion,
      "involvedObject.resourceVersion": (object) => subjectOf(object)?.resourceVersion,
      "involvedObject.fieldPath": (object) => subjectOf(object)?.fieldPath,
      reason: (object) => (object as Event).reason,
      reportingComponent: reporterOf,
      source: (object) => (object as Event).source?.component || reporterOf(object),
      type: (object) => (object as Event).type,
    },
  }).map(([collection, fields]) => [collection, new Map(Object.entries(fields))]),
);

/** An event reads the same in the core form and in that of `events.k8s.io`. */
function subjectOf(event: KubernetesObject): Event["involvedObject"] | undefined {
  return (event as Event).involvedObject ?? (event as EventsV1Event).regarding;
}

function reporterOf(event: KubernetesObject): string | undefined {
  return (event as Event).reportingComponent ?? (event as EventsV1Event).reportingController;
}

const accepted = once(() => {
  const facts = z.record(z.string(), z.array(z.string())).parse(readFacts("field-selectors"));
  return new Map(Object.entries(facts).map(([key, fields]) => [key, new Set(fields)]));
});

const factsKey = ({ group, version, resource }: ResourceDefinition): string => `${group}/${version}/${resource}`;

/** The fields that a field selector on this resource may name. */
export function selectableFields(resource: ResourceDefinition): readonly string[] {
  const known = accepted().get(factsKey(resource)) ?? metadataFields.keys();
  return [...known, ...(resource.selectableFields ?? [])];
}

/**
 * The field's name as `fieldValue` reads it: `events.k8s.io` and old clients spell some fields in their own way.
 * @throws StatusError `BadRequest`, in kube-apiserver's words, when the resource cannot be selected by it.
 */
export function selectableField(resource: ResourceDefinition, field: string): string {
  if (resource.collection === "pods" && field === "spec.host") return "spec.nodeName";
  if (!selectableFields(resource).includes(field)) throw new StatusError("BadRequest", unsupportedMessage(resource, field));
  if (resource.collection !== "events" || resource.group === "") return field;
  return field === "reportingController" ? "reportingComponent" : field.replace(/^regarding\./, "involvedObject.");
}

/** Kinds with fields of their own, custom resources among them, say it in other words than those without. */
function unsupportedMessage(resource: ResourceDefinition, field: string): string {
  const plain = !ownFields.has(resource.collection) && accepted().has(factsKey(resource));
  return plain
    ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
    : `field label not supported: ${field}`;
}

/**
 * The value of a selectable field of an object in its storage version; empty where it has none. The field is named as
 * `selectableField` answered it, or in one of the ways that it takes.
 * @throws StatusError `BadRequest` when the resource cannot be selected by the field.
 */
export function fieldValue(resource: ResourceDefinition, object: KubernetesObject, field: string): string {
  const read = readerOf(resource, field) ?? readerOf(resource, selectableField(resource, field));
  return (read ? read(object) : valueAt(object, field)) ?? "";
}

function readerOf(resource: ResourceDefinition, field: string): FieldReader | undefined {
  return metadataFields.get(field) ?? ownFields.get(resource.collection)?.get(field);
}

/** The scalar at a dotted path, as custom resources declare theirs (`spec.colour`). */
function valueAt(object: KubernetesObject, path: string): string | undefined {
  let value: unknown = object;
  for (const step of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/**
 * Whether a change of an object can move it into or out of what a selector selects: labels or selectable fields differ. Name and
 * namespace never change. Both objects are in the storage version.
 */
export function selectableChanged(resource: ResourceDefinition, before: KubernetesObject, after: KubernetesObject): boolean {
  if (!sameLabels(before.metadata.labels, after.metadata.labels)) return true;
  for (const read of ownFields.get(resource.collection)?.values() ?? []) if ((read(before) ?? "") !== (read(after) ?? "")) return true;
  return (resource.selectableFields ?? []).some((field) => valueAt(before, field) !== valueAt(after, field));
}

function sameLabels(before: Readonly<Record<string, string>> = {}, after: Readonly<Record<string, string>> = {}): boolean {
  if (before === after) return true;
  const keys = Object.keys(before);
  return keys.length === Object.keys(after).length && keys.every((key) => before[key] === after[key]);
}
