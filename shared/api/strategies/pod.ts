import { cloneJson } from "../../kubernetes/clone.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { qosClassOf } from "../../kubernetes/qos-class.ts";
import type { Container, Pod } from "../../kubernetes/types.ts";
import type { Strategy } from "../strategy.ts";
import { dropDisabledPodFields, dropDisabledPodStatusFields } from "./disabled-fields.ts";
import { keepMetadata } from "./keep-metadata.ts";
import { applyMatchLabelKeys, syncAppArmor } from "./pod-preparation.ts";

const asPod = (object: KubernetesObject): Pod => object as Pod;
const isTerminal = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

export function podStrategy(plain: Strategy): Strategy {
  return {
    ...plain,
    generation: true,
    returnsDeleted: true,
    normalize: (object) => fillPodIps(asPod(object)),
    resetFields: { status: [["spec"], ["metadata", "deletionTimestamp"], ["metadata", "ownerReferences"]] },
    prepareCreate(object, { nowIso, warn }) {
      const pod = asPod(object);
      object.status = { phase: "Pending", qosClass: qosClassOf(pod.spec) };
      dropDisabledPodFields(pod.spec, undefined);
      applySchedulingGatesCondition(pod, nowIso);
      applyMatchLabelKeys(pod);
      syncAppArmor(pod, warn);
    },
    prepareUpdate(next, live) {
      if (live.status) next.status = live.status;
      dropDisabledPodFields(asPod(next).spec, asPod(live).spec);
    },
    prepareSubresource(subresource, next, live) {
      if (subresource === "resize") keepAllButResources(asPod(next), asPod(live));
      else if (subresource === "ephemeralcontainers") keepAllButEphemeral(asPod(next), asPod(live));
    },
    prepareStatus(next, live) {
      keepObservedGenerations(asPod(next), asPod(live));
      dropDisabledPodStatusFields(asPod(next), asPod(live));
      const qosClass = asPod(live).status?.qosClass;
      if (qosClass !== undefined && asPod(next).status?.qosClass === undefined) next.status = { ...next.status, qosClass };
      delete next.metadata.ownerReferences;
      if (live.metadata.ownerReferences) next.metadata.ownerReferences = live.metadata.ownerReferences;
    },
    /** pkg/registry/core/pod: pods nobody runs, and pods that have ended, go at once. */
    gracePeriodSeconds(object, requested) {
      const pod = asPod(object);
      if ((pod.spec?.nodeName ?? "") === "" || isTerminal(pod)) return 0;
      const period = requested ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
      return period < 0 ? 1 : period;
    },
  };
}

/** `dropNonEphemeralContainerUpdates` */
function keepAllButEphemeral(next: Pod, live: Pod): void {
  const { ephemeralContainers } = next.spec ?? {};
  const { ephemeralContainers: _, ...spec } = cloneJson(live.spec ?? { containers: [] });
  next.spec = { ...spec, ...(ephemeralContainers && { ephemeralContainers }) };
  keepMetadata(next.metadata, live.metadata);
}

/** `dropNonResizeUpdates`: containers that were added, removed, renamed or moved are left for the validation to refuse. */
function keepAllButResources(next: Pod, live: Pod): void {
  const [after, before] = [next.spec ?? { containers: [] }, live.spec ?? { containers: [] }];
  const { initContainers: afterInit = [] } = after;
  const { initContainers: beforeInit = [] } = before;
  if (after.containers.length !== before.containers.length || afterInit.length !== beforeInit.length) return;
  next.spec = { ...cloneJson(before), containers: withResources(after.containers, before.containers) };
  if (beforeInit.length > 0) next.spec.initContainers = withResources(afterInit, beforeInit);
  keepMetadata(next.metadata, live.metadata);
}

function withResources(next: readonly Container[], live: readonly Container[]): Container[] {
  if (next.some(({ name }, index) => name !== live[index]?.name)) return [...next];
  return live.map((container, index) => {
    const { resources: _resources, resizePolicy: _policy, ...kept } = cloneJson(container);
    const { resources, resizePolicy } = next[index] ?? {};
    return { ...kept, ...(resources && { resources }), ...(resizePolicy && { resizePolicy }) };
  });
}

/** What a client of an older kind clears it did not mean to clear (`preserveOldObservedGeneration`). */
function keepObservedGenerations({ status }: Pod, { status: before }: Pod): void {
  if (!status) return;
  if (!status.observedGeneration && before?.observedGeneration) status.observedGeneration = before.observedGeneration;
  const known = [...(before?.conditions ?? [])];
  for (const condition of status.conditions ?? []) {
    const at = known.findIndex(({ type }) => type === condition.type);
    const [old] = at < 0 ? [] : known.splice(at, 1);
    if (!condition.observedGeneration && old?.observedGeneration) condition.observedGeneration = old.observedGeneration;
  }
}

function applySchedulingGatesCondition(pod: Pod, nowIso: string): void {
  if ((pod.spec?.schedulingGates?.length ?? 0) === 0) return;
  const condition = {
    type: "PodScheduled",
    status: "False",
    reason: "SchedulingGated",
    message: "Scheduling is blocked due to non-empty scheduling gates",
  };
  pod.status = { ...pod.status, conditions: [{ lastProbeTime: null, lastTransitionTime: nowIso, ...condition } as never] };
}

/** `podIP` and the first of `podIPs` are one value in Kubernetes' own types (pkg/apis/core/v1 conversion): whichever is given fills the other. */
function fillPodIps({ status }: Pod): void {
  if (!status) return;
  const [first] = status.podIPs ?? [];
  if (status.podIP !== undefined && first?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  else if (first?.ip !== undefined) status.podIP ??= first.ip;
}
