import { convert } from "../kubernetes/conversion.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition, storageResource } from "../kubernetes/resources.ts";
import { tableDocument, tableFor, tableRow } from "../kubernetes/table.ts";
import type { StoredObject } from "../store/store.ts";
import type { Change } from "../store/view.ts";
import { CustomReader, isAsStored } from "./custom-reading.ts";
import { checkAsked, type Encoder, emptyList, initialEventsEnd, LatestEvents, listKind, listMeta, restamped } from "./encoder.ts";
import type { ListResult } from "./list.ts";
import type { Encoding, Form } from "./negotiation.ts";
import { ProtobufObjects } from "./protobuf-objects.ts";

const newline = Buffer.from("\n");
const comma = Buffer.from(",");
const brace = Buffer.from("{");
const endOfList = Buffer.from("]}\n");
const endOfEvent = Buffer.from("}\n");
const eventStart = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
} as const;

/** @param encoding YAML is made of the JSON on the way out */
export function createEncoder(definition: ResourceDefinition, form: Form, encoding: Encoding, now: () => number): Encoder {
  if (encoding === "protobuf") return new ProtobufObjects(definition, form);
  if (form.kind === "object") return new ObjectEncoder(definition);
  return new DerivedEncoder(definition, form, now);
}

/** For prefixes so short that a call out of JavaScript costs more than the comparison. */
function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  for (let index = 0; index < prefix.length; index++) if (bytes[index] !== prefix[index]) return false;
  return true;
}

