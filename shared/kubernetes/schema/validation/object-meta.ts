import { deepEqual } from "../../deep-equal.ts";
import {
  dns1035LabelProblems,
  dnsLabelProblems,
  dnsSubdomainProblems,
  labelValueProblems,
  pathSegmentProblems,
  qualifiedNameProblems,
} from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ObjectMeta, OwnerReference } from "../../types.ts";
import { child, forbidden, invalid, required, tooLong } from "../field-error.ts";
import { goQuote, goStringList } from "../go-text.ts";

/** All annotations of an object together, keys and values, in bytes (apimachinery `TotalAnnotationSizeLimitB`). */
export const maximumAnnotationBytes = 256 * 1024;

/** What the names of a kind's objects must look like. A function gives rules of its own; with `prefix` the name is a `generateName`. */
export type NameRule =
  | "dnsSubdomain"
  | "dnsLabel"
  | "dns1035Label"
  | "pathSegment"
  | "any"
  | ((name: string, prefix: boolean) => readonly string[]);

export const immutableMessage = "field is immutable";
export const negativeMessage = "must be greater than or equal to 0";

export function nameProblems(rule: NameRule, name: string, prefix = false): readonly string[] {
  if (typeof rule === "function") return rule(name, prefix);
  const value = prefix && rule !== "pathSegment" && name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name;
  switch (rule) {
    case "dnsSubdomain":
      return dnsSubdomainProblems(value);
    case "dnsLabel":
      return dnsLabelProblems(value);
    case "dns1035Label":
      return dns1035LabelProblems(value);
    case "pathSegment":
      return pathSegmentProblems(value);
    case "any":
      return [];
    default:
      return rule satisfies never;
  }
}

/** Metadata of a new object (apimachinery `ValidateObjectMeta`, which knows no standard finalizers). */
export function validateObjectMeta(meta: ObjectMeta, namespaced: boolean, rule: NameRule, path = "metadata"): StatusCause[] {
  const causes: StatusCause[] = [];
  const { name = "", namespace = "", generateName = "" } = meta;
  if (generateName !== "")
    for (const text of nameProblems(rule, generateName, true)) causes.push(invalid(child(path, "generateName"), generateName, text));
  if (name === "") causes.push(required(child(path, "name"), "name or generateName is required"));
  else for (const text of nameProblems(rule, name)) causes.push(invalid(child(path, "name"), name, text));
  if (!namespaced && namespace !== "") causes.push(forbidden(child(path, "namespace"), "not allowed on this type"));
  if (namespaced && namespace === "") causes.push(required(child(path, "namespace")));
  else if (namespaced) for (const text of dnsLabelProblems(namespace)) causes.push(invalid(child(path, "namespace"), namespace, text));
  if ((meta.generation ?? 0) < 0) causes.push(invalid(child(path, "generation"), meta.generation, negativeMessage));
  causes.push(...validateLabels(meta.labels, child(path, "labels")));
  causes.push(...validateAnnotations(meta.annotations, child(path, "annotations")));
  causes.push(...validateOwnerReferences(meta.ownerReferences, child(path, "ownerReferences")));
  return [...causes, ...validateFinalizers(meta.finalizers, child(path, "finalizers"))];
}

/** What the kinds ask of finalizers, and the generic registry does not. */
export function checkFinalizersKnown(meta: ObjectMeta, path = "metadata"): StatusCause[] {
  const causes: StatusCause[] = [];
  (meta.finalizers ?? []).forEach((finalizer, index) => {
    if (!finalizer.includes("/") && !standardFinalizers.has(finalizer)) {
      causes.push(
        invalid(`${child(path, "finalizers")}[${index}]`, finalizer, "name is neither a standard finalizer name nor is it fully qualified"),
      );
    }
  });
  return causes;
}

