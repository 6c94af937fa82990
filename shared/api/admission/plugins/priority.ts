import { priorityClasses } from "../../../kubernetes/known-resources.ts";
import type { Pod, PriorityClass } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionPlugin, denied } from "../attributes.ts";

/** A pod's priority is that of its class, or of the default one; of PriorityClasses at most one is the default. */
export const podPriority: AdmissionPlugin = {
  mutate(cluster, attributes) {
    const { operation, subresource } = attributes;
    if (subresource !== "" || operation === "DELETE") return;
    const pod = attributes.object as Pod;
    const { spec } = pod;
    if (!spec) return;
    if (operation === "UPDATE") {
      const before = (attributes.oldObject as Pod).spec;
      if (spec.priority === undefined && before?.priority !== undefined) spec.priority = before.priority;
      if (spec.preemptionPolicy === undefined && before?.preemptionPolicy !== undefined) spec.preemptionPolicy = before.preemptionPolicy;
      return;
    }
    const name = spec.priorityClassName ?? "";
    const chosen =
      name === "" ? globalDefault(cluster) : (cluster.mirror.get(priorityClasses, "", name)?.object as PriorityClass | undefined);
    if (name !== "" && !chosen) throw denied(attributes, `no PriorityClass with name ${name} was found`);
    if (chosen) spec.priorityClassName = chosen.metadata.name ?? "";
    const priority = chosen?.value ?? 0;
    const by = "must not be provided in pod spec; priority admission controller computed";
    if (spec.priority !== undefined && spec.priority !== priority)
      throw denied(attributes, `the integer value of priority (${spec.priority}) ${by} ${priority} from the given PriorityClass name`);
    spec.priority = priority;
    const policy = chosen ? chosen.preemptionPolicy : "PreemptLowerPriority";
    if (policy === undefined) return;
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
      throw denied(
        attributes,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) ${by} ${policy} from the given PriorityClass name`,
      );
    spec.preemptionPolicy = policy;
  },
};

export const priorityClassDefault: AdmissionPlugin = {
  validate(cluster, attributes) {
    const { operation, subresource, object } = attributes;
    if (subresource !== "" || operation === "DELETE" || (object as PriorityClass).globalDefault !== true) return;
    const present = globalDefault(cluster)?.metadata.name;
    if (present !== undefined && (operation === "CREATE" || present !== object.metadata.name))
      throw denied(attributes, `PriorityClass ${present} is already marked as default. Only one default can exist`);
  },
};

/** The lowest of them, should there be several. */
function globalDefault({ mirror }: ApiCluster): PriorityClass | undefined {
  let lowest: PriorityClass | undefined;
  for (const { object } of mirror.list(priorityClasses)) {
    const candidate = object as PriorityClass;
    if (candidate.globalDefault === true && (!lowest || candidate.value < lowest.value)) lowest = candidate;
  }
  return lowest;
}
