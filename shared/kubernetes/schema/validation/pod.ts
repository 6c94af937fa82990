import { deepEqual } from "../../deep-equal.ts";
import { dnsSubdomainProblems, rangeProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Container, ContainerStatus, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from "../../types.ts";
import { forbidden, invalid, required } from "../field-error.ts";
import { goQuote, goStringMap } from "../go-text.ts";
import { checkImmutable, checkIp, checkQualifiedName, goLiteral, invalidEach, maximumInt32 } from "./checks.ts";
import { checkImageText } from "./containers.ts";
import { same } from "./object-meta.ts";
import { checkOnlyForPods, checkPodAnnotations, checkPodSpec } from "./pod-spec.ts";
import { checkProfilesAgree } from "./profiles.ts";
import { checkId } from "./security-context.ts";
import { checkTolerations } from "./selectors.ts";
import { specDifference } from "./spec-difference.ts";

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

const mirror = "kubernetes.io/config.mirror";
/** Whether a pod stands for one that its node was given as a file. */
export const isMirrorPod = ({ metadata }: Pod): boolean => metadata.annotations?.[mirror] !== undefined;

const emptySpec: PodSpec = { containers: [] };

/** `ValidatePodCreate`, but for the metadata. */
export function validatePod(pod: Pod): StatusCause[] {
  const spec = pod.spec ?? emptySpec;
  const causes = checkPod(pod, spec);
  if ((spec.ephemeralContainers?.length ?? 0) > 0) causes.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  if ((spec.nodeName ?? "") !== "" && (spec.schedulingGates?.length ?? 0) > 0) {
    causes.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  return [...causes, ...checkProfilesAgree(pod.metadata, spec, "spec")];
}

/** `validatePodMetadataAndSpec`, but for the metadata. */
export function checkPod(pod: Pod, spec: PodSpec): StatusCause[] {
  const causes = [...checkPodAnnotations(pod.metadata, spec, "metadata.annotations"), ...checkPodSpec(spec, pod.metadata, "spec")];
  if ((spec.serviceAccountName ?? "") === "") {
    (spec.volumes ?? []).forEach((volume, index) => {
      (volume.projected?.sources ?? []).forEach((source, number) => {
        if (source.serviceAccountToken === undefined) return;
        causes.push(
          forbidden(
            `spec.volumes[${index}].projected.sources[${number}].serviceAccountToken`,
            "must not be specified when serviceAccountName is not set",
          ),
        );
      });
    });
  }
  return [...causes, ...checkOnlyForPods(spec, "spec")];
}

/** `ValidatePodUpdate`, but for the metadata: of a pod's spec almost nothing may change. */
export function validatePodUpdate(next: Pod, live: Pod): StatusCause[] {
  const after = next.spec ?? emptySpec;
  const before = live.spec ?? emptySpec;
  const causes = [...checkPod(next, after), ...checkAnnotationChanges(next, live)];
  for (const field of ["containers", "initContainers"] as const) {
    const containers = after[field] ?? [];
    if (containers.length !== (before[field] ?? []).length)
      return [...causes, forbidden(`spec.${field}`, "pod updates may not add or remove containers")];
    containers.forEach((container, index) => {
      if ((container.image ?? "") === "") causes.push(required(`spec.${field}[${index}].image`));
      causes.push(...checkImageText(container, `spec.${field}[${index}]`));
    });
  }
  const deadline = checkDeadline(after.activeDeadlineSeconds, before.activeDeadlineSeconds);
  causes.push(...deadline.causes);
  if (deadline.stop) return causes;
  causes.push(...checkAddedTolerations(after.tolerations ?? [], before.tolerations ?? []));
  causes.push(...checkRemovedGates(after, before));
  if (deepEqual(after, before)) return causes;
  const munged = withUpdatable(after, before);
  if ((before.schedulingGates?.length ?? 0) > 0) causes.push(...checkGatedPlacement(munged, before));
  if (!deepEqual(munged, before)) {
    causes.push(
      forbidden("spec", `pod updates may not change fields other than ${updatable}\n${specDifference("core.PodSpec", before, munged)}`),
    );
  }
  return causes;
}

/** `after` with everything that may change put back as it was. */
function withUpdatable(after: PodSpec, before: PodSpec): PodSpec {
  const munged: PodSpec = { ...after };
  const imagesOf = (field: "containers" | "initContainers"): Container[] =>
    (after[field] ?? []).map((container, index) => {
      const image = before[field]?.[index]?.image;
      return image === undefined ? container : { ...container, image };
    });
  munged.containers = imagesOf("containers");
  if (after.initContainers !== undefined) munged.initContainers = imagesOf("initContainers");
  restore(munged, before, "activeDeadlineSeconds");
  restore(munged, before, "schedulingGates");
  restore(munged, before, "tolerations");
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && munged.terminationGracePeriodSeconds === 1)
    restore(munged, before, "terminationGracePeriodSeconds");
  return munged;
}

function restore<K extends keyof PodSpec>(target: PodSpec, source: PodSpec, field: K): void {
  if (source[field] === undefined) delete target[field];
  else target[field] = source[field];
}

function checkDeadline(next: number | undefined, live: number | undefined): { causes: StatusCause[]; stop: boolean } {
  const path = "spec.activeDeadlineSeconds";
  if (next === undefined) {
    return { causes: live === undefined ? [] : [invalid(path, null, "must not update from a positive integer to nil value")], stop: false };
  }
  const range = rangeProblems(next, 0, maximumInt32);
  if (range.length > 0) return { causes: invalidEach(path, next, range), stop: true };
  if (live !== undefined && live < next)
    return { causes: [invalid(path, next, "must be less than or equal to previous value")], stop: true };
  return { causes: [], stop: false };
}

function checkAddedTolerations(next: readonly Toleration[], live: readonly Toleration[]): StatusCause[] {
  const kept = live.every((old) =>
    next.some((one) => deepEqual({ ...one, tolerationSeconds: undefined }, { ...old, tolerationSeconds: undefined })),
  );
  if (!kept) return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
  return checkTolerations(next, "spec.tolerations");
}

function checkRemovedGates(next: PodSpec, live: PodSpec): StatusCause[] {
  const known = new Set((live.schedulingGates ?? []).map((gate) => gate.name));
  return (next.schedulingGates ?? []).flatMap(({ name }, index) =>
    known.has(name)
      ? []
      : [forbidden(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)],
  );
}

/** A gated pod's placement may become narrower. `munged` takes over what is allowed. */
function checkGatedPlacement(munged: PodSpec, before: PodSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!same(munged.nodeSelector, before.nodeSelector)) {
    if (Object.entries(before.nodeSelector ?? {}).some(([key, value]) => munged.nodeSelector?.[key] !== value)) {
      const text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
      causes.push(invalid("spec.nodeSelector", { go: goStringMap(munged.nodeSelector) }, text));
    }
    restore(munged, before, "nodeSelector");
  }
  const after = munged.affinity?.nodeAffinity;
  const live = before.affinity?.nodeAffinity;
  if (!same(after, live)) {
    causes.push(...checkNarrowedAffinity(after, live));
    const { nodeAffinity: _, ...others } = munged.affinity ?? {};
    const affinity = live === undefined ? others : { ...others, nodeAffinity: live };
    if (Object.keys(affinity).length === 0 && before.affinity === undefined) delete munged.affinity;
    else munged.affinity = affinity;
  }
  return causes;
}

