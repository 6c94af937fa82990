import { convert } from "../kubernetes/conversion.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { protobufEncoder } from "../kubernetes/protobuf/encode.ts";
import { envelope, eventFrame, fieldStart } from "../kubernetes/protobuf/envelope.ts";
import { messageOf, meta } from "../kubernetes/protobuf/messages.ts";
import { apiVersionOf, type ResourceDefinition, storageResource } from "../kubernetes/resources.ts";
import type { StoredObject } from "../store/store.ts";
import type { Change } from "../store/view.ts";
import { CustomReader } from "./custom-reading.ts";
import { checkAsked, type Encoder, initialEventsEnd, LatestEvents, listKind, listMeta, restamped } from "./encoder.ts";
import type { ListResult } from "./list.ts";
import type { Form } from "./negotiation.ts";

/** A message, with the tag and the length before it that an item of a list has. */
interface Item {
  readonly framed: Buffer;
  readonly message: Buffer;
}

/** Objects in protocol buffers: whole ones of the built-in kinds, and the metadata of any. */
export class ProtobufObjects implements Encoder {
  readonly #definition: ResourceDefinition;
  readonly #kind: string;
  readonly #listKind: string;
  readonly #apiVersion: string;
  readonly #form: Form;
  readonly #message: string;
  readonly #reader: CustomReader;
  readonly #events = new LatestEvents((type, stored) => this.#event(type, this.#item(stored).message));
  readonly #items = new WeakMap<StoredObject, Item>();

  constructor(definition: ResourceDefinition, form: Form) {
    this.#definition = definition;
    this.#form = form;
    this.#kind = form.kind === "object" ? definition.kind : "PartialObjectMetadata";
    this.#listKind = form.kind === "object" ? listKind(definition) : "PartialObjectMetadataList";
    this.#apiVersion = form.kind === "object" ? apiVersionOf(definition) : `meta.k8s.io/${form.version}`;
    this.#message = form.kind === "object" ? (messageOf(this.#apiVersion, this.#kind) ?? "") : `${meta}PartialObjectMetadata`;
    this.#reader = new CustomReader(definition);
  }

  object(stored: StoredObject): readonly Buffer[] {
    checkAsked(this.#form, this.#definition, false);
    const { message } = this.#item(stored);
    const [start, end] = envelope(this.#apiVersion, this.#kind, message.length);
    return [start, message, end];
  }

  list(result: ListResult): readonly Buffer[] {
    checkAsked(this.#form, this.#definition, true);
    return this.#list(listMeta(result), result.items);
  }

  #list(about: object, items: readonly StoredObject[]): readonly Buffer[] {
    const metadata = protobufEncoder().encodeMessage(`${meta}ListMeta`, about);
    const chunks = [fieldStart(1, metadata.length), metadata];
    for (const stored of items) chunks.push(this.#item(stored).framed);
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const [start, end] = envelope(this.#apiVersion, this.#listKind, length);
    return [start, ...chunks, end];
  }

  event(type: Change["type"], stored: StoredObject, revision?: number): Buffer {
    if (revision === undefined) return this.#events.of(type, stored);
    return this.#event(type, this.#encode(restamped(this.#shown(stored), revision)));
  }

  bookmark(revision: number, initialEnd: boolean): Buffer {
    const annotations = initialEnd ? initialEventsEnd(Buffer.concat(this.#list({}, []))) : undefined;
    const metadata = { resourceVersion: String(revision), ...(annotations && { annotations }) };
    return this.#event("BOOKMARK", this.#encode({ kind: this.#definition.kind, apiVersion: apiVersionOf(this.#definition), metadata }));
  }

  error(status: object): Buffer {
    return eventFrame("ERROR", "v1", "Status", protobufEncoder().encodeMessage(`${meta}Status`, status));
  }

  #event(type: string, message: Buffer): Buffer {
    return eventFrame(type, this.#apiVersion, this.#kind, message);
  }

  #item(stored: StoredObject): Item {
    const known = this.#items.get(stored);
    if (known) return known;
    const message = this.#encode(this.#shown(stored));
    const start = fieldStart(2, message.length);
    const framed = Buffer.concat([start, message]);
    const made = { framed, message: framed.subarray(start.length) };
    this.#items.set(stored, made);
    return made;
  }

  #shown(stored: StoredObject): KubernetesObject {
    const { object } = stored;
    if (this.#definition.custom) return this.#reader.object(stored);
    const own = storageResource(this.#definition);
    const converts = own !== undefined && (own.group !== this.#definition.group || own.version !== this.#definition.version);
    return converts ? convert(object, object.apiVersion ?? "", this.#definition) : object;
  }

  #encode(object: KubernetesObject): Buffer {
    return protobufEncoder().encodeMessage(this.#message, object);
  }
}
