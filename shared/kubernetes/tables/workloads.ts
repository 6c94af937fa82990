import { humanDuration } from "../duration.ts";
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../types.ts";
import { age, containerCells, formatLabels, formatSelector, type Printer, selectorString, since } from "./format.ts";

export const replicationControllerCells: Printer = (object, nowMs) => {
  const rc = object as ReplicationController;
  const { spec, status } = rc;
  return [
    rc.metadata.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(rc, nowMs),
    ...containerCells(spec?.template?.spec?.containers),
    formatLabels(spec?.selector),
  ];
};

export const replicaSetCells: Printer = (object, nowMs) => {
  const rs = object as ReplicaSet;
  const { spec, status } = rs;
  return [
    rs.metadata.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(rs, nowMs),
    ...containerCells(spec?.template?.spec?.containers),
    formatSelector(spec?.selector),
  ];
};

export const deploymentCells: Printer = (object, nowMs) => {
  const deployment = object as Deployment;
  const { spec, status } = deployment;
  return [
    deployment.metadata.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    age(deployment, nowMs),
    ...containerCells(spec?.template?.spec?.containers),
    selectorString(spec?.selector),
  ];
};

export const statefulSetCells: Printer = (object, nowMs) => {
  const set = object as StatefulSet;
  return [
    set.metadata.name,
    `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
    age(set, nowMs),
    ...containerCells(set.spec?.template?.spec?.containers),
  ];
};

export const daemonSetCells: Printer = (object, nowMs) => {
  const set = object as DaemonSet;
  const { spec, status } = set;
  return [
    set.metadata.name,
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    formatLabels(spec?.template?.spec?.nodeSelector),
    age(set, nowMs),
    ...containerCells(spec?.template?.spec?.containers),
    formatSelector(spec?.selector),
  ];
};

export const jobCells: Printer = (object, nowMs) => {
  const job = object as Job;
  const { spec } = job;
  return [
    job.metadata.name,
    jobStatus(job),
    jobCompletions(job),
    jobDuration(job, nowMs),
    age(job, nowMs),
    ...containerCells(spec?.template?.spec?.containers),
    formatSelector(spec?.selector),
  ];
};

function jobStatus({ metadata, status }: Job): string {
  const is = (type: string) => status?.conditions?.find((condition) => condition.type === type)?.status === "True";
  if (is("Complete")) return "Complete";
  if (is("Failed")) return "Failed";
  if (metadata.deletionTimestamp) return "Terminating";
  if (is("Suspended")) return "Suspended";
  return is("FailureTarget") ? "FailureTarget" : "Running";
}

function jobCompletions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined && spec.completions !== null) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return "";
  const end = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(end - Date.parse(status.startTime));
}

export const cronJobCells: Printer = (object, nowMs) => {
  const cronJob = object as CronJob;
  const { spec, status } = cronJob;
  const suspend = spec?.suspend === undefined || spec.suspend === null ? "<unset>" : spec.suspend ? "True" : "False";
  return [
    cronJob.metadata.name,
    spec?.schedule ?? "",
    spec?.timeZone ?? "<none>",
    suspend,
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? since(status.lastScheduleTime, nowMs) : "<none>",
    age(cronJob, nowMs),
    ...containerCells(spec?.jobTemplate?.spec?.template?.spec?.containers),
    formatSelector(spec?.jobTemplate?.spec?.selector),
  ];
};

export const controllerRevisionCells: Printer = (object, nowMs) => {
  const revision = object as ControllerRevision;
  const owner = revision.metadata.ownerReferences?.find(({ controller }) => controller);
  const group = owner?.apiVersion.includes("/") ? `.${owner.apiVersion.slice(0, owner.apiVersion.indexOf("/"))}` : "";
  const controller = owner ? `${`${owner.kind}${group}`.toLowerCase()}/${owner.name}` : "<none>";
  return [revision.metadata.name, controller, revision.revision, age(revision, nowMs)];
};

export const podDisruptionBudgetCells: Printer = (object, nowMs) => {
  const budget = object as PodDisruptionBudget;
  const { spec, status } = budget;
  return [
    budget.metadata.name,
    String(spec?.minAvailable ?? "N/A"),
    String(spec?.maxUnavailable ?? "N/A"),
    status?.disruptionsAllowed ?? 0,
    age(budget, nowMs),
  ];
};
