import type { Container, EnvVar, Job, OwnerReference, Pod } from "../../kubernetes/types.ts";
import { podFromTemplate } from "../replicas/pod-template.ts";
import {
  completionIndexName,
  failureCountAnnotation,
  failuresOf,
  ignoredFailureCountAnnotation,
  ignoredFailuresOf,
  trackingFinalizer,
} from "./job-pods.ts";
import { countsAsFailure } from "./policies.ts";

const indexVariable = "JOB_COMPLETION_INDEX";
/** The longest prefix of a generated name: a label's 63 characters without the five random ones. */
const longestPrefix = 58;

/** A pod of a job; with an index, the one of it. `replaced` is the failed pod of that index before it, where failures count by index. */
export function podOfJob(job: Job, reference: OwnerReference, index: number | undefined, replaced: Pod | undefined): Pod {
  const pod = podFromTemplate(job.spec?.template ?? {}, job, reference);
  const finalizers = [...(pod.metadata.finalizers ?? []).filter((each) => each !== trackingFinalizer), trackingFinalizer];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const { name = "" } = job.metadata;
  const { spec } = pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: prefixOf(name, index),
      finalizers,
      labels: { ...pod.metadata.labels, [completionIndexName]: `${index}` },
      annotations: { ...pod.metadata.annotations, [completionIndexName]: `${index}`, ...failureCounts(job, replaced) },
    },
    ...(spec && {
      spec: {
        ...spec,
        hostname: `${name}-${index}`,
        containers: spec.containers.map(withIndex),
        ...(spec.initContainers && { initContainers: spec.initContainers.map(withIndex) }),
      },
    }),
  };
}

function prefixOf(name: string, index: number): string {
  const suffix = `-${index}-`;
  return `${name.slice(0, longestPrefix - suffix.length)}${suffix}`;
}

function withIndex(container: Container): Container {
  if (container.env?.some(({ name }) => name === indexVariable)) return container;
  const fieldPath = `metadata.labels['${completionIndexName}']`;
  const variable: EnvVar = { name: indexVariable, valueFrom: { fieldRef: { fieldPath } } };
  return { ...container, env: [...(container.env ?? []), variable] };
}

function failureCounts(job: Job, replaced: Pod | undefined): Record<string, string> {
  if (job.spec?.backoffLimitPerIndex === undefined) return {};
  const isCounted = replaced !== undefined && countsAsFailure(replaced, job);
  const failures = replaced ? failuresOf(replaced) + (isCounted ? 1 : 0) : 0;
  const ignored = replaced ? ignoredFailuresOf(replaced) + (isCounted ? 0 : 1) : 0;
  return { [failureCountAnnotation]: `${failures}`, ...(ignored > 0 && { [ignoredFailureCountAnnotation]: `${ignored}` }) };
}
