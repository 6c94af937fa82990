import { createHash } from "node:crypto";
import type { ResourceCatalog } from "./resource-catalog.ts";

/** A document that was made, with the hash that names it. */
export interface MadeDocument {
  readonly body: Buffer;
  readonly etag: string;
}

interface Made {
  version: number;
  readonly documents: Map<string, MadeDocument>;
}

/** Made once; named by its own hash, unless it is another form of a document that has a name. */
export function cachedDocument(made: Map<string, MadeDocument>, key: string, make: () => string | Buffer, etag?: string): MadeDocument {
  const known = made.get(key);
  if (known) return known;
  const content = make();
  const body = typeof content === "string" ? Buffer.from(content) : content;
  const document = { body, etag: etag ?? createHash("sha512").update(body).digest("hex").toUpperCase() };
  made.set(key, document);
  return document;
}

/** Documents of clusters with custom resources: kept as long as those stay what they are. */
export class CustomDocuments {
  readonly #made = new WeakMap<ResourceCatalog, Made>();

  of(catalog: ResourceCatalog): Map<string, MadeDocument> {
    const { version } = catalog;
    const known = this.#made.get(catalog);
    if (known?.version === version) return known.documents;
    const documents = new Map<string, MadeDocument>();
    this.#made.set(catalog, { version, documents });
    return documents;
  }
}
