import type { ResourceCatalog } from "./resource-catalog.ts";

/** A document that was made, with what names it. */
export interface MadeDocument {
  readonly body: Buffer;
  readonly etag: string;
}

interface Made {
  version: number;
  readonly documents: Map<string, MadeDocument>;
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
