import { jobs } from "../kubernetes/known-resources.ts";
import type { Job } from "../kubernetes/types.ts";
import { objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { finishedCondition } from "./jobs/assess.ts";
import { isOf } from "./same-resource.ts";
import { parseTime } from "./timestamp.ts";

/** Deletes finished Jobs, their pods before them, `spec.ttlSecondsAfterFinished` after their end. */
export function createTtlAfterFinishedController(): Controller {
  return {
    name: "ttl-after-finished",
    allKeys: (view) =>
      view
        .list(jobs)
        .filter((stored) => expiryOf(objectOf<Job>(stored)) !== undefined)
        .map(({ key }) => `${key.namespace}/${key.name}`),
    keysOf: ({ type, key, object }) =>
      isOf(jobs, key) && type !== "DELETED" && expiryOf(object as Job) !== undefined ? [`${key.namespace}/${key.name}`] : [],
    async reconcile(key, { view, client, clock }) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = view.get(jobs, namespace, name);
      const job = stored && objectOf<Job>(stored);
      const expiryMs = job && expiryOf(job);
      if (!job || expiryMs === undefined) return { kind: "done" };
      if (expiryMs > clock.now()) return { kind: "again", afterMs: expiryMs - clock.now() };
      // On condition of the version: its time to live may have been extended.
      const { uid = "", resourceVersion = "" } = job.metadata;
      await unlessMissing(client.delete(jobs, namespace, name, { uid, resourceVersion, propagationPolicy: "Foreground" }));
      return { kind: "done" };
    },
  };
}

/** When the job is to go, in milliseconds since 1970; undefined for one that stays, has not ended or is on its way. */
function expiryOf(job: Job): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec ?? {};
  const finishedMs = parseTime(finishedCondition(job)?.lastTransitionTime);
  if (ttlSecondsAfterFinished === undefined || finishedMs === undefined || job.metadata.deletionTimestamp !== undefined) return undefined;
  return finishedMs + ttlSecondsAfterFinished * 1000;
}
