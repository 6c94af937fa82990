import type { CronJob, Job } from "../../types.ts";
import { validateJob, validateJobUpdate } from "./batch.ts";
import { validateCronJob, validateCronJobUpdate } from "./cron-job.ts";
import { validateJobStatus } from "./job-status.ts";
import { type KindEntry, rules } from "./kind-rules.ts";

/** The rules of what runs to its end. */
export const batchEntries = (): readonly KindEntry[] => [
  rules<Job>("batch/Job", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateJob,
    update: validateJobUpdate,
    status: validateJobStatus,
  }),
  rules<CronJob>("batch/CronJob", { create: validateCronJob, update: validateCronJobUpdate }),
];
