import { describe, expect, it } from "vitest";
import { createCronJobController } from "../../../shared/controllers/cron-job.ts";
import { formatTime } from "../../../shared/controllers/timestamp.ts";
import { cronJobs, jobs } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { CronJob, CronJobSpec, Job } from "../../../shared/kubernetes/types.ts";
import type { Change } from "../../../shared/store/view.ts";
import { createFakeClock } from "./fake-clock.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { recordEvents } from "./fixtures.ts";
import { contextOf, runControllers } from "./run-controllers.ts";

const spec: CronJobSpec = {
  schedule: "* * * * *",
  concurrencyPolicy: "Allow",
  jobTemplate: {
    metadata: { labels: { kept: "yes" }, annotations: { note: "a" } },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } },
  },
};

/** At twenty seconds past a minute, unless told otherwise. */
async function start(change: Partial<CronJobSpec> = {}, given: { status?: CronJob["status"]; at?: string; created?: string } = {}) {
  const cluster = createFakeCluster(createFakeClock(Date.parse(given.at ?? "2026-01-01T00:00:20Z")));
  const events = recordEvents();
  const metadata = { namespace: "default", name: "tick", uid: "tick-uid", ...(given.created && { creationTimestamp: given.created }) };
  const object: CronJob = { apiVersion: "batch/v1", kind: "CronJob", metadata, spec: { ...spec, ...change } };
  await cluster.client.create(cronJobs, { ...object, ...(given.status && { status: given.status }) } as CronJob);
  const controllers = await runControllers(cluster, createCronJobController({ events }));
  const names = () => cluster.all<Job>(jobs).map(({ metadata }) => metadata.name ?? "");
  const end = (name: string, type: "Complete" | "Failed") =>
    cluster.edit<Job>(jobs, "default", name, (job) => {
      const now = formatTime(cluster.clock.now());
      const conditions = [{ type, status: "True", lastTransitionTime: now }];
      return { ...job, status: { startTime: now, conditions, ...(type === "Complete" && { completionTime: now }) } };
    });
  return {
    cluster,
    events,
    controllers,
    names,
    end,
    status: () => cluster.get<CronJob>(cronJobs, "default", "tick")?.status,
    /** The API dates writes, which the fake cluster does not. */
    async change(change: Partial<CronJobSpec>) {
      const managedFields = [{ manager: "kubectl", operation: "Update", time: formatTime(cluster.clock.now()) }];
      await cluster.client.patch(cronJobs, "default", "tick", { type: "merge", body: { metadata: { managedFields }, spec: change } });
      await controllers.settle();
    },
  };
}

const firstMinute = Date.parse("2026-01-01T00:01:00Z") / 60_000;

