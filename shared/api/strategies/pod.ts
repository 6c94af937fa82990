import type { KubernetesObject } from "../../kubernetes/object.ts";
import { compareQuantities, isZeroQuantity, parseQuantity } from "../../kubernetes/quantity.ts";
import type { Pod, PodSpec } from "../../kubernetes/types.ts";
import type { Strategy } from "../strategy.ts";
import { dropDisabledPodFields } from "./disabled-fields.ts";
import { applyMatchLabelKeys, syncAppArmor } from "./pod-preparation.ts";

type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const asPod = (object: KubernetesObject): Pod => object as Pod;
const isTerminal = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

export function podStrategy(plain: Strategy): Strategy {
  return {
    ...plain,
    generation: true,
    returnsDeleted: true,
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
    prepareStatus(next, live) {
      const qosClass = asPod(live).status?.qosClass;
      if (qosClass !== undefined) next.status = { ...next.status, qosClass };
      fillPodIps(asPod(next));
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

/** `GetPodQOS` of pkg/apis/core/v1/helper/qos: cpu and memory alone count. */
export function qosClassOf(spec: PodSpec | undefined): QosClass {
  let any = false;
  let guaranteed = true;
  for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
    for (const name of ["cpu", "memory"]) {
      const limit = container.resources?.limits?.[name];
      const request = container.resources?.requests?.[name] ?? limit;
      const [hasLimit, hasRequest] = [isPositive(limit), isPositive(request)];
      any ||= hasLimit || hasRequest;
      const equal = limit !== undefined && request !== undefined && compareQuantities(parseQuantity(limit), parseQuantity(request)) === 0;
      guaranteed &&= hasLimit && equal;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

const isPositive = (quantity: string | number | undefined): boolean => quantity !== undefined && !isZeroQuantity(parseQuantity(quantity));
