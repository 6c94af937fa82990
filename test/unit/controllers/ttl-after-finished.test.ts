import { expect, it } from "vitest";
import { createTtlAfterFinishedController } from "../../../shared/controllers/ttl-after-finished.ts";
import { jobs } from "../../../shared/kubernetes/known-resources.ts";
import type { Job } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { job } from "./jobs/job-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const finish = (type: "Complete" | "Failed") => (live: Job) => ({
  ...live,
  status: { conditions: [{ type, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
});

it("finished jobs go so many seconds after their end, their pods before them; others stay", async () => {
  const cluster = createFakeCluster();
  await cluster.client.create(jobs, job({ ttlSecondsAfterFinished: 30 }, "done"));
  await cluster.client.create(jobs, job({ ttlSecondsAfterFinished: 20 }, "failed"));
  await cluster.client.create(jobs, job({ ttlSecondsAfterFinished: 0 }, "running"));
  await cluster.client.create(jobs, job({}, "kept"));
  cluster.edit(jobs, "default", "done", finish("Complete"));
  cluster.edit(jobs, "default", "failed", finish("Failed"));
  cluster.edit(jobs, "default", "kept", finish("Complete"));
  const controllers = await runControllers(cluster, createTtlAfterFinishedController());
  const going = () =>
    cluster
      .all<Job>(jobs)
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .map(({ metadata }) => metadata.name);
  await controllers.pass(19);
  expect(going()).toEqual([]);
  await controllers.pass(1);
  expect(going()).toEqual(["failed"]);
  await cluster.client.patch(jobs, "default", "done", { type: "merge", body: { spec: { ttlSecondsAfterFinished: 40 } } });
  await controllers.pass(19);
  expect(going()).toEqual(["failed"]);
  await controllers.pass(1);
  expect(going()).toEqual(["done", "failed"]);
  expect(cluster.get(jobs, "default", "done")?.metadata.finalizers).toEqual(["foregroundDeletion"]);
});