describe("cron job", () => {
  it("starts a job at each of its times, named after the minute", async () => {
    const { cluster, controllers, names, status, events } = await start({ timeZone: "Asia/Kathmandu" });
    await controllers.pass(39);
    expect(names()).toEqual([]);
    await controllers.pass(1);
    expect(names()).toEqual([`tick-${firstMinute}`]);
    const made = cluster.get<Job>(jobs, "default", `tick-${firstMinute}`);
    expect(made?.metadata).toMatchObject({
      labels: { kept: "yes" },
      annotations: { note: "a", "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T05:46:00+05:45" },
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "CronJob", name: "tick", uid: "tick-uid", controller: true, blockOwnerDeletion: true },
      ],
    });
    expect(made?.spec).toEqual(spec.jobTemplate.spec);
    const { uid, resourceVersion } = made?.metadata ?? {};
    expect(status()).toEqual({
      active: [{ apiVersion: "batch/v1", kind: "Job", namespace: "default", name: `tick-${firstMinute}`, uid, resourceVersion }],
      lastScheduleTime: "2026-01-01T00:01:00Z",
    });
    await controllers.pass(60);
    expect(names()).toEqual([`tick-${firstMinute}`, `tick-${firstMinute + 1}`]);
    expect(status()?.active).toHaveLength(2);
    expect(events.told).toEqual([
      `Normal SuccessfulCreate: Created job tick-${firstMinute}`,
      `Normal SuccessfulCreate: Created job tick-${firstMinute + 1}`,
    ]);
  });

  it("notes what ended, when it last succeeded, and what went missing", async () => {
    const { cluster, controllers, names, end, status, events } = await start();
    await controllers.pass(100);
    const [first = "", second = ""] = names();
    end(first, "Complete");
    await controllers.settle();
    expect(status()).toMatchObject({ active: [{ name: second }], lastSuccessfulTime: "2026-01-01T00:02:00Z" });
    end(second, "Failed");
    await controllers.pass(60);
    await cluster.client.delete(jobs, "default", names()[2] ?? "");
    await controllers.settle();
    expect(status()?.active).toBeUndefined();
    expect(status()?.lastSuccessfulTime).toBe("2026-01-01T00:02:00Z");
    expect(events.told).toEqual(
      expect.arrayContaining([
        `Normal SawCompletedJob: Saw completed job: ${first}, condition: Complete`,
        `Normal SawCompletedJob: Saw completed job: ${second}, condition: Failed`,
        `Normal MissingJob: Active job went missing: tick-${firstMinute + 2}`,
      ]),
    );
  });

  it("leaves a time out while a job runs, where it forbids two", async () => {
    const { controllers, names, end, events } = await start({ concurrencyPolicy: "Forbid" });
    await controllers.pass(100);
    expect(names()).toHaveLength(1);
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    expect(events.told).toContain(`Normal JobAlreadyActive: ${message}`);
    end(names()[0] ?? "", "Complete");
    await controllers.settle();
    expect(names()).toEqual([`tick-${firstMinute}`, `tick-${firstMinute + 1}`]);
  });

  it("deletes the job that runs, where it replaces it", async () => {
    const { controllers, names, status, events } = await start({ concurrencyPolicy: "Replace" });
    await controllers.pass(100);
    expect(names()).toEqual([`tick-${firstMinute + 1}`]);
    expect(status()?.active).toMatchObject([{ name: `tick-${firstMinute + 1}` }]);
    expect(events.told).toContain(`Normal SuccessfulDelete: Deleted job tick-${firstMinute}`);
  });

  it("keeps as many ended jobs as its limits say", async () => {
    const { controllers, names, end } = await start({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 });
    for (const type of ["Complete", "Failed", "Complete", "Failed", "Complete"] as const) {
      await controllers.pass(60);
      end(names().at(-1) ?? "", type);
      await controllers.settle();
    }
    expect(names()).toEqual([2, 3, 4].map((minute) => `tick-${firstMinute + minute}`));
  });

  it("knows how a job ended that it does not keep", async () => {
    const { controllers, names, end, status, events } = await start({ successfulJobsHistoryLimit: 0 });
    await controllers.pass(40);
    end(`tick-${firstMinute}`, "Complete");
    await controllers.settle();
    expect([names(), status()?.active, status()?.lastSuccessfulTime]).toEqual([[], undefined, "2026-01-01T00:01:00Z"]);
    expect(events.told).toContain(`Normal SuccessfulDelete: Deleted job tick-${firstMinute}`);
    expect(events.told.join()).not.toContain("MissingJob");
  });

  it("does nothing while it is suspended, and then makes up for the last time", async () => {
    const { controllers, names, change } = await start({ suspend: true });
    await controllers.pass(200);
    expect(names()).toEqual([]);
    await change({ suspend: false });
    expect(names()).toEqual([`tick-${firstMinute + 2}`]);
  });

  it("makes up for nothing later than its starting deadline", async () => {
    const { controllers, names, change } = await start({ suspend: true, schedule: "0 * * * *", startingDeadlineSeconds: 30 });
    await controllers.pass(3700);
    await change({ suspend: false });
    expect(names()).toEqual([]);
    await controllers.pass(3540);
    expect(names()).toEqual([`tick-${firstMinute + 119}`]);
  });

  it("makes up for the last of many missed times, with a warning", async () => {
    const created = "2025-12-31T00:00:00Z";
    const { names, events, status } = await start({}, { created });
    expect(names()).toEqual([`tick-${firstMinute - 1}`]);
    expect(status()?.lastScheduleTime).toBe("2026-01-01T00:00:00Z");
    const message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    expect(events.told).toContain(`Warning TooManyMissedTimes: ${message}`);
    const few = await start({ schedule: "0 * * * *" }, { created, at: "2026-01-01T00:30:00Z" });
    expect(few.names()).toEqual([`tick-${firstMinute - 1}`]);
    expect(few.events.told.join()).not.toContain("TooManyMissedTimes");
  });

  it("begins a new schedule with its next time", async () => {
    const { controllers, names, change } = await start({ schedule: "0 0 1 6 *" });
    await controllers.pass(100);
    await change({ schedule: "* * * * *" });
    expect(names()).toEqual([]);
    await controllers.pass(60);
    expect(names()).toEqual([`tick-${firstMinute + 2}`]);
  });

  it("is not late with a new schedule where the process that starts the job hears late of the change", async () => {
    const { cluster, controllers, names, change, events } = await start({ schedule: "0 0 1 6 *" });
    await controllers.stop();
    const late = createCronJobController({ events });
    const changes: Change[] = [];
    cluster.view.onChange((given) => void changes.push(...given));
    await change({ schedule: "* * * * *" });
    cluster.clock.advance(40_000);
    expect(changes.flatMap((each) => [...late.keysOf(each, cluster.view)])).toEqual(["default/tick"]);
    await late.reconcile("default/tick", contextOf(cluster));
    expect(names()).toEqual([`tick-${firstMinute}`]);
  });

  it("notes what ended when its schedule changed, although it starts nothing", async () => {
    const { controllers, names, end, change, status } = await start();
    await controllers.pass(40);
    end(`tick-${firstMinute}`, "Complete");
    await change({ schedule: "0 0 1 6 *" });
    expect(status()).toEqual({ lastScheduleTime: "2026-01-01T00:01:00Z", lastSuccessfulTime: "2026-01-01T00:01:00Z" });
    expect(names()).toEqual([`tick-${firstMinute}`]);
  });

  it("finds the job again that it made before it could say so", async () => {
    const { cluster, controllers, names, status, events } = await start();
    let lost = 0;
    cluster.intercept(({ subresource }) =>
      subresource === "status" && ++lost === 1 ? new StatusError("InternalError", "lost") : undefined,
    );
    await controllers.pass(42);
    expect(names()).toEqual([`tick-${firstMinute}`]);
    expect(status()).toMatchObject({ active: [{ name: `tick-${firstMinute}` }], lastScheduleTime: "2026-01-01T00:01:00Z" });
    expect(lost).toBeGreaterThan(1);
    expect(events.told).toContain(`Warning UnexpectedJob: Saw a job that the controller did not create or forgot: tick-${firstMinute}`);
  });

  it("leaves a job of that name alone which is not its own", async () => {
    const { cluster, controllers, names, status } = await start();
    const metadata = { namespace: "default", name: `tick-${firstMinute}` };
    await cluster.client.create(jobs, { apiVersion: "batch/v1", kind: "Job", metadata } as Job);
    await controllers.pass(45);
    expect([names(), status()?.active]).toEqual([[`tick-${firstMinute}`], undefined]);
    await controllers.pass(60);
    expect(status()?.active).toMatchObject([{ name: `tick-${firstMinute + 1}` }]);
  });

  it.each([
    [
      "0 0 31 2 *",
      {},
      "Warning InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second",
    ],
    ["* * *", {}, 'Warning UnparseableSchedule: unparseable schedule: "* * *" : expected exactly 5 fields, found 3: [* * *]'],
    ["* * * * *", { timeZone: "Moon" }, 'Warning UnknownTimeZone: invalid timeZone: "Moon": unknown time zone Moon'],
  ])("starts nothing by %s %o, and says why", async (schedule, change, told) => {
    const { controllers, names, events } = await start({ schedule, ...change });
    await controllers.pass(70);
    expect(names()).toEqual([]);
    expect(events.told).toEqual([told]);
  });
});
