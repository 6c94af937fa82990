import type { Node } from "../../kubernetes/types.ts";
import type { Body, Strategy } from "../strategy.ts";

/** DynamicKubeletConfig is gone. */
function dropConfigSource(next: Body, live: Body | undefined): void {
  if (next.spec !== undefined && live?.spec?.configSource === undefined) delete next.spec.configSource;
}

export const nodeStrategy = (plain: Strategy): Strategy => ({
  ...plain,
  keepsStatusOnCreate: true,
  prepareUpdate: dropConfigSource,
  prepareStatus(next, live) {
    if (live.status?.config === undefined && next.status !== undefined) delete next.status.config;
  },
  prepareCreate(object) {
    dropConfigSource(object, undefined);
    // TaintNodesByCondition: no pod lands here before the node said that it is ready.
    const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" as const };
    const taints = (object as Node).spec?.taints ?? [];
    if (!taints.some(({ key, effect }) => key === taint.key && effect === taint.effect))
      object.spec = { ...object.spec, taints: [...taints, taint] };
  },
});
