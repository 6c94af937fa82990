import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Job, JobSpec, Pod } from "../../shared/kubernetes/types.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { image, yamlOf } from "./manifests.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer, untilNodesAreReady } from "./server-fixture.ts";

function scriptJob(name: string, script: string, spec: Partial<JobSpec> = {}): object {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "main", image, command: ["sh", "-c", script] }] } };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { ...spec, template } };
}

const cronJob = (name: string, schedule: string, job: object) => {
  const { spec } = job as Job;
  return { apiVersion: "batch/v1", kind: "CronJob", metadata: { name }, spec: { schedule, jobTemplate: { spec } } };
};

describeWith([needs.kubectl, needs.sh, needs.linux], "jobs by kubectl", () => {
  describe("whose pods are processes", () => {
    let server: ServerFixture;
    beforeAll(async () => {
      server = await startServer({ nodes: 1, runtime: "process" });
      await server.kubectl("wait --for=create node/default-0 --timeout=60s");
      await server.kubectl("wait --for=condition=Ready node/default-0 --timeout=60s");
      await server.kubectl("wait --for=create serviceaccount/default --timeout=60s");
    });
    afterAll(() => server?.stop());

    const out = async (args: string): Promise<string> => (await server.kubectl(args)).stdout.trim();
    const create = (object: object) => server.kubectl("create -f -", { stdin: yamlOf(object) });
    const podsOf = async (job: string): Promise<Pod[]> =>
      JSON.parse(await out(`get pods -l batch.kubernetes.io/job-name=${job} -o json`)).items as Pod[];

    it("run to completion, each index once, and leave their pods and logs", async () => {
      await create(
        scriptJob("indexed", 'echo "index $JOB_COMPLETION_INDEX"', { completions: 3, parallelism: 2, completionMode: "Indexed" }),
      );
      await out("wait --for=condition=Complete job/indexed --timeout=60s");
      expect(await out("get job indexed -o jsonpath={.status.succeeded}/{.status.completedIndexes}")).toBe("3/0-2");
      expect(await out("get job indexed --no-headers")).toMatch(/^indexed +Complete +3\/3 +/);
      const lines = await Promise.all((await podsOf("indexed")).map(({ metadata }) => out(`logs ${metadata.name}`)));
      expect(lines.sort()).toEqual(["index 0", "index 1", "index 2"]);
      expect((await podsOf("indexed")).every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
    });

    it("fail when their pods do, with what is still running ended and counted", async () => {
      const script = 'test "$JOB_COMPLETION_INDEX" = 0 && exit 3; trap "exit 0" TERM; while :; do sleep 0.1; done';
      await create(scriptJob("failing", script, { completions: 2, parallelism: 2, completionMode: "Indexed", backoffLimit: 0 }));
      await out("wait --for=condition=FailureTarget job/failing --timeout=60s");
      await out("wait --for=condition=Failed job/failing --timeout=60s");
      const { status } = JSON.parse(await out("get job failing -o json")) as Job;
      expect(status).toMatchObject({ failed: 2, terminating: 0, ready: 0 });
      expect(await out("describe job failing")).toContain("Job has reached the specified backoff limit");
      await eventually(
        "its events",
        async () => /BackoffLimitExceeded/.exec(await out("get events --field-selector involvedObject.name=failing")) ?? undefined,
      );
    });

    it("end by their pod failure policy at an exit code", async () => {
      const rules: NonNullable<JobSpec["podFailurePolicy"]>["rules"] = [
        { action: "FailJob", onExitCodes: { operator: "In", values: [42] } },
      ];
      await create(scriptJob("policy", "exit 42", { completions: 2, podFailurePolicy: { rules } }));
      await out("wait --for=condition=Failed job/policy --timeout=60s");
      expect(await out('get job policy -o jsonpath={.status.conditions[?(@.type=="Failed")].message}')).toMatch(
        /^Container main for pod default\/policy-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
      );
    });

    it("are suspended, resumed, and deleted with their pods while they run", async () => {
      await create(scriptJob("long", 'trap "exit 0" TERM; while :; do sleep 0.1; done', { parallelism: 2, completions: 2 }));
      const running = async () => (await podsOf("long")).filter(({ status }) => status?.phase === "Running").length;
      await untilTrue("both run", async () => (await running()) === 2);
      await server.kubectl(["patch", "job", "long", "-p", '{"spec":{"suspend":true}}']);
      await untilTrue("none is left", async () => (await podsOf("long")).length === 0);
      expect(await out("get job long --no-headers")).toMatch(/^long +Suspended +0\/2 +/);
      await server.kubectl(["patch", "job", "long", "-p", '{"spec":{"suspend":false}}']);
      await untilTrue("both run again", async () => (await running()) === 2);
      expect(await out("get job long -o jsonpath={.status.failed}")).toBe("");
      await out("delete job long");
      await untilTrue("its pods are gone", async () => (await podsOf("long")).length === 0);
    });

    it("are started from cron jobs, by hand too, and go after their time to live", async () => {
      await create(cronJob("yearly", "0 0 1 1 *", scriptJob("unused", "true", { ttlSecondsAfterFinished: 2 })));
      await out("create job by-hand --from=cronjob/yearly");
      await out("wait --for=condition=Complete job/by-hand --timeout=60s");
      await out("wait --for=delete job/by-hand --timeout=60s");
      expect(await podsOf("by-hand")).toEqual([]);
    });
  });

  describe("whose pods are hollow", () => {
    let server: ServerFixture;
    beforeAll(async () => {
      server = await startServer({ nodes: 2, runtime: "hollow" });
      await untilNodesAreReady(server, 2);
    });
    afterAll(() => server?.stop());

    it("run a hundred pods, ten at a time, and count each once", async () => {
      await server.kubectl("create -f -", { stdin: yamlOf(scriptJob("wide", "true", { completions: 100, parallelism: 10 })) });
      await server.kubectl("wait --for=condition=Complete job/wide --timeout=120s");
      const status = await server.kubectl("get job wide -o jsonpath={.status.succeeded}/{.status.failed}/{.status.active}");
      expect(status.stdout).toBe("100//");
    }, 150_000);

    it("begin at the minutes of their cron job", async () => {
      await server.kubectl("create -f -", { stdin: yamlOf(cronJob("tick", "* * * * *", scriptJob("unused", "true"))) });
      const jobs = await eventually(
        "a job of that minute has succeeded",
        async () => {
          const { stdout } = await server.kubectl("get jobs -o json");
          const items = (JSON.parse(stdout) as { items: Job[] }).items.filter(({ metadata }) => metadata.name?.startsWith("tick-"));
          return items.some(({ status }) => status?.succeeded === 1) ? items : undefined;
        },
        { withinSeconds: 90, everyMs: 1000 },
      );
      const scheduled = jobs[0]?.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"] ?? "";
      expect(jobs[0]?.metadata.name).toBe(`tick-${Date.parse(scheduled) / 60_000}`);
      const lastSuccess = async () => (await server.kubectl("get cronjob tick -o jsonpath={.status.lastSuccessfulTime}")).stdout;
      await untilTrue("the success is noted", async () => (await lastSuccess()) !== "");
    }, 100_000);
  });
});