/** Metadata of a changed object (apimachinery `ValidateObjectMetaAccessorUpdate`). */
export function validateObjectMetaUpdate(next: ObjectMeta, live: ObjectMeta, path = "metadata"): StatusCause[] {
  const causes: StatusCause[] = [];
  if (isSet(live.deletionTimestamp)) {
    const extra = (next.finalizers ?? []).filter((finalizer) => !(live.finalizers ?? []).includes(finalizer));
    if (extra.length > 0) {
      const found = goStringList([...new Set(extra)].sort());
      causes.push(
        forbidden(
          child(path, "finalizers"),
          `no new finalizers can be added if the object is being deleted, found new finalizers ${found}`,
        ),
      );
    }
  }
  if ((next.resourceVersion ?? "") === "") causes.push(invalid(child(path, "resourceVersion"), "", "must be specified for an update"));
  if ((next.generation ?? 0) < (live.generation ?? 0))
    causes.push(invalid(child(path, "generation"), next.generation ?? 0, "must not be decremented"));
  for (const field of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const) {
    if (!same(next[field], live[field])) causes.push(invalid(child(path, field), goTimeOr(next[field]), immutableMessage));
  }
  causes.push(...validateLabels(next.labels, child(path, "labels")));
  causes.push(...validateAnnotations(next.annotations, child(path, "annotations")));
  causes.push(...validateOwnerReferences(next.ownerReferences, child(path, "ownerReferences")));
  return causes;
}

/** Times are shown as Go's `time.Time` prints itself. */
const goTimeOr = (value: string | number | undefined): string | number | { go: string } =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)
    ? { go: value.replace("T", " ").replace(/Z$/, " +0000 UTC") }
    : (value ?? "");

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const key in labels) {
    for (const text of qualifiedNameProblems(key)) causes.push(invalid(path, key, text));
    const value = labels[key] ?? "";
    for (const text of labelValueProblems(value)) causes.push(invalid(path, value, text));
  }
  return causes;
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  let bytes = 0;
  for (const key in annotations) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? "");
    for (const text of qualifiedNameProblems(key.toLowerCase())) causes.push(invalid(path, key, text));
  }
  if (bytes > maximumAnnotationBytes) causes.push(tooLong(path, maximumAnnotationBytes));
  return causes;
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

function validateFinalizers(finalizers: readonly string[] | undefined, path: string): StatusCause[] {
  if (finalizers === undefined) return [];
  const causes = finalizers.flatMap((finalizer) => qualifiedNameProblems(finalizer).map((text) => invalid(path, finalizer, text)));
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    causes.push(invalid(path, { go: goStringList(finalizers) }, "finalizer orphan and foregroundDeletion cannot be both set"));
  }
  return causes;
}

function validateOwnerReferences(references: readonly OwnerReference[] | undefined, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  let controller = "";
  for (const reference of references ?? []) {
    const parts = reference.apiVersion?.split("/") ?? [];
    const version = parts.length > 2 ? "" : (parts.at(-1) ?? "");
    if (version === "") causes.push(invalid(child(path, "apiVersion"), reference.apiVersion ?? "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const) {
      if ((reference[field] ?? "") === "") causes.push(invalid(child(path, field), "", `${field} must not be empty`));
    }
    if (reference.apiVersion === "v1" && reference.kind === "Event") {
      causes.push(invalid(path, { go: goOwnerReference(reference) }, "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (reference.controller !== true) continue;
    const name = `${reference.kind}/${reference.name}`;
    if (controller !== "") {
      const value = { go: `[]v1.OwnerReference{${(references ?? []).map(goOwnerReference).join(", ")}}` };
      causes.push(
        invalid(
          path,
          value,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
        ),
      );
    } else controller = name;
  }
  return causes;
}

/** As `%#v` prints it, but for the addresses of its two pointers, which differ from request to request. */
function goOwnerReference(reference: OwnerReference): string {
  const texts = [
    `APIVersion:${goQuote(reference.apiVersion)}`,
    `Kind:${goQuote(reference.kind)}`,
    `Name:${goQuote(reference.name)}`,
    `UID:${goQuote(reference.uid)}`,
  ];
  const pointer = (value: boolean | undefined) => (value === undefined ? "(*bool)(nil)" : "(*bool)(0xc000000000)");
  return `v1.OwnerReference{${texts.join(", ")}, Controller:${pointer(reference.controller)}, BlockOwnerDeletion:${pointer(reference.blockOwnerDeletion)}}`;
}

/** Equal as `apiequality.Semantic` has it: absent, null and empty are the same. */
export function same(a: unknown, b: unknown): boolean {
  return (isBlank(a) && isBlank(b)) || deepEqual(a, b);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isBlank(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
