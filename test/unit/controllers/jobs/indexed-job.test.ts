import { describe, expect, it } from "vitest";
import {
  completionIndexName,
  failureCountAnnotation,
  ignoredFailureCountAnnotation,
} from "../../../../shared/controllers/jobs/job-pods.ts";
import { pods } from "../../../../shared/kubernetes/known-resources.ts";
import type { JobSpec, Pod } from "../../../../shared/kubernetes/types.ts";
import { pod } from "../fixtures.ts";
import { job, jobLabels, startJob } from "./job-cluster.ts";

const startIndexed = async (spec: Partial<JobSpec>) => {
  const started = await startJob(job({ completionMode: "Indexed", ...spec }));
  const ofIndex = (index: number) => started.active().find(({ metadata }) => metadata.annotations?.[completionIndexName] === `${index}`);
  const indexes = () =>
    started
      .active()
      .map(({ metadata }) => Number(metadata.annotations?.[completionIndexName]))
      .sort((a, b) => a - b);
  const endIndex = async (index: number, exitCode: number) => {
    started.end(ofIndex(index)?.metadata.name, exitCode);
    await started.controllers.settle();
  };
  return { ...started, ofIndex, indexes, endIndex };
};

describe("indexed job", () => {
  it("gives each pod its index: in annotation, label, environment, host name and name", async () => {
    const containers = [
      { name: "c", image: "i" },
      { name: "own", image: "i", env: [{ name: "JOB_COMPLETION_INDEX", value: "mine" }] },
    ];
    const template = { metadata: { labels: jobLabels }, spec: { restartPolicy: "Never" as const, containers } };
    const { ofIndex, indexes } = await startIndexed({ completions: 3, parallelism: 2, template });
    expect(indexes()).toEqual([0, 1]);
    const made = ofIndex(1);
    expect(made?.metadata).toMatchObject({
      generateName: "work-1-",
      labels: { ...jobLabels, [completionIndexName]: "1" },
      annotations: { [completionIndexName]: "1" },
    });
    expect(made?.spec?.hostname).toBe("work-1");
    const fieldPath = "metadata.labels['batch.kubernetes.io/job-completion-index']";
    expect(made?.spec?.containers.map(({ env }) => env)).toEqual([
      [{ name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { fieldPath } } }],
      [{ name: "JOB_COMPLETION_INDEX", value: "mine" }],
    ]);
  });

  it("is complete when each index succeeded once, however often it failed", async () => {
    const { controllers, indexes, endIndex, status, conditions } = await startIndexed({ completions: 4, parallelism: 4 });
    await endIndex(2, 0);
    await endIndex(3, 0);
    await endIndex(0, 0);
    expect(status()).toMatchObject({ succeeded: 3, completedIndexes: "0,2,3" });
    await endIndex(1, 1);
    await controllers.pass(10);
    expect(indexes()).toEqual([1]);
    await endIndex(1, 0);
    expect(status()).toMatchObject({ succeeded: 4, failed: 1, completedIndexes: "0-3" });
    expect(conditions()).toEqual(["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]);
  });

  it("keeps one pod of an index and none without", async () => {
    const { cluster, controllers, indexes, all } = await startIndexed({ completions: 2, parallelism: 2 });
    const [first] = all();
    const owned = { namespace: "default", labels: jobLabels, ownerReferences: first?.metadata.ownerReferences ?? [] };
    await cluster.client.create(pods, pod("bare", { metadata: { ...owned, name: "bare" } }));
    await cluster.client.create(
      pods,
      pod("second", { metadata: { ...owned, name: "second", annotations: { [completionIndexName]: "0" } } }),
    );
    await controllers.settle();
    expect(indexes()).toEqual([0, 1]);
    expect(cluster.get(pods, "default", "bare")).toBeUndefined();
  });

  it("is scaled by its completions and parallelism together", async () => {
    const { indexes, endIndex, change, status, conditions } = await startIndexed({ completions: 2, parallelism: 2 });
    await change({ completions: 4, parallelism: 4 });
    expect(indexes()).toEqual([0, 1, 2, 3]);
    for (const index of [0, 1, 3]) await endIndex(index, 0);
    expect(status()).toMatchObject({ completedIndexes: "0,1,3", succeeded: 3 });
    await change({ completions: 2, parallelism: 2 });
    expect(status()).toMatchObject({ completedIndexes: "0,1", succeeded: 2 });
    expect(conditions()).toEqual(["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]);
  });

  it("counts failures by index, backs off by index, and fails when every index has ended", async () => {
    const { controllers, indexes, ofIndex, endIndex, status, conditions, events } = await startIndexed({
      completions: 2,
      parallelism: 2,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 1,
    });
    expect(ofIndex(0)?.metadata.annotations).toMatchObject({ [failureCountAnnotation]: "0" });
    await endIndex(0, 1);
    expect(indexes()).toEqual([1]);
    await controllers.pass(9);
    expect(indexes()).toEqual([1]);
    await controllers.pass(1);
    expect(ofIndex(0)?.metadata.annotations).toMatchObject({ [failureCountAnnotation]: "1" });
    expect(status()).toMatchObject({ failed: 1, failedIndexes: "" });
    await endIndex(0, 1);
    await controllers.pass(60);
    expect(indexes()).toEqual([1]);
    expect(status()).toMatchObject({ failed: 2, failedIndexes: "0" });
    await endIndex(1, 0);
    expect(conditions()).toEqual(["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]);
    expect(status()).toMatchObject({ completedIndexes: "1", failedIndexes: "0", succeeded: 1 });
    expect(events.told).toContain("Warning FailedIndexes: Job has failed indexes");
  });

  it("fails at once beyond maxFailedIndexes, and an index by the policy's FailIndex", async () => {
    const { endIndex, indexes, conditions, status } = await startIndexed({
      completions: 5,
      parallelism: 5,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 3,
      maxFailedIndexes: 1,
      podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "NotIn", values: [1] } }] },
    });
    await endIndex(0, 7);
    expect(status()?.failedIndexes).toBe("0");
    expect(indexes()).toEqual([1, 2, 3, 4]);
    await endIndex(4, 7);
    expect(conditions()).toEqual(["FailureTarget=True MaxFailedIndexesExceeded", "Failed=True MaxFailedIndexesExceeded"]);
    expect(status()?.failedIndexes).toBe("0,4");
    expect(indexes()).toEqual([]);
  });

  it("notes ignored failures of an index apart", async () => {
    const { controllers, endIndex, ofIndex, status } = await startIndexed({
      completions: 1,
      parallelism: 1,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 0,
      podFailurePolicy: { rules: [{ action: "Ignore", onExitCodes: { operator: "In", values: [9] } }] },
    });
    await endIndex(0, 9);
    await controllers.pass(10);
    expect(ofIndex(0)?.metadata.annotations).toMatchObject({ [failureCountAnnotation]: "0", [ignoredFailureCountAnnotation]: "1" });
    expect(status()?.failed).toBeUndefined();
  });

  it("has succeeded when its success policy is met, and ends the rest without counting it", async () => {
    const {
      cluster,
      controllers,
      endIndex,
      indexes,
      status,
      conditions,
      events,
      job: current,
      ofIndex,
    } = await startIndexed({
      completions: 5,
      parallelism: 5,
      successPolicy: { rules: [{ succeededIndexes: "3,4", succeededCount: 2 }, { succeededIndexes: "0" }] },
    });
    const running = ofIndex(2)?.metadata.name ?? "";
    cluster.edit<Pod>(pods, "default", running, (live) => ({
      ...live,
      spec: { containers: [], nodeName: "a" },
      status: { phase: "Running" },
    }));
    await endIndex(3, 0);
    expect(conditions()).toEqual([]);
    await endIndex(0, 0);
    expect(indexes()).toEqual([]);
    expect(conditions()).toEqual(["SuccessCriteriaMet=True SuccessPolicy"]);
    cluster.kill("default", running);
    await controllers.settle();
    expect(conditions()).toEqual(["SuccessCriteriaMet=True SuccessPolicy", "Complete=True SuccessPolicy"]);
    expect(current()?.status?.conditions?.[1]?.message).toBe("Matched rules at index 1");
    expect(status()).toMatchObject({ succeeded: 2, completedIndexes: "0,3" });
    expect(status()?.failed).toBeUndefined();
    expect(events.told).toContain("Normal Completed: Job completed");
  });

  it("cuts a long name so that the index stays in the names of its pods", async () => {
    const name = "j".repeat(63);
    const { all } = await startJob(job({ completionMode: "Indexed", completions: 1 }, name));
    expect(all()[0]?.metadata.generateName).toBe(`${"j".repeat(55)}-0-`);
  });
});
