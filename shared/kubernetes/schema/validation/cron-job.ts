import { parseCronSchedule } from "../../cron-schedule.ts";
import type { StatusCause } from "../../status-error.ts";
import { createTimeZone } from "../../time-zone.ts";
import type { CronJob } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";
import { goLabelSelector } from "../go-text.ts";
import { checkJobSpec } from "./batch.ts";
import { checkNonnegative, checkOneOf } from "./checks.ts";

/** Jobs are named after their CronJob and the minute, so its name must leave room. */
const maximumCronJobName = 52;

export function validateCronJob(cronJob: CronJob): StatusCause[] {
  const causes = checkCronJobSpec(cronJob, undefined);
  const { name = "" } = cronJob.metadata;
  if (name.length > maximumCronJobName)
    causes.push(invalid("metadata.name", name, `must be no more than ${maximumCronJobName} characters`));
  return causes;
}

export function validateCronJobUpdate(next: CronJob, live: CronJob): StatusCause[] {
  return checkCronJobSpec(next, live);
}

function checkCronJobSpec({ spec }: CronJob, live: CronJob | undefined): StatusCause[] {
  const { schedule = "", timeZone, jobTemplate } = spec ?? {};
  const causes =
    schedule === "" ? [required("spec.schedule")] : checkSchedule(schedule, timeZone, live?.spec?.schedule.includes("TZ") === true);
  causes.push(...checkNonnegative(spec?.startingDeadlineSeconds, "spec.startingDeadlineSeconds"));
  if (timeZone !== undefined && timeZone !== live?.spec?.timeZone) causes.push(...checkTimeZone(timeZone, "spec.timeZone"));
  causes.push(...checkOneOf(spec?.concurrencyPolicy, ["Allow", "Forbid", "Replace"], "spec.concurrencyPolicy"));
  causes.push(...checkJobSpec(jobTemplate?.spec, "spec.jobTemplate.spec"));
  const selector = jobTemplate?.spec?.selector;
  if (selector !== undefined)
    causes.push(invalid("spec.jobTemplate.spec.selector", { go: goLabelSelector(selector) }, "`selector` will be auto-generated"));
  if (jobTemplate?.spec?.manualSelector === true) causes.push(notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]));
  causes.push(...checkNonnegative(spec?.successfulJobsHistoryLimit, "spec.successfulJobsHistoryLimit"));
  return [...causes, ...checkNonnegative(spec?.failedJobsHistoryLimit, "spec.failedJobsHistoryLimit")];
}

function checkSchedule(schedule: string, timeZone: string | undefined, hadTimeZone: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const refuse = (text: string) => causes.push(invalid("spec.schedule", schedule, text));
  try {
    parseCronSchedule(schedule);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    refuse(error.message);
  }
  if (!schedule.includes("TZ")) return causes;
  if (!hadTimeZone) refuse("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  else if (timeZone !== undefined) refuse("cannot use both timeZone field and TZ or CRON_TZ in schedule");
  return causes;
}

function checkTimeZone(timeZone: string, path: string): StatusCause[] {
  if (timeZone === "") return [invalid(path, timeZone, "timeZone must be nil or non-empty string")];
  const parts = timeZone.split("/");
  if (parts.some((part) => part === "." || part === ".." || !/^[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}$/.test(part))) {
    return [invalid(path, timeZone, `unknown time zone ${timeZone}`)];
  }
  if (timeZone.toLowerCase() === "local")
    return [invalid(path, timeZone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")];
  try {
    createTimeZone(timeZone);
    return [];
  } catch (error) {
    if (error instanceof RangeError) return [invalid(path, timeZone, error.message)];
    throw error;
  }
}
