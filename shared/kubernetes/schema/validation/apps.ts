import { deepEqual } from "../../deep-equal.ts";
import { labelSelectorProblems, matchesSelector } from "../../label-selector.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goIntOrString, goLabelSelector, goQuote, goStringMap } from "../go-text.ts";
import { checkDnsLabel, checkImmutable, checkNonnegative, checkSupported } from "./checks.ts";
import { validateAnnotations, validateLabels } from "./object-meta.ts";
import { checkPodAnnotations, checkPodTemplate } from "./pod-spec.ts";
import {
  checkCollisionCount,
  checkIntOrPercent,
  checkNotOver100Percent,
  checkReplicaCounts,
  checkRunsForever,
  checkSelector,
  checkSelectorAndTemplate,
  checkSelectorUnchanged,
  checkTemplateLabels,
  intOrPercentValue,
  isReadable,
} from "./workloads.ts";

/** `ValidateDeploymentSpec`. */
export function validateDeployment({ spec }: Deployment): StatusCause[] {
  const causes = checkNonnegative(spec?.replicas, "spec.replicas");
  causes.push(...checkSelectorAndTemplate(spec?.selector, spec?.template, "spec", { selector: "deployment", deadline: "ReplicaSet" }));
  causes.push(...checkDeploymentStrategy(spec?.strategy ?? {}, "spec.strategy"));
  const { minReadySeconds = 0, progressDeadlineSeconds: deadline } = spec ?? {};
  causes.push(
    ...checkNonnegative(minReadySeconds, "spec.minReadySeconds"),
    ...checkNonnegative(spec?.revisionHistoryLimit, "spec.revisionHistoryLimit"),
  );
  causes.push(...checkNonnegative(deadline, "spec.progressDeadlineSeconds"));
  if (deadline !== undefined && deadline <= minReadySeconds) {
    causes.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
  return causes;
}

/** As `%#v` prints it, but for the address of what it points to. */
function goStrategy(type: string, pointed: string, strategy: { readonly type?: string; readonly rollingUpdate?: object }): string {
  const pointer = strategy.rollingUpdate === undefined ? "nil" : "0xc000000000";
  return `apps.${type}{Type:${goQuote(strategy.type ?? "")}, RollingUpdate:(*apps.${pointed})(${pointer})}`;
}

function goStatefulSetRollingUpdate({ partition = 0, maxUnavailable }: NonNullable<StatefulSetStrategy["rollingUpdate"]>): string {
  const pointer = maxUnavailable === undefined ? "nil" : "0xc000000000";
  return `apps.RollingUpdateStatefulSetStrategy{Partition:${partition}, MaxUnavailable:(*intstr.IntOrString)(${pointer})}`;
}

type DeploymentStrategy = NonNullable<NonNullable<Deployment["spec"]>["strategy"]>;

function checkDeploymentStrategy(strategy: DeploymentStrategy, path: string): StatusCause[] {
  const at = `${path}.rollingUpdate`;
  const { rollingUpdate } = strategy;
  if (strategy.type === "Recreate")
    return rollingUpdate === undefined ? [] : [forbidden(at, "may not be specified when strategy `type` is 'Recreate'")];
  if (strategy.type !== "RollingUpdate")
    return [
      notSupported(path, { go: goStrategy("DeploymentStrategy", "RollingUpdateDeployment", strategy) }, ["Recreate", "RollingUpdate"]),
    ];
  if (rollingUpdate === undefined) return [required(at, "this should be defaulted and never be nil")];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const causes = [...checkIntOrPercent(maxUnavailable, `${at}.maxUnavailable`), ...checkIntOrPercent(maxSurge, `${at}.maxSurge`)];
  if (intOrPercentValue(maxUnavailable) === 0 && intOrPercentValue(maxSurge) === 0) {
    causes.push(invalid(`${at}.maxUnavailable`, { go: goIntOrString(maxUnavailable) }, "may not be 0 when `maxSurge` is 0"));
  }
  return [...causes, ...checkNotOver100Percent(maxUnavailable, `${at}.maxUnavailable`)];
}

export function validateDeploymentUpdate(next: Deployment, live: Deployment): StatusCause[] {
  return [...validateDeployment(next), ...checkSelectorUnchanged(next.spec?.selector, live.spec?.selector)];
}

export function validateDeploymentStatus(next: Deployment, live: Deployment): StatusCause[] {
  const fields = [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
  ];
  const counts = checkReplicaCounts(next.status, fields, ["updatedReplicas", "readyReplicas", "availableReplicas"]);
  return [...counts, ...checkCollisionCount(next.status, live.status)];
}

export function validateReplicaSet({ spec }: ReplicaSet): StatusCause[] {
  return [
    ...checkNonnegative(spec?.replicas, "spec.replicas"),
    ...checkNonnegative(spec?.minReadySeconds, "spec.minReadySeconds"),
    ...checkSelectorAndTemplate(spec?.selector, spec?.template, "spec", { selector: "deployment", deadline: "ReplicaSet" }),
  ];
}

export function validateReplicaSetUpdate(next: ReplicaSet, live: ReplicaSet): StatusCause[] {
  return [...validateReplicaSet(next), ...checkSelectorUnchanged(next.spec?.selector, live.spec?.selector)];
}

/** `ValidateStatefulSetSpec`: Kubernetes looks at the metadata of the template, not at its pod. */
export function validateStatefulSet(set: StatefulSet): StatusCause[] {
  const serviceName = set.spec?.serviceName ?? "";
  return checkStatefulSet(set, serviceName === "" ? [] : checkDnsLabel(serviceName, "spec.serviceName"));
}

function checkStatefulSet({ spec }: StatefulSet, serviceName: readonly StatusCause[]): StatusCause[] {
  const causes: StatusCause[] = [];
  const { podManagementPolicy: policy, updateStrategy, template = {} } = spec ?? {};
  if (policy === undefined) causes.push(required("spec.podManagementPolicy"));
  else if (policy !== "OrderedReady" && policy !== "Parallel")
    causes.push(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"));
  causes.push(...checkStatefulSetStrategy(updateStrategy ?? {}, "spec.updateStrategy"));
  for (const field of ["whenDeleted", "whenScaled"] as const) {
    const value = spec?.persistentVolumeClaimRetentionPolicy?.[field];
    causes.push(...checkSupported(value, ["Retain", "Delete"], `spec.persistentVolumeClaimRetentionPolicy.${field}`));
  }
  causes.push(...checkNonnegative(spec?.replicas, "spec.replicas"), ...checkNonnegative(spec?.minReadySeconds, "spec.minReadySeconds"));
  causes.push(...checkNonnegative(spec?.ordinals?.start, "spec.ordinals.start"), ...serviceName);
  causes.push(...checkSelector(spec?.selector, "spec.selector", "statefulset"));
  const readable = isReadable(spec?.selector);
  if (!readable) causes.push(invalid("spec.selector", { go: goLabelSelector(spec?.selector) }, ""));
  else causes.push(...checkTemplateLabels(spec?.selector, template, "spec.template"));
  causes.push(...validateLabels(template.metadata?.labels, "spec.template.labels"));
  causes.push(...validateAnnotations(template.metadata?.annotations, "spec.template.annotations"));
  causes.push(...checkPodAnnotations(template.metadata, template.spec, "spec.template.annotations"));
  return [...causes, ...checkRunsForever(template, "spec.template", "StatefulSet")];
}

type StatefulSetStrategy = NonNullable<NonNullable<StatefulSet["spec"]>["updateStrategy"]>;

function checkStatefulSetStrategy({ type, rollingUpdate }: StatefulSetStrategy, path: string): StatusCause[] {
  const at = `${path}.rollingUpdate`;
  if (type === undefined) return [required(path)];
  if (type === "OnDelete")
    return rollingUpdate === undefined
      ? []
      : [invalid(at, { go: goStatefulSetRollingUpdate(rollingUpdate) }, "only allowed for updateStrategy 'RollingUpdate'")];
  if (type !== "RollingUpdate")
    return [
      invalid(
        path,
        {
          go: goStrategy("StatefulSetUpdateStrategy", "RollingUpdateStatefulSetStrategy", {
            type,
            ...(rollingUpdate && { rollingUpdate }),
          }),
        },
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ];
  if (rollingUpdate === undefined) return [];
  const { partition, maxUnavailable } = rollingUpdate;
  const causes = checkNonnegative(partition, `${at}.partition`);
  if (maxUnavailable === undefined) return causes;
  causes.push(...checkIntOrPercent(maxUnavailable, `${at}.maxUnavailable`));
  if (intOrPercentValue(maxUnavailable) === 0)
    causes.push(invalid(`${at}.maxUnavailable`, { go: goIntOrString(maxUnavailable) }, "cannot be 0"));
  return [...causes, ...checkNotOver100Percent(maxUnavailable, `${at}.maxUnavailable`)];
}

const mutableStatefulSetFields = [
  "replicas",
  "template",
  "updateStrategy",
  "minReadySeconds",
  "ordinals",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
];

export function validateStatefulSetUpdate(next: StatefulSet, live: StatefulSet): StatusCause[] {
  const causes = checkStatefulSet(next, []);
  const fixed = (set: StatefulSet) =>
    Object.fromEntries(Object.entries(set.spec ?? {}).filter(([field]) => !mutableStatefulSetFields.includes(field)));
  if (deepEqual(fixed(next), fixed(live))) return causes;
  const names =
    "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'";
  return [...causes, forbidden("spec", `updates to statefulset spec for fields other than ${names} are forbidden`)];
}

export function validateStatefulSetStatus(next: StatefulSet, live: StatefulSet): StatusCause[] {
  const parts = ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
  const counts = checkReplicaCounts(
    next.status,
    ["replicas", ...parts, "observedGeneration", "collisionCount"],
    parts,
    "status.readyReplicas",
  );
  return [...counts, ...checkCollisionCount(next.status, live.status)];
}

/** `ValidateDaemonSetSpec`. */
export function validateDaemonSet({ spec }: DaemonSet): StatusCause[] {
  const { selector, template = {}, minReadySeconds, updateStrategy, revisionHistoryLimit } = spec ?? {};
  const causes = labelSelectorProblems(selector, "spec.selector");
  const labels = template.metadata?.labels;
  if (causes.length === 0 && (selector === undefined || !matchesSelector(selector, labels))) {
    causes.push(invalid("spec.template.metadata.labels", { go: goStringMap(labels) }, "`selector` does not match template `labels`"));
  }
  const size = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0);
  if (selector !== undefined && size === 0)
    causes.push(invalid("spec.selector", { go: goLabelSelector(selector) }, "empty selector is invalid for daemonset"));
  causes.push(...checkPodTemplate(template, "spec.template"), ...checkRunsForever(template, "spec.template", "DaemonSet"));
  causes.push(...checkNonnegative(minReadySeconds, "spec.minReadySeconds"));
  causes.push(...checkDaemonSetStrategy(updateStrategy ?? {}, "spec.updateStrategy"));
  return [...causes, ...checkNonnegative(revisionHistoryLimit, "spec.revisionHistoryLimit")];
}

type DaemonSetStrategy = NonNullable<NonNullable<DaemonSet["spec"]>["updateStrategy"]>;

function checkDaemonSetStrategy(strategy: DaemonSetStrategy, path: string): StatusCause[] {
  if (strategy.type === "OnDelete") return [];
  if (strategy.type !== "RollingUpdate")
    return [
      notSupported(path, { go: goStrategy("DaemonSetUpdateStrategy", "RollingUpdateDaemonSet", strategy) }, ["RollingUpdate", "OnDelete"]),
    ];
  const at = `${path}.rollingUpdate`;
  if (strategy.rollingUpdate === undefined) return [required(at)];
  const { maxUnavailable, maxSurge } = strategy.rollingUpdate;
  const causes = [...checkIntOrPercent(maxUnavailable, `${at}.maxUnavailable`), ...checkIntOrPercent(maxSurge, `${at}.maxSurge`)];
  causes.push(...checkNotOver100Percent(maxUnavailable, `${at}.maxUnavailable`), ...checkNotOver100Percent(maxSurge, `${at}.maxSurge`));
  const unavailable = intOrPercentValue(maxUnavailable) !== 0;
  const surge = intOrPercentValue(maxSurge) !== 0;
  if (unavailable && surge)
    causes.push(invalid(`${at}.maxSurge`, { go: goIntOrString(maxSurge) }, "may not be set when maxUnavailable is non-zero"));
  if (!unavailable && !surge) causes.push(required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  return causes;
}

export function validateDaemonSetUpdate(next: DaemonSet, live: DaemonSet): StatusCause[] {
  return [...validateDaemonSet(next), ...checkSelectorUnchanged(next.spec?.selector, live.spec?.selector)];
}

export function validateDaemonSetStatus(next: DaemonSet, live: DaemonSet): StatusCause[] {
  const fields = [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ];
  return [...checkReplicaCounts(next.status, fields, []), ...checkCollisionCount(next.status, live.status)];
}

export function validateControllerRevision(revision: ControllerRevision): StatusCause[] {
  const causes = checkNonnegative(revision.revision, "revision");
  const { data } = revision;
  if (data === undefined || data === null) causes.push(required("data", "data is mandatory"));
  else if (typeof data !== "object" || Array.isArray(data)) causes.push(required("data", "data must be a valid JSON object"));
  return causes;
}

export function validateControllerRevisionUpdate(next: ControllerRevision, live: ControllerRevision): StatusCause[] {
  return [...checkNonnegative(next.revision, "revision"), ...checkImmutable(next.data, live.data, "data")];
}