function checkNarrowedAffinity(next: NodeAffinity | undefined, live: NodeAffinity | undefined): StatusCause[] {
  const hard = "requiredDuringSchedulingIgnoredDuringExecution";
  const path = `spec.affinity.nodeAffinity.${hard}.nodeSelectorTerms`;
  const before = live?.[hard]?.nodeSelectorTerms ?? [];
  const after = next?.[hard]?.nodeSelectorTerms ?? [];
  if (before.length === 0) return [];
  if (before.length !== after.length) {
    return [invalid(path, { go: goLiteral(after) }, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")];
  }
  return before.flatMap((term, index) => {
    const value = after[index];
    if (value !== undefined && onlyAdds(value, term)) return [];
    return [invalid(`${path}[${index}]`, { go: goLiteral(value) }, "only additions are allowed (no mutations or deletions)")];
  });
}

function onlyAdds(next: NodeSelectorTerm, live: NodeSelectorTerm): boolean {
  const expressions = live.matchExpressions ?? [];
  const fields = live.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return same(next, live);
  const starts = (list: readonly unknown[] | undefined, start: readonly unknown[]) => deepEqual((list ?? []).slice(0, start.length), start);
  return starts(next.matchExpressions, expressions) && starts(next.matchFields, fields);
}

export function checkAnnotationChanges(next: Pod, live: Pod): StatusCause[] {
  const after = next.metadata.annotations?.[mirror];
  const before = live.metadata.annotations?.[mirror];
  if (after === before) return [];
  const verb = before === undefined ? "add" : "remove or update";
  return [forbidden(`metadata.annotations[${mirror}]`, `may not ${verb} mirror pod annotation`)];
}

/** `ValidatePodStatusUpdate`, but for the metadata. */
export function validatePodStatus(next: Pod, live: Pod): StatusCause[] {
  const status = next.status ?? {};
  const causes = checkAnnotationChanges(next, live);
  (status.conditions ?? []).forEach(({ type }, index) => {
    if (!["PodScheduled", "Ready", "Initialized"].includes(type))
      causes.push(...checkQualifiedName(type, `status.conditions[${index}].Type`));
  });
  if ((next.spec?.nodeName ?? "") !== (live.spec?.nodeName ?? "")) causes.push(forbidden("status.nodeName", "may not be changed directly"));
  const nominated = status.nominatedNodeName ?? "";
  if (nominated !== "" && nominated !== live.status?.nominatedNodeName) {
    causes.push(...invalidEach("status.nominatedNodeName", nominated, dnsSubdomainProblems(nominated)));
  }
  causes.push(...checkImmutable(status.qosClass ?? "", live.status?.qosClass ?? "", "status.qosClass"));
  const policy = live.spec?.restartPolicy ?? "Always";
  const sidecars = new Set((live.spec?.initContainers ?? []).filter((one) => one.restartPolicy === "Always").map((one) => one.name));
  causes.push(...checkTransitions(status.containerStatuses, live.status?.containerStatuses, policy, "status.containerStatuses"));
  const initial = live.status?.initContainerStatuses?.map((one) => (sidecars.has(one.name) ? { ...one, state: {} } : one));
  causes.push(...checkTransitions(status.initContainerStatuses, initial, policy, "status.initContainerStatuses"));
  const ephemeral = [status.ephemeralContainerStatuses, live.status?.ephemeralContainerStatuses] as const;
  causes.push(...checkTransitions(...ephemeral, "Never", "status.ephemeralContainerStatuses"));
  causes.push(...checkIps(status.podIPs, status.podIP, "podIP"), ...checkIps(status.hostIPs, status.hostIP, "hostIP"));
  if (next.spec?.os?.name !== "windows")
    for (const field of ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] as const)
      causes.push(...checkUsers(status[field], `status.${field}`));
  return causes;
}

function checkUsers(containers: readonly ContainerStatus[] | undefined, path: string): StatusCause[] {
  return (containers ?? []).flatMap(({ user }, index) => {
    if (user?.linux === undefined) return [];
    const { uid = 0, gid = 0, supplementalGroups = [] } = user.linux;
    const at = `${path}[${index}].user.linux`;
    const groups = supplementalGroups.flatMap((group, position) => checkId(group, `${at}.supplementalGroups[${position}]`));
    return [...checkId(uid, `${at}.uid`), ...checkId(gid, `${at}.gid`), ...groups];
  });
}

function checkTransitions(
  next: readonly ContainerStatus[] | undefined,
  live: readonly ContainerStatus[] | undefined,
  restartPolicy: string,
  path: string,
): StatusCause[] {
  if (restartPolicy === "Always") return [];
  return (live ?? []).flatMap((old, index) => {
    const ended = old.state?.terminated;
    if (ended === undefined || (ended.exitCode !== 0 && restartPolicy === "OnFailure")) return [];
    const revived = (next ?? []).some((one) => one.name === old.name && one.state?.terminated === undefined);
    return revived ? [forbidden(`${path}[${index}].state`, "may not be transitioned to non-terminated state")] : [];
  });
}

function checkIps(list: readonly { ip: string }[] | undefined, first: string | undefined, field: "podIP" | "hostIP"): StatusCause[] {
  const ips = (list ?? []).map((entry) => entry.ip);
  if (ips.length === 0) return [];
  const path = `status.${field}s`;
  const causes = ips[0] === (first ?? "") ? [] : [invalid(`${path}[0].ip`, ips[0], `must be equal to \`${field}\``)];
  ips.forEach((ip, index) => {
    causes.push(...checkIp(ip, `${path}[${index}]`));
  });
  const families = new Set(ips.map((ip) => ip.includes(":")));
  if (ips.length > 2 || (ips.length === 2 && families.size < 2)) {
    const shown = ips.map((ip) => `core.${field === "podIP" ? "PodIP" : "HostIP"}{IP:${goQuote(ip)}}`).join(", ");
    const type = field === "podIP" ? "[]core.PodIP" : "[]core.HostIP";
    causes.push(invalid(path, { go: `${type}{${shown}}` }, "may specify no more than one IP for each IP family"));
  }
  return causes;
}
