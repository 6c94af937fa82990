import type { ObjectMeta } from "../../kubernetes/types.ts";

const ofClients = ["labels", "annotations", "finalizers", "ownerReferences"] as const;

/** What clients write into the metadata becomes what it was; of a write to the status all of it (apimachinery `ResetObjectMetaForStatus`). */
export function keepMetadata(next: ObjectMeta, live: ObjectMeta, fields: readonly (typeof ofClients)[number][] = ofClients): void {
  for (const field of fields) {
    delete next[field];
    if (live[field] !== undefined) Object.assign(next, { [field]: live[field] });
  }
}
