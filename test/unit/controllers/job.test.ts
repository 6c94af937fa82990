import { describe, expect, it } from "vitest";
import type { Controller } from "../../../shared/controllers/controller.ts";
import { createJobController } from "../../../shared/controllers/job.ts";
import { trackingFinalizer } from "../../../shared/controllers/jobs/job-pods.ts";
import { jobs, pods } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { pod } from "./fixtures.ts";
import { job, jobLabels, startJob } from "./jobs/job-cluster.ts";
import { type RunningControllers, runControllers } from "./run-controllers.ts";

describe("job", () => {
  it("runs its pods to completion, no more at once than its parallelism", async () => {
    const { all, names, endAll, status, conditions, events, job: current } = await startJob(job({ completions: 3, parallelism: 2 }));
    expect(all()).toHaveLength(2);
    expect(all()[0]?.metadata).toMatchObject({
      generateName: "work-",
      finalizers: [trackingFinalizer],
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "work", uid: "work-uid", controller: true }],
    });
    expect(status()).toMatchObject({ active: 2, ready: 0, terminating: 0, uncountedTerminatedPods: {}, startTime: "2026-01-01T00:00:00Z" });
    await endAll(0);
    expect(names()).toHaveLength(1);
    expect(status()).toMatchObject({ active: 1, succeeded: 2 });
    await endAll(0);
    expect(status()).toEqual({
      startTime: "2026-01-01T00:00:00Z",
      completionTime: "2026-01-01T00:00:00Z",
      ready: 0,
      terminating: 0,
      succeeded: 3,
      uncountedTerminatedPods: {},
      conditions: [
        expect.objectContaining({ type: "SuccessCriteriaMet", status: "True", reason: "CompletionsReached" }),
        expect.objectContaining({ type: "Complete", message: "Reached expected number of succeeded pods" }),
      ],
    });
    expect(conditions()).toHaveLength(2);
    expect(events.told.filter((told) => !told.includes("SuccessfulCreate"))).toEqual(["Normal Completed: Job completed"]);
    expect(all().every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
    expect(current()?.metadata.finalizers).toBeUndefined();
  });

  it("without completions is complete when one pod succeeds and the rest have ended, and replaces none meanwhile", async () => {
    const { controllers, names, end, status, conditions } = await startJob(job({ parallelism: 3 }));
    const [first, second, third] = names();
    end(first, 0);
    end(second, 1);
    await controllers.settle();
    expect(names()).toEqual([third]);
    expect(conditions()).toEqual([]);
    end(third, 1);
    await controllers.settle();
    expect(status()).toMatchObject({ succeeded: 1, failed: 2 });
    expect(conditions()).toEqual(["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]);
  });

  it("waits ten seconds after a failure, then twenty, and fails beyond its limit", async () => {
    const { controllers, names, endAll, status, conditions, events } = await startJob(job({ completions: 1, backoffLimit: 2 }));
    await endAll(1);
    expect(names()).toEqual([]);
    expect(status()).toMatchObject({ failed: 1 });
    await controllers.pass(9);
    expect(names()).toEqual([]);
    await controllers.pass(1);
    expect(names()).toHaveLength(1);
    await endAll(1);
    await controllers.pass(19);
    expect(names()).toEqual([]);
    await controllers.pass(1);
    expect(names()).toHaveLength(1);
    await endAll(1);
    expect(status()).toMatchObject({ failed: 3, ready: 0 });
    expect(conditions()).toEqual(["FailureTarget=True BackoffLimitExceeded", "Failed=True BackoffLimitExceeded"]);
    expect(events.told).toContain("Warning BackoffLimitExceeded: Job has reached the specified backoff limit");
    await controllers.pass(600);
    expect(names()).toEqual([]);
  });

  it("forgets the failures before a success", async () => {
    const { controllers, names, endAll } = await startJob(job({ completions: 2, backoffLimit: 9 }));
    for (const waitSeconds of [10, 20, 40]) {
      await endAll(1);
      await controllers.pass(waitSeconds);
    }
    await endAll(0);
    expect(names()).toHaveLength(1);
    await endAll(1);
    await controllers.pass(10);
    expect(names()).toHaveLength(1);
  });

  it("ends the pods of a job that fails, and says so only when they are gone", async () => {
    const { cluster, controllers, names, end, all, status, conditions } = await startJob(
      job({ completions: 2, parallelism: 2, backoffLimit: 0 }),
    );
    const [first, second = ""] = names();
    cluster.edit<Pod>(pods, "default", second, (live) => ({
      ...live,
      spec: { containers: [], nodeName: "a" },
      status: { phase: "Running" },
    }));
    end(first, 1);
    await controllers.settle();
    expect(all().find(({ metadata }) => metadata.name === second)?.metadata.deletionTimestamp).toBeDefined();
    expect(conditions()).toEqual(["FailureTarget=True BackoffLimitExceeded"]);
    expect(status()).toMatchObject({ failed: 2, terminating: 1 });
    cluster.kill("default", second);
    await controllers.settle();
    expect(conditions()).toEqual(["FailureTarget=True BackoffLimitExceeded", "Failed=True BackoffLimitExceeded"]);
    expect(status()).toMatchObject({ failed: 2, terminating: 0 });
  });

  it("counts restarts of containers where the pod restarts them", async () => {
    const template = {
      metadata: { labels: jobLabels },
      spec: { restartPolicy: "OnFailure" as const, containers: [{ name: "c", image: "i" }] },
    };
    const { cluster, controllers, names, conditions } = await startJob(job({ completions: 1, backoffLimit: 2, template }));
    const restarted = (restartCount: number) =>
      cluster.edit<Pod>(pods, "default", names()[0] ?? "", (live) => ({
        ...live,
        status: { phase: "Running", containerStatuses: [{ name: "c", image: "i", imageID: "", ready: true, restartCount }] },
      }));
    restarted(1);
    await controllers.settle();
    expect(conditions()).toEqual([]);
    restarted(2);
    await controllers.settle();
    expect(conditions()).toEqual(["FailureTarget=True BackoffLimitExceeded", "Failed=True BackoffLimitExceeded"]);
  });

  it("fails at its deadline, without being told of anything", async () => {
    const { controllers, conditions, all, events } = await startJob(job({ completions: 1, activeDeadlineSeconds: 30 }));
    await controllers.pass(29);
    expect(conditions()).toEqual([]);
    await controllers.pass(1);
    expect(conditions()).toEqual(["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]);
    expect(events.told).toContain("Warning DeadlineExceeded: Job was active longer than specified deadline");
    expect(all()).toEqual([]);
  });

  it("deletes its pods while it is suspended and starts anew when it is resumed", async () => {
    const { controllers, names, change, status, conditions, events } = await startJob(
      job({ completions: 2, parallelism: 2, activeDeadlineSeconds: 60 }),
    );
    await controllers.pass(50);
    await change({ suspend: true });
    expect(names()).toEqual([]);
    expect(status()?.failed).toBeUndefined();
    expect(conditions()).toEqual(["Suspended=True JobSuspended"]);
    await controllers.pass(100);
    await change({ suspend: false });
    expect(names()).toHaveLength(2);
    expect(conditions()).toEqual(["Suspended=False JobResumed"]);
    expect(status()?.startTime).toBe("2026-01-01T00:02:30Z");
    expect(events.told).toEqual(expect.arrayContaining(["Normal Suspended: Job suspended", "Normal Resumed: Job resumed"]));
    await controllers.pass(59);
    expect(names()).toHaveLength(2);
    await controllers.pass(1);
    expect(conditions()).toContain("FailureTarget=True DeadlineExceeded");
  });

  it("resumed when it has failed already does not start anew: the API refuses a start time that moves without the condition", async () => {
    const podFailurePolicy = { rules: [{ action: "FailJob" as const, onExitCodes: { operator: "In" as const, values: [42] } }] };
    const { cluster, controllers, names, end, change, status, conditions } = await startJob(
      job({ completions: 2, parallelism: 2, podFailurePolicy }),
    );
    const [first = "", second = ""] = names();
    for (const name of [first, second])
      cluster.edit<Pod>(pods, "default", name, (live) => ({ ...live, spec: { containers: [], nodeName: "a" } }));
    await change({ suspend: true });
    end(first, 42);
    await controllers.pass(1);
    expect(conditions()).toEqual(["Suspended=True JobSuspended", "FailureTarget=True PodFailurePolicy"]);
    await change({ suspend: false });
    expect(status()).toMatchObject({ startTime: "2026-01-01T00:00:00Z", terminating: 1 });
    cluster.kill("default", second);
    await controllers.settle();
    expect(conditions()).toContain("Failed=True PodFailurePolicy");
    expect(status()?.startTime).toBe("2026-01-01T00:00:00Z");
  });

  it("made suspended has no pods and no start time until it is resumed", async () => {
    const { names, status, change, conditions } = await startJob(job({ completions: 1, suspend: true }));
    expect(names()).toEqual([]);
    expect(status()).toMatchObject({ conditions: [{ type: "Suspended", status: "True", message: "Job suspended" }] });
    expect(status()?.startTime).toBeUndefined();
    await change({ suspend: false });
    expect(names()).toHaveLength(1);
    expect(conditions()).toEqual(["Suspended=False JobResumed"]);
    expect(status()?.startTime).toBeDefined();
  });

  it("follows its parallelism, and does not count the pods that it takes back", async () => {
    const { names, change, status } = await startJob(job({ completions: 5, parallelism: 4 }));
    await change({ parallelism: 1 });
    expect(names()).toHaveLength(1);
    await change({ parallelism: 3 });
    expect(names()).toHaveLength(3);
    expect(status()).toMatchObject({ active: 3 });
    expect(status()?.failed).toBeUndefined();
  });

  it("adopts orphans that match, with the finalizer, and lets go of what no longer does", async () => {
    const { cluster, controllers, names, all } = await startJob(job({ completions: 2, parallelism: 1 }));
    const [own = ""] = names();
    await cluster.client.patch(pods, "default", own, {
      type: "merge",
      body: { metadata: { labels: { "batch.kubernetes.io/controller-uid": null, debug: "yes" } } },
    });
    await controllers.settle();
    const released = cluster.get(pods, "default", own)?.metadata;
    expect([released?.ownerReferences, released?.finalizers]).toEqual([undefined, undefined]);
    await cluster.client.delete(pods, "default", names().find((name) => name !== own) ?? "");
    await cluster.client.create(pods, pod("orphan", { metadata: { namespace: "default", name: "orphan", labels: jobLabels } }));
    await controllers.settle();
    expect(all().find(({ metadata }) => metadata.name === "orphan")?.metadata).toMatchObject({
      ownerReferences: [{ kind: "Job", uid: "work-uid", controller: true }],
      finalizers: [trackingFinalizer],
    });
  });

  it("takes the finalizer from pods whose job is gone", async () => {
    const { cluster, controllers, all } = await startJob(job({ completions: 2, parallelism: 2 }));
    await cluster.client.delete(jobs, "default", "work", { propagationPolicy: "Background" });
    await controllers.settle();
    expect(all()).toHaveLength(2);
    expect(all().every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
  });

  it("leaves a job to whom it says it is managed by", async () => {
    const { cluster, controllers, all, status } = await startJob(job({ completions: 1, managedBy: "example.com/queue" }));
    expect([all(), status()]).toEqual([[], undefined]);
    const owner = { apiVersion: "batch/v1", kind: "Job", name: "work", uid: "work-uid", controller: true };
    const metadata = { namespace: "default", name: "theirs", finalizers: [trackingFinalizer], ownerReferences: [owner] };
    await cluster.client.create(pods, pod("theirs", { metadata }));
    await controllers.settle();
    expect(cluster.get(pods, "default", "theirs")?.metadata.finalizers).toEqual([trackingFinalizer]);
  });

  it("counts a pod once when its finalizer could not be taken at first", async () => {
    const { cluster, controllers, names, end, status } = await startJob(job({ completions: 3, parallelism: 2 }));
    const [first, second] = names();
    cluster.intercept(({ verb, resource }) =>
      verb === "patch" && resource === pods ? new StatusError("InternalError", "lost") : undefined,
    );
    end(first, 0);
    end(second, 1);
    await controllers.settle();
    expect(status()?.uncountedTerminatedPods).toEqual({ succeeded: [expect.any(String)], failed: [expect.any(String)] });
    cluster.intercept(undefined);
    await controllers.pass(5);
    expect(status()).toMatchObject({ succeeded: 1, failed: 1, uncountedTerminatedPods: {} });
  });

  it("counts a pod once when the status could not be written after its finalizer was taken", async () => {
    const { cluster, controllers, names, end, status, all } = await startJob(job({ completions: 2, parallelism: 1 }));
    let written = 0;
    cluster.intercept(({ subresource }) =>
      subresource === "status" && [2, 3].includes(++written) ? new StatusError("InternalError", "lost") : undefined,
    );
    end(names()[0], 0);
    await controllers.settle();
    expect(all().filter(({ metadata }) => metadata.finalizers !== undefined)).toHaveLength(1);
    await controllers.pass(5);
    expect(status()).toMatchObject({ succeeded: 1, uncountedTerminatedPods: {} });
  });

  it("still waits after failures when another process takes the job over", async () => {
    const first = await startJob(job({ completions: 1 }));
    await first.endAll(1);
    await first.controllers.stop();
    const controllers = await runControllers(first.cluster, createJobController({ events: first.events }));
    await controllers.pass(9);
    expect(first.names()).toEqual([]);
    await controllers.pass(1);
    expect(first.names()).toHaveLength(1);
  });

  const ignoring = { rules: [{ action: "Ignore" as const, onExitCodes: { operator: "In" as const, values: [1] } }] };
  it.each([
    ["counted", {}],
    ["ignored", { podFailurePolicy: ignoring }],
  ])("waits as long when processes take it from each other, whichever of them saw its pods fail: failures that are %s", async (_, spec) => {
    const { cluster, controllers, endAll, names, events } = await startJob(job({ completions: 1, ...spec }));
    const [one, other] = [createJobController({ events }), createJobController({ events })];
    await controllers.stop();
    const turn = async (controller: Controller, work: (running: RunningControllers) => Promise<void>): Promise<void> => {
      const running = await runControllers(cluster, controller);
      await work(running);
      await running.stop();
    };
    const fail = async (running: RunningControllers): Promise<void> => {
      await endAll(1);
      await running.settle();
    };
    await turn(one, fail);
    await turn(other, async (running) => {
      await running.pass(10);
      await fail(running);
    });
    await turn(one, (running) => running.pass(19));
    expect(names()).toEqual([]);
    await turn(one, (running) => running.pass(1));
    expect(names()).toHaveLength(1);
  });

  it("fails by its pod failure policy, ignores what that says, and replaces only pods that have ended", async () => {
    const podFailurePolicy = {
      rules: [
        { action: "Ignore" as const, onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
        { action: "FailJob" as const, onExitCodes: { containerName: "c", operator: "In" as const, values: [42] } },
      ],
    };
    const {
      cluster,
      controllers,
      names,
      end,
      status,
      conditions,
      events,
      job: current,
    } = await startJob(job({ completions: 1, backoffLimit: 0, podFailurePolicy }));
    end(names()[0], 137, { conditions: [{ type: "DisruptionTarget", status: "True" }] });
    await controllers.pass(10);
    expect(status()?.failed).toBeUndefined();
    const [second = ""] = names();
    cluster.edit<Pod>(pods, "default", second, (live) => ({ ...live, spec: { containers: [], nodeName: "a" } }));
    await cluster.client.delete(pods, "default", second);
    await controllers.settle();
    expect(names()).toEqual([]);
    expect(status()).toMatchObject({ terminating: 1 });
    end(second, 42);
    cluster.kill("default", second);
    await controllers.settle();
    expect(conditions()).toEqual(["FailureTarget=True PodFailurePolicy", "Failed=True PodFailurePolicy"]);
    const message = `Container c for pod default/${second} failed with exit code 42 matching FailJob rule at index 1`;
    expect(current()?.status?.conditions?.[1]?.message).toBe(message);
    expect(events.told).toContain(`Warning PodFailurePolicy: ${message}`);
  });

  it("replaces a pod that is being deleted at once, unless it says otherwise", async () => {
    const replaced = async (podReplacementPolicy: "Failed" | "TerminatingOrFailed"): Promise<number> => {
      const { cluster, controllers, names, status } = await startJob(job({ completions: 1, podReplacementPolicy }));
      const [only = ""] = names();
      cluster.edit<Pod>(pods, "default", only, (live) => ({ ...live, spec: { containers: [], nodeName: "a" } }));
      await cluster.client.delete(pods, "default", only);
      await controllers.pass(40);
      expect(status()).toMatchObject({ terminating: 1 });
      return names().length;
    };
    expect(await replaced("TerminatingOrFailed")).toBe(1);
    expect(await replaced("Failed")).toBe(0);
  });
});