const errorEvent = (status: object): Buffer => Buffer.from(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
/** Objects as they are: the stored bytes, cut and framed. */
class ObjectEncoder implements Encoder {
  readonly #definition: ResourceDefinition;
  readonly #apiVersion: string;
  /** What stands before `"metadata"` in every stored object of the kind; items of a list go without it. */
  readonly #prefix: Buffer;
  readonly #converts: boolean;
  readonly #events = new LatestEvents((type, stored) => this.#event(type, stored));
  readonly #bare: boolean;
  readonly #reader: CustomReader | undefined;
  readonly #read = new WeakMap<StoredObject, Buffer>();

  constructor(definition: ResourceDefinition) {
    this.#definition = definition;
    this.#apiVersion = apiVersionOf(definition);
    this.#prefix = Buffer.from(`{"kind":${JSON.stringify(definition.kind)},"apiVersion":${JSON.stringify(this.#apiVersion)},`);
    this.#reader = definition.custom && new CustomReader(definition);
    const stored = definition.custom ? undefined : storageResource(definition);
    this.#bare = stored !== undefined;
    this.#converts = stored !== undefined && (stored.group !== definition.group || stored.version !== definition.version);
  }

  object(stored: StoredObject): readonly Buffer[] {
    return [this.#bytes(stored), newline];
  }

  list(result: ListResult): readonly Buffer[] {
    const chunks: Buffer[] = [
      Buffer.from(
        `{"kind":"${listKind(this.#definition)}","apiVersion":"${this.#apiVersion}","metadata":${JSON.stringify(this.#listMeta(result))},"items":[`,
      ),
    ];
    let first = true;
    for (const stored of result.items) {
      if (!first) chunks.push(comma);
      first = false;
      const bytes = this.#bytes(stored);
      const { length } = this.#prefix;
      if (this.#bare && startsWith(bytes, this.#prefix)) chunks.push(brace, bytes.subarray(length));
      else chunks.push(bytes);
    }
    chunks.push(endOfList);
    return chunks;
  }

  /** A list of objects without Go types says that it does not go on. */
  #listMeta(result: ListResult): Record<string, unknown> {
    return this.#definition.custom ? { continue: "", ...listMeta(result) } : listMeta(result);
  }

  event(type: Change["type"], stored: StoredObject, revision?: number): Buffer {
    if (revision !== undefined)
      return Buffer.concat([eventStart[type], Buffer.from(JSON.stringify(restamped(this.#converted(stored), revision))), endOfEvent]);
    return this.#events.of(type, stored);
  }

  bookmark(revision: number, initialEnd: boolean): Buffer {
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initialEnd && {
        annotations: initialEventsEnd(emptyList(listKind(this.#definition), this.#apiVersion, this.#reader !== undefined)),
      }),
    };
    return Buffer.from(
      `${JSON.stringify({ type: "BOOKMARK", object: { kind: this.#definition.kind, apiVersion: this.#apiVersion, metadata } })}\n`,
    );
  }

  error(status: object): Buffer {
    return errorEvent(status);
  }

  #event(type: Change["type"], stored: StoredObject): Buffer {
    return Buffer.concat([eventStart[type], this.#bytes(stored), endOfEvent]);
  }

  #bytes(stored: StoredObject): Buffer {
    if (this.#reader) return this.#customBytes(stored, this.#reader);
    return this.#converts ? Buffer.from(JSON.stringify(this.#converted(stored))) : stored.bytes;
  }

  #customBytes(stored: StoredObject, reader: CustomReader): Buffer {
    if (isAsStored(this.#definition, stored)) return stored.bytes;
    const known = this.#read.get(stored);
    if (known) return known;
    const made = Buffer.from(JSON.stringify(reader.object(stored)));
    this.#read.set(stored, made);
    return made;
  }

  #converted(stored: StoredObject): KubernetesObject {
    if (this.#reader) return this.#reader.object(stored);
    return this.#converts ? convert(stored.object, stored.object.apiVersion ?? "", this.#definition) : stored.object;
  }
}

/** Tables and metadata alone: made for each answer, because ages move. */
class DerivedEncoder implements Encoder {
  readonly #definition: ResourceDefinition;
  readonly #form: Exclude<Form, { kind: "object" }>;
  readonly #now: () => number;
  readonly #reader: CustomReader;
  #columnsSent = false;

  constructor(definition: ResourceDefinition, form: Exclude<Form, { kind: "object" }>, now: () => number) {
    this.#definition = definition;
    this.#form = form;
    this.#now = now;
    this.#reader = new CustomReader(definition);
  }

  object(stored: StoredObject): readonly Buffer[] {
    checkAsked(this.#form, this.#definition, false);
    const value =
      this.#form.kind === "metadata"
        ? this.#metadata(stored.object)
        : this.#table([this.#reader.object(stored)], { resourceVersion: String(stored.revision) }, true);
    return [Buffer.from(`${JSON.stringify(value)}\n`)];
  }

  list(result: ListResult): readonly Buffer[] {
    checkAsked(this.#form, this.#definition, true);
    const { items } = result;
    const value =
      this.#form.kind === "metadata"
        ? {
            kind: "PartialObjectMetadataList",
            apiVersion: `meta.k8s.io/${this.#form.version}`,
            metadata: listMeta(result),
            // Go's nil.
            items: items.length === 0 ? null : items.map(({ object }) => this.#metadata(object)),
          }
        : this.#table(
            items.map((stored) => this.#reader.object(stored)),
            listMeta(result),
            true,
          );
    return [Buffer.from(`${JSON.stringify(value)}\n`)];
  }

  event(type: Change["type"], stored: StoredObject, revision?: number): Buffer {
    const shown = this.#reader.object(stored);
    const object = revision === undefined ? shown : restamped(shown, revision);
    return this.#line(type, this.#form.kind === "metadata" ? this.#metadata(object) : this.#row(object));
  }

  bookmark(revision: number, initialEnd: boolean): Buffer {
    const list = emptyList("PartialObjectMetadataList", `meta.k8s.io/${this.#form.version}`, false);
    const metadata = { resourceVersion: String(revision), ...(initialEnd && { annotations: initialEventsEnd(list) }) };
    const object = { kind: this.#definition.kind, apiVersion: apiVersionOf(this.#definition), metadata };
    return this.#line("BOOKMARK", this.#form.kind === "metadata" ? this.#metadata(object) : this.#row(object));
  }

  error(status: object): Buffer {
    return errorEvent(status);
  }

  #line(type: string, object: unknown): Buffer {
    return Buffer.from(`${JSON.stringify({ type, object })}\n`);
  }

  #metadata({ metadata }: KubernetesObject): object {
    return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${this.#form.version}`, metadata };
  }

  /** A watch sends the column definitions with its first event only. */
  #row(object: KubernetesObject): object {
    const withColumns = !this.#columnsSent;
    this.#columnsSent = true;
    return this.#table([object], { resourceVersion: object.metadata.resourceVersion ?? "" }, withColumns);
  }

  #table(objects: readonly KubernetesObject[], metadata: Record<string, unknown>, withColumns: boolean): object {
    const { columns, cells, plain } = tableFor(this.#definition);
    const include = this.#form.kind === "table" ? this.#form.include : "Metadata";
    const version = this.#form.version;
    const nowMs = this.#now();
    const rows = objects.map((object) => tableRow(object, cells(object, nowMs), include, version));
    return tableDocument(withColumns ? columns : null, plain && rows.length === 0 ? null : rows, metadata, version);
  }
}
