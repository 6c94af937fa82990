import type { KubernetesObject } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import type { StoredObject } from "../store/store.ts";
import type { Change } from "../store/view.ts";
import type { ListResult } from "./list.ts";
import type { Form } from "./negotiation.ts";

/** Turns stored objects of one resource into the bytes of answers. Bytes that many share are made once. */
export interface Encoder {
  object(stored: StoredObject): readonly Buffer[];
  list(result: ListResult): readonly Buffer[];
  /** One event of a watch: a line, or a frame. `revision` replaces the object's own resourceVersion. */
  event(type: Change["type"], stored: StoredObject, revision?: number): Buffer;
  /** `initialEnd`: the state that the watch began with lies before it. */
  bookmark(revision: number, initialEnd: boolean): Buffer;
  error(status: object): Buffer;
}

/**
 * The annotations of the bookmark behind the state that a watch began with (KEP-3157): that it is the one, and the list that the client makes
 * of the objects before it, written as the encoder writes lists, without any.
 */
export const initialEventsEnd = (emptyList: Buffer): Readonly<Record<string, string>> => ({
  "k8s.io/initial-events-end": "true",
  "kubernetes.io/initial-events-list-blueprint": emptyList.toString("base64"),
});

/** What an empty list is in JSON; of kinds without Go types it must be seen to be one. */
export const emptyList = (kind: string, apiVersion: string, custom: boolean): Buffer =>
  Buffer.from(`${JSON.stringify({ kind, apiVersion, metadata: {}, items: custom ? [] : null })}\n`);

export const listKind = ({ custom, kind }: ResourceDefinition): string => custom?.listKind ?? `${kind}List`;

export function listMeta(result: ListResult): Record<string, unknown> {
  return {
    resourceVersion: String(result.revision),
    ...(result.continueToken !== undefined && { continue: result.continueToken }),
    ...(result.remaining !== undefined && { remainingItemCount: result.remaining }),
  };
}

/** The object as of another revision. */
export const restamped = (object: KubernetesObject, revision: number): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
});

/** The metadata of an object was asked for, not that of a list, or the other way about. @throws StatusError `NotAcceptable` */
export function checkAsked(form: Form, { group, kind, custom }: ResourceDefinition, isList: boolean): void {
  if (form.kind !== "metadata" || form.list === isList) return;
  // What Go calls it inside of kube-apiserver.
  const library = group === "" || group === "events.k8s.io" ? "core" : (group.split(".")[0] ?? "");
  const type = `*${custom ? "unstructured.Unstructured" : `${library}.${kind}`}${isList ? "List" : ""}`;
  if (custom && !isList) throw new UnexplainedError("content is not a list");
  throw new StatusError(
    "NotAcceptable",
    isList
      ? `you requested PartialObjectMetadata, but the requested object is a list (${type})`
      : `you requested PartialObjectMetadataList, but the requested object is not a list (${type})`,
  );
}

/** More than one batch of changes seldom holds. */
const keptEvents = 256;

/** Events of the latest changes, made once: one watch after another asks for them. */
export class LatestEvents {
  #events = new Map<StoredObject, Buffer>();
  readonly #make: (type: Change["type"], stored: StoredObject) => Buffer;

  constructor(make: (type: Change["type"], stored: StoredObject) => Buffer) {
    this.#make = make;
  }

  of(type: Change["type"], stored: StoredObject): Buffer {
    const natural = "type" in stored ? stored.type : "ADDED";
    if (type !== natural) return this.#make(type, stored);
    const known = this.#events.get(stored);
    if (known) return known;
    const made = this.#make(type, stored);
    if (this.#events.size === keptEvents) this.#events = new Map();
    this.#events.set(stored, made);
    return made;
  }
}
