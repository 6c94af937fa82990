import type { Namespace } from "../../kubernetes/types.ts";
import type { Strategy } from "../strategy.ts";

export const namespaceStrategy = (plain: Strategy): Strategy => ({
  ...plain,
  prepareCreate(object) {
    const spec = (object as Namespace).spec;
    const finalizers = spec?.finalizers ?? [];
    object.spec = { ...object.spec, finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"] };
    object.status = { phase: "Active" };
  },
  prepareUpdate(next, live) {
    // Only the finalize subresource changes them.
    if (live.spec?.finalizers !== undefined) next.spec = { ...next.spec, finalizers: live.spec.finalizers };
  },
});
