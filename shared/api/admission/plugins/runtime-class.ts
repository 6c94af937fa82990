import { deepEqual } from "../../../kubernetes/deep-equal.ts";
import { runtimeClasses } from "../../../kubernetes/known-resources.ts";
import { compareQuantities, parseQuantity } from "../../../kubernetes/quantity.ts";
import type { Pod, RuntimeClass, Toleration } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, type AdmissionPlugin, denied } from "../attributes.ts";

type Amounts = Readonly<Record<string, string | number>>;

/** A pod's RuntimeClass exists, and gives it its overhead (KEP-688) and its scheduling constraints. */
export const runtimeClass: AdmissionPlugin = {
  mutate(cluster, attributes) {
    if (attributes.operation !== "CREATE" || attributes.subresource !== "") return;
    const { spec } = attributes.object as Pod;
    const chosen = classOf(cluster, attributes);
    if (!spec || !chosen) return;
    const overhead = chosen.overhead?.podFixed;
    if (chosen.overhead) {
      if (Object.keys(spec.overhead ?? {}).length > 0 && !sameAmounts(overhead, spec.overhead))
        throw denied(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      if (overhead) spec.overhead = { ...overhead };
      else delete spec.overhead;
    }
    const { nodeSelector, tolerations } = chosen.scheduling ?? {};
    for (const [key, value] of Object.entries(nodeSelector ?? {})) {
      const own = spec.nodeSelector?.[key];
      if (own !== undefined && own !== value)
        throw denied(
          attributes,
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
        );
    }
    if (nodeSelector) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
    if (tolerations) spec.tolerations = mergeTolerations(spec.tolerations ?? [], tolerations);
  },
  validate(cluster, attributes) {
    if (attributes.operation !== "CREATE" || attributes.subresource !== "") return;
    const { spec } = attributes.object as Pod;
    const chosen = classOf(cluster, attributes);
    if (chosen?.overhead) {
      if (!sameAmounts(chosen.overhead.podFixed, spec?.overhead))
        throw denied(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    } else if (spec?.overhead !== undefined)
      throw denied(attributes, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
  },
};

function classOf({ mirror }: ApiCluster, attributes: AdmissionAttributes): RuntimeClass | undefined {
  const name = (attributes.object as Pod).spec?.runtimeClassName;
  if (name === undefined) return undefined;
  const found = mirror.get(runtimeClasses, "", name);
  if (!found) throw denied(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  return found.object as RuntimeClass;
}

function sameAmounts(a: Amounts = {}, b: Amounts = {}): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => b[name] !== undefined && compareQuantities(parseQuantity(a[name] ?? 0), parseQuantity(b[name])) === 0)
  );
}

/** pkg/util/tolerations `MergeTolerations`: those that another of them covers are left out. */
function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [index, each] of all.entries()) {
    if (merged.some((kept) => covers(kept, each))) continue;
    if (all.slice(index + 1).some((later) => !deepEqual(each, later) && covers(later, each))) continue;
    merged.push(each);
  }
  return merged;
}

function covers(wide: Toleration, narrow: Toleration): boolean {
  if (deepEqual(wide, narrow)) return true;
  const anyKey = !wide.key && wide.operator === "Exists";
  if (!anyKey && (wide.key ?? "") !== (narrow.key ?? "")) return false;
  if (wide.effect && wide.effect !== narrow.effect) return false;
  if (wide.effect === "NoExecute" && wide.tolerationSeconds !== undefined) {
    if (narrow.tolerationSeconds === undefined || narrow.tolerationSeconds > wide.tolerationSeconds) return false;
  }
  return wide.operator === "Exists" || (narrow.operator === "Equal" && (wide.value ?? "") === (narrow.value ?? ""));
}
