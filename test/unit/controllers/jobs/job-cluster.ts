import { createJobController } from "../../../../shared/controllers/job.ts";
import { formatTime } from "../../../../shared/controllers/timestamp.ts";
import { jobs, pods } from "../../../../shared/kubernetes/known-resources.ts";
import type { Job, JobSpec, Pod } from "../../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "../fake-cluster.ts";
import { recordEvents } from "../fixtures.ts";
import { runControllers } from "../run-controllers.ts";

export const jobLabels = { "batch.kubernetes.io/controller-uid": "job-uid" };

export function job(spec: Partial<JobSpec> = {}, name = "work"): Job {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { namespace: "default", name, uid: `${name}-uid` },
    spec: {
      parallelism: 1,
      backoffLimit: 6,
      selector: { matchLabels: jobLabels },
      template: { metadata: { labels: jobLabels }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } },
      ...spec,
    },
  };
}

/** A job at work on a fake cluster, with what a kubelet would do in the test's hands. */
export async function startJob(object: Job) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  await cluster.client.create(jobs, object);
  const controllers = await runControllers(cluster, createJobController({ events }));
  const { namespace = "", name = "" } = object.metadata;
  const current = () => cluster.get<Job>(jobs, namespace, name);
  const all = () => cluster.all<Pod>(pods);
  const active = () =>
    all().filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed",
    );
  /** Ends a pod's container. */
  const end = (pod: string | undefined, exitCode: number, change: Partial<Pod["status"]> = {}): void => {
    cluster.edit<Pod>(pods, namespace, pod ?? "", (live) => ({
      ...live,
      status: {
        ...live.status,
        phase: exitCode === 0 ? "Succeeded" : "Failed",
        containerStatuses: [
          {
            ...{ name: "c", image: "i", imageID: "", ready: false, restartCount: 0 },
            state: { terminated: { exitCode, finishedAt: formatTime(cluster.clock.now()) } },
          },
        ],
        ...change,
      },
    }));
  };
  return {
    cluster,
    events,
    controllers,
    all,
    active,
    end,
    job: current,
    status: () => current()?.status,
    names: () => active().map(({ metadata }) => metadata.name ?? ""),
    conditions: () => (current()?.status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`),
    /** Ends each active pod and lets the controller act. */
    async endAll(exitCode: number) {
      for (const { metadata } of active()) end(metadata.name, exitCode);
      await controllers.settle();
    },
    async change(spec: Partial<JobSpec>) {
      await cluster.client.patch(jobs, namespace, name, { type: "merge", body: { spec } });
      await controllers.settle();
    },
  };
}
