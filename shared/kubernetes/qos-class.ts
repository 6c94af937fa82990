import { compareQuantities, isZeroQuantity, parseQuantity } from "./quantity.ts";
import type { PodSpec } from "./types.ts";

type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** `ComputePodQOS` of pkg/apis/core/v1/helper/qos: cpu and memory alone count. */
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
