import { deepEqual } from "../../deep-equal.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Job, JobStatus } from "../../types.ts";
import { duplicate, invalid, invalidState, required } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { checkNonnegative } from "./checks.ts";
import { commonIndex, countIndexes } from "./index-intervals.ts";

const terminal = ["Failed", "Complete", "FailureTarget"] as const;

/** What a status says of its job, by its conditions. */
function factsOf({ status }: Job) {
  const is = (type: string): boolean => status?.conditions?.some((one) => one.type === type && one.status === "True") === true;
  const [complete, failed] = [is("Complete"), is("Failed")];
  return { is, complete, failed, finished: complete || failed, failing: is("FailureTarget"), succeeding: is("SuccessCriteriaMet") };
}

/**
 * `ValidateJobUpdateStatus` with the options that pkg/registry/batch/job takes with JobManagedBy on: what a change did not touch may stay as
 * wrong as it is.
 */
export function validateJobStatus(next: Job, live: Job): StatusCause[] {
  const { spec, status = {} } = next;
  const before = live.status ?? {};
  return [
    ...checkCounts(status),
    ...checkFinish(next, live),
    ...checkRest(next, live),
    ...checkIndexes(next, before),
    ...checkPods(next, live),
    ...checkSuccess(next),
    ...checkSteps(next, live),
    ...checkCounters(spec, status, before),
    ...checkLater(next, live),
  ];
}

function checkCounts(status: JobStatus): StatusCause[] {
  const counts = (["active", "succeeded", "failed", "ready", "terminating"] as const).flatMap((field) =>
    checkNonnegative(status[field], `status.${field}`),
  );
  const seen = new Set<string>();
  const uncounted = (["succeeded", "failed"] as const).flatMap((field) =>
    (status.uncountedTerminatedPods?.[field] ?? []).flatMap((uid, index) => {
      const path = `status.uncountedTerminatedPods.${field}[${index}]`;
      if (uid === "") return [invalid(path, uid, "must not be empty")];
      if (seen.has(uid)) return [duplicate(path, uid)];
      seen.add(uid);
      return [];
    }),
  );
  return [...counts, ...uncounted];
}

/** How a job may end, and when. */
function checkFinish(next: Job, live: Job): StatusCause[] {
  const [now, was] = [factsOf(next), factsOf(live)];
  const [status, before] = [next.status ?? {}, live.status ?? {}];
  const completes = now.complete !== was.complete;
  const completionChanged = changed(status, before, "completionTime");
  const causes: StatusCause[] = [];
  if ((completes || now.failed !== was.failed) && now.complete && now.failed)
    causes.push(invalidState("status.conditions", "cannot set Complete=True and Failed=true conditions"));
  if ((completes || now.failing !== was.failing) && now.complete && now.failing)
    causes.push(invalidState("status.conditions", "cannot set Complete=True and FailureTarget=true conditions"));
  const { completionTime, startTime } = status;
  if ((completes || completionChanged) && completionTime !== undefined && !now.complete)
    causes.push(invalidTime("status.completionTime", completionTime, "cannot set completionTime when there is no Complete=True condition"));
  if ((completes || completionChanged) && completionTime === undefined && now.complete)
    causes.push(required("status.completionTime", "completionTime is required for Complete jobs"));
  const moved = completionChanged || changed(status, before, "startTime");
  if (moved && startTime !== undefined && completionTime !== undefined && Date.parse(completionTime) < Date.parse(startTime))
    causes.push(invalidTime("status.completionTime", completionTime, "completionTime cannot be set before startTime"));
  if ((now.failed !== was.failed || changed(status, before, "failedIndexes")) && now.failed && !now.failing)
    causes.push(invalidState("status.conditions", "cannot set Failed=True condition without the FailureTarget=true condition"));
  if ((completes || now.succeeding !== was.succeeding) && now.complete && !now.succeeding)
    causes.push(invalidState("status.conditions", "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"));
  return causes;
}

/** What a finished job has no more. */
function checkRest(next: Job, live: Job): StatusCause[] {
  const { spec, status = {} } = next;
  const before = live.status ?? {};
  const { finished } = factsOf(next);
  if (!finished) return [];
  const finishes = !factsOf(live).finished;
  const touched = (field: keyof JobStatus): boolean => finishes || changed(status, before, field);
  const causes: StatusCause[] = [];
  if (touched("active") && (status.active ?? 0) > 0)
    causes.push(invalid("status.active", status.active ?? 0, "active>0 is invalid for finished job"));
  const neverStarts = spec?.suspend === true && spec.completions === 0;
  if (touched("startTime") && !neverStarts && status.startTime === undefined)
    causes.push(required("status.startTime", "startTime is required for finished job"));
  const { succeeded, failed } = status.uncountedTerminatedPods ?? {};
  if (touched("uncountedTerminatedPods") && (succeeded?.length ?? 0) + (failed?.length ?? 0) > 0) {
    const printed = `batch.UncountedTerminatedPods{Succeeded:${goUids(succeeded)}, Failed:${goUids(failed)}}`;
    causes.push(invalid("status.uncountedTerminatedPods", { go: printed }, "uncountedTerminatedPods needs to be empty for finished job"));
  }
  return causes;
}

const goUids = (uids: readonly string[] | undefined): string => goStringList(uids).replace("[]string", "[]types.UID");

