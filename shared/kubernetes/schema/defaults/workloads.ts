import type {
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  Job,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../../types.ts";
import { type DefaultRule, rule } from "./rule.ts";

/** `SetDefaults_*` of pkg/apis/{core,apps,batch,autoscaling}/*\/defaults.go. */
export const workloadDefaults: readonly DefaultRule[] = [
  rule<ReplicationController>("io.k8s.api.core.v1.ReplicationController", (controller) => {
    const labels = controller.spec?.template?.metadata?.labels;
    if (controller.spec === undefined || labels === undefined) return;
    if (isEmpty(controller.spec.selector)) controller.spec.selector = { ...labels };
    if (isEmpty(controller.metadata.labels)) controller.metadata.labels = { ...labels };
  }),
  rule<Deployment>("io.k8s.api.apps.v1.Deployment", ({ spec }) => {
    if (spec === undefined) return;
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ??= "RollingUpdate";
    if (spec.strategy.type === "RollingUpdate") {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
      spec.strategy.rollingUpdate.maxSurge ??= "25%";
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
  }),
  rule<ReplicaSet>("io.k8s.api.apps.v1.ReplicaSet", ({ spec }) => {
    if (spec !== undefined) spec.replicas ??= 1;
  }),
  rule<DaemonSet>("io.k8s.api.apps.v1.DaemonSet", ({ metadata, spec }) => {
    // What is left of extensions/v1beta1's `templateGeneration`; the strategy counts it.
    metadata.annotations ??= {};
    metadata.annotations["deprecated.daemonset.template.generation"] ??= "0";
    if (spec === undefined) return;
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= "RollingUpdate";
    if (spec.updateStrategy.type === "RollingUpdate") {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    } else if (spec.updateStrategy.rollingUpdate !== undefined) {
      // Internally these are no pointers: what is not set is zero.
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 0;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
  }),
  rule<StatefulSet>("io.k8s.api.apps.v1.StatefulSet", statefulSetDefaults),
  rule<Job>("io.k8s.api.batch.v1.Job", jobDefaults),
  rule<CronJob>("io.k8s.api.batch.v1.CronJob", ({ spec }) => {
    if (spec === undefined) return;
    spec.concurrencyPolicy ??= "Allow";
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
  }),
  rule<{ spec?: { minReplicas?: number } }>("io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler", ({ spec }) => {
    if (spec !== undefined) spec.minReplicas ??= 1;
  }),
  rule<HorizontalPodAutoscaler>("io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", ({ spec }) => {
    if (spec === undefined) return;
    spec.minReplicas ??= 1;
    if (spec.metrics === undefined || spec.metrics.length === 0) {
      spec.metrics = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }];
    }
    if (spec.behavior === undefined) return;
    spec.behavior.scaleUp = { ...scaleUp(), ...spec.behavior.scaleUp };
    spec.behavior.scaleDown = { ...scaleDown(), ...spec.behavior.scaleDown };
  }),
];

function statefulSetDefaults({ spec }: StatefulSet): void {
  if (spec === undefined) return;
  spec.podManagementPolicy ??= "OrderedReady";
  spec.updateStrategy ??= {};
  if (spec.updateStrategy.type === undefined) {
    spec.updateStrategy.type = "RollingUpdate";
    spec.updateStrategy.rollingUpdate ??= {};
  }
  if (spec.updateStrategy.type === "RollingUpdate" && spec.updateStrategy.rollingUpdate !== undefined) {
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= "Retain";
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= "Retain";
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= "v1";
    claim.kind ??= "PersistentVolumeClaim";
  }
}

function jobDefaults(job: Job): void {
  const { spec } = job;
  if (spec === undefined) return;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1;
  const labels = spec.template?.metadata?.labels;
  // The same map: what the server adds to the template's labels later is the job's too.
  if (labels !== undefined && isEmpty(job.metadata.labels)) job.metadata.labels = labels;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  for (const policy of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of policy.onPodConditions ?? []) if (pattern.status === undefined || pattern.status === "") pattern.status = "True";
  }
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
  spec.manualSelector ??= false;
}

function scaleUp(): HPAScalingRules {
  return {
    stabilizationWindowSeconds: 0,
    selectPolicy: "Max",
    policies: [
      { type: "Pods", value: 4, periodSeconds: 15 },
      { type: "Percent", value: 100, periodSeconds: 15 },
    ],
  };
}

function scaleDown(): HPAScalingRules {
  return { selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] };
}

function isEmpty(map: Record<string, string> | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}
