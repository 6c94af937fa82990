import type { Pod } from "../../../kubernetes/types.ts";
import type { AdmissionPlugin } from "../attributes.ts";

const keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] as const;
const tolerationSeconds = 300;

/** Pods stay five minutes on a node that is not ready or not reachable, unless they say otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  mutate(_cluster, { operation, subresource, object }) {
    if (operation === "DELETE" || subresource !== "") return;
    const { spec } = object as Pod;
    if (!spec) return;
    for (const key of keys) {
      const tolerated = spec.tolerations?.some(
        (toleration) => (toleration.key === key || !toleration.key) && (!toleration.effect || toleration.effect === "NoExecute"),
      );
      if (!tolerated) spec.tolerations = [...(spec.tolerations ?? []), { key, operator: "Exists", effect: "NoExecute", tolerationSeconds }];
    }
  },
};