function checkIndexes({ spec, status = {} }: Job, before: JobStatus): StatusCause[] {
  const { completions, backoffLimitPerIndex, completionMode } = spec ?? {};
  const { completedIndexes = "", failedIndexes } = status;
  const completedChanged = completedIndexes !== (before.completedIndexes ?? "");
  const failedChanged = failedIndexes !== before.failedIndexes;
  const causes: StatusCause[] = [];
  const check = (field: "completedIndexes" | "failedIndexes", text: string): void => {
    const problem = completions === undefined ? 0 : countIndexes(text, completions);
    if (typeof problem === "string") causes.push(invalid(`status.${field}`, text, `error parsing ${field}: ${problem}`));
  };
  if (completedChanged) check("completedIndexes", completedIndexes);
  if (failedChanged && backoffLimitPerIndex !== undefined && failedIndexes !== undefined) check("failedIndexes", failedIndexes);
  if (completedChanged && completedIndexes !== "" && completionMode !== "Indexed") {
    const text = "cannot set non-empty completedIndexes when non-indexed completion mode";
    causes.push(invalid("status.completedIndexes", completedIndexes, text));
  }
  if (failedChanged && backoffLimitPerIndex === undefined && failedIndexes !== undefined) {
    const text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
    causes.push(invalid("status.failedIndexes", failedIndexes, text));
  }
  if ((completedChanged || failedChanged) && completions !== undefined && failedIndexes !== undefined) {
    const common = commonIndex(completedIndexes, failedIndexes, completions);
    const text = `failedIndexes and completedIndexes overlap at index: ${common}`;
    if (common !== undefined) causes.push(invalid("status.failedIndexes", failedIndexes, text));
  }
  return causes;
}

function checkPods(next: Job, live: Job): StatusCause[] {
  const [status, before] = [next.status ?? {}, live.status ?? {}];
  const { terminating = 0, ready, active = 0 } = status;
  const causes: StatusCause[] = [];
  const [now, was] = [factsOf(next), factsOf(live)];
  if ((now.finished !== was.finished || changed(status, before, "terminating")) && terminating > 0 && now.finished)
    causes.push(invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"));
  if ((changed(status, before, "ready") || changed(status, before, "active")) && ready !== undefined && ready > active)
    causes.push(invalid("status.ready", ready, "cannot set more ready pods than active"));
  return causes;
}

function checkSuccess(next: Job): StatusCause[] {
  const now = factsOf(next);
  const at = "status.conditions";
  if (!now.succeeding) {
    const text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
    return next.spec?.successPolicy !== undefined && now.complete ? [invalidState(at, text)] : [];
  }
  return [
    ...(now.failed ? [invalidState(at, "cannot set SuccessCriteriaMet=True and Failed=true conditions")] : []),
    ...(now.failing ? [invalidState(at, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")] : []),
  ];
}

/** What was decided stays decided. */
function checkSteps(next: Job, live: Job): StatusCause[] {
  const [now, was] = [factsOf(next), factsOf(live)];
  return terminal
    .filter((type) => was.is(type) && !now.is(type))
    .map((type) => invalidState("status.conditions", `cannot disable the terminal ${type}=True condition`));
}

function checkCounters(spec: Job["spec"], status: JobStatus, before: JobStatus): StatusCause[] {
  const causes: StatusCause[] = [];
  const [failed, succeeded] = [status.failed ?? 0, status.succeeded ?? 0];
  if (failed < (before.failed ?? 0)) causes.push(invalid("status.failed", failed, "cannot decrease the failed counter"));
  const scalable = spec?.completionMode === "Indexed" && spec.completions === spec.parallelism;
  if (!scalable && succeeded < (before.succeeded ?? 0))
    causes.push(invalid("status.succeeded", succeeded, "cannot decrease the succeeded counter"));
  return causes;
}

function checkLater(next: Job, live: Job): StatusCause[] {
  const [now, was] = [factsOf(next), factsOf(live)];
  const { startTime, completionTime, conditions = [] } = next.status ?? {};
  const before = live.status ?? {};
  const causes: StatusCause[] = [];
  if (completionTime !== undefined && before.completionTime !== undefined && !sameTime(completionTime, before.completionTime))
    causes.push(invalidTime("status.completionTime", completionTime, "completionTime cannot be mutated"));
  const resumes = was.is("Suspended") && conditions.some(({ type, status }) => type === "Suspended" && status === "False");
  if (!resumes && before.startTime !== undefined && !sameTime(startTime, before.startTime) && next.spec?.suspend !== true)
    causes.push(required("status.startTime", "startTime cannot be removed for unsuspended job"));
  if (was.succeeding && !now.succeeding)
    causes.push(invalidState("status.conditions", "cannot disable the SuccessCriteriaMet=True condition"));
  if (was.complete && !was.succeeding && now.succeeding) {
    const text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
    causes.push(invalidState("status.conditions", text));
  }
  return causes;
}

function changed(next: JobStatus, live: JobStatus, field: keyof JobStatus): boolean {
  if (field === "startTime" || field === "completionTime") return !sameTime(next[field], live[field]);
  const zero = field === "active" ? 0 : undefined;
  return !deepEqual(next[field] ?? zero, live[field] ?? zero);
}

const sameTime = (one: string | undefined, other: string | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Date.parse(one) === Date.parse(other);

/** As Go prints a time. */
function invalidTime(path: string, time: string, detail: string): StatusCause {
  return invalid(path, { go: `${time.slice(0, 10)} ${time.slice(11, 19)} +0000 UTC` }, detail);
}
