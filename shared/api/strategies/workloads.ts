import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { CronJob, Job, LabelSelector, PodTemplate, PodTemplateSpec, StatefulSet } from "../../kubernetes/types.ts";
import type { Body } from "../strategy.ts";
import { dropDisabledClaimFields, dropDisabledPodFields } from "./disabled-fields.ts";

const templateGeneration = "deprecated.daemonset.template.generation";

/** The pod template of a workload, wherever its kind keeps it. */
function templateOf(object: KubernetesObject): PodTemplateSpec | undefined {
  if (object.kind === "PodTemplate") return (object as PodTemplate).template;
  if (object.kind === "CronJob") return (object as CronJob).spec?.jobTemplate?.spec?.template;
  return (object as Job).spec?.template;
}

export function dropTemplateFields(next: Body, live?: Body): void {
  dropDisabledPodFields(templateOf(next)?.spec, live === undefined ? undefined : templateOf(live)?.spec);
}

/** Pods of a job are found by labels that the server makes, unless the client chose a selector (pkg/registry/batch/job `generateSelector`). */
export function selectOwnPods(object: Body): void {
  const job: KubernetesObject = object;
  const { spec, metadata } = job as Job;
  if (spec?.template === undefined || spec.manualSelector === true) return;
  spec.template.metadata ??= {};
  const shared = metadata.labels === undefined || metadata.labels === spec.template.metadata.labels;
  const name = metadata.name ?? "";
  const uid = metadata.uid ?? "";
  const generated = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
  };
  const labels = { ...generated, ...spec.template.metadata.labels };
  spec.template.metadata.labels = labels;
  // Where the job has the labels of its template for want of its own, it follows it.
  if (shared) metadata.labels = { ...labels };
  const selector: LabelSelector = spec.selector ?? {};
  spec.selector = { ...selector, matchLabels: { "batch.kubernetes.io/controller-uid": uid, ...selector.matchLabels } };
}

/** extensions/v1beta1 counted templates in its spec; what is left of it is an annotation that clients cannot change. */
export function countTemplates(next: Body, live?: Body): void {
  const before = live?.metadata.annotations?.[templateGeneration];
  const same = live === undefined || deepEqual(templateOf(next), templateOf(live));
  const asked = Number(next.metadata.annotations?.[templateGeneration] ?? "0");
  const generation = live === undefined ? Math.max(Number.isInteger(asked) ? asked : 0, 1) : Number(before ?? "0") + (same ? 0 : 1);
  if (generation === 0) return;
  next.metadata.annotations = { ...next.metadata.annotations, [templateGeneration]: String(generation) };
}

/** MaxUnavailableStatefulSet is off; claims in templates say what they are. */
export function prepareStatefulSet(next: Body, live?: Body): void {
  const [object, old]: (KubernetesObject | undefined)[] = [next, live];
  const set = object as StatefulSet;
  const before = old as StatefulSet | undefined;
  const rolling = set.spec?.updateStrategy?.rollingUpdate;
  if (rolling?.maxUnavailable !== undefined && before?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined)
    delete rolling.maxUnavailable;
  set.spec?.volumeClaimTemplates?.forEach((claim, index) => {
    dropDisabledClaimFields(claim.spec, before?.spec?.volumeClaimTemplates?.[index]?.spec);
  });
  dropTemplateFields(next, live);
}
