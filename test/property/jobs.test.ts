import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ObjectClient } from "../../shared/api/object-client.ts";
import { createJobController } from "../../shared/controllers/job.ts";
import {
  countCommonIndexes,
  countIndexes,
  hasIndex,
  intervalsOf,
  parseIndexes,
  printIndexes,
} from "../../shared/controllers/jobs/index-intervals.ts";
import { completionIndexName, isTracked } from "../../shared/controllers/jobs/job-pods.ts";
import { jobs, pods } from "../../shared/kubernetes/known-resources.ts";
import { validateJobStatus } from "../../shared/kubernetes/schema/validation/job-status.ts";
import { StatusError } from "../../shared/kubernetes/status-error.ts";
import type { Job, Pod } from "../../shared/kubernetes/types.ts";
import { createFakeCluster } from "../unit/controllers/fake-cluster.ts";
import { recordEvents } from "../unit/controllers/fixtures.ts";
import { job } from "../unit/controllers/jobs/job-cluster.ts";
import { runControllers } from "../unit/controllers/run-controllers.ts";

/** Which of the next writes fail, before or after they took effect. */
type Fault = "none" | "before" | "after";

function withFaults(client: ObjectClient, faults: Fault[]): ObjectClient {
  const faulty =
    <A extends unknown[], R>(write: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      const fault = faults.shift() ?? "none";
      if (fault === "before") throw new StatusError("InternalError", "lost on the way there");
      const result = await write(...given);
      if (fault === "after") throw new StatusError("InternalError", "lost on the way back");
      return result;
    };
  return {
    ...client,
    create: faulty(client.create),
    update: faulty(client.update),
    patch: faulty(client.patch),
    delete: faulty(client.delete),
  };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("end" as const), which: fc.nat(5), succeeds: fc.boolean() }),
  fc.record({ kind: fc.constant("parallelism" as const), parallelism: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ kind: fc.constant("suspend" as const), suspend: fc.boolean() }),
  fc.record({ kind: fc.constant("restart" as const) }),
);

describe("job", () => {
  it("counts each pod once, never runs more than its parallelism, writes no status that is refused, and comes to its end, whatever write is lost", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          completions: fc.integer({ min: 1, max: 6 }),
          parallelism: fc.integer({ min: 1, max: 4 }),
          completionMode: fc.constantFrom("Indexed" as const, "NonIndexed" as const),
        }),
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.constantFrom<Fault>("none", "none", "before", "after"), { maxLength: 60 }),
        async (spec, steps, given) => {
          const faults = [...given];
          const cluster = createFakeCluster();
          const events = recordEvents();
          const current = () => cluster.get<Job>(jobs, "default", "work");
          const active = () =>
            cluster.all<Pod>(pods).filter(({ metadata, status }) => !status?.phase && metadata.deletionTimestamp === undefined);
          /** The most pods beyond the parallelism just after one was made. */
          let most = Number.NEGATIVE_INFINITY;
          const refused: string[] = [];
          const watched: ObjectClient = {
            ...cluster.client,
            async create(...given) {
              const created = await cluster.client.create(...given);
              if (given[0] === pods) most = Math.max(most, active().length - (current()?.spec?.parallelism ?? 0));
              return created;
            },
            async update(resource, object, options) {
              const live = current();
              if (resource === jobs && options?.subresource === "status" && live)
                for (const { message = "" } of validateJobStatus(object as Job, live)) refused.push(message);
              return await cluster.client.update(resource, object, options);
            },
          };
          const flaky = { ...cluster, client: withFaults(watched, faults) };
          await cluster.client.create(jobs, job({ ...spec, backoffLimit: 1000 }));
          let controllers = await runControllers(flaky, createJobController({ events }));
          const ended = { Succeeded: new Set<string>(), Failed: new Set<string>() };
          const indexes = new Set<number>();
          const look = async (): Promise<void> => {
            cluster.clock.advance(700_000);
            await controllers.settle();
            const { succeeded = 0, failed = 0, uncountedTerminatedPods = {} } = current()?.status ?? {};
            const { succeeded: waiting = [], failed: lost = [] } = uncountedTerminatedPods;
            const isIndexed = spec.completionMode === "Indexed";
            expect(succeeded + waiting.length).toBeLessThanOrEqual(isIndexed ? indexes.size : ended.Succeeded.size);
            expect(failed + lost.length).toBeLessThanOrEqual(ended.Failed.size);
            expect(most).toBeLessThanOrEqual(0);
            expect(refused).toEqual([]);
          };
          const end = (pod: Pod, phase: "Succeeded" | "Failed"): void => {
            const { metadata } = pod;
            // One without the finalizer is being taken back, and counts no more.
            if (isTracked(pod)) ended[phase].add(metadata.uid ?? "");
            if (isTracked(pod) && phase === "Succeeded") indexes.add(Number(metadata.annotations?.[completionIndexName]));
            cluster.edit<Pod>(pods, "default", metadata.name ?? "", (pod) => ({ ...pod, status: { phase } }));
          };
          for (const action of steps) {
            await look();
            if (action.kind === "restart") {
              await controllers.stop();
              controllers = await runControllers(flaky, createJobController({ events }));
            } else if (action.kind !== "end") {
              const { kind: _, ...spec } = action;
              await cluster.client.patch(jobs, "default", "work", { type: "merge", body: { spec } });
            } else {
              const running = active();
              const chosen = running[action.which % Math.max(1, running.length)];
              if (chosen) end(chosen, action.succeeds ? "Succeeded" : "Failed");
            }
          }
          faults.length = 0;
          await cluster.client.patch(jobs, "default", "work", { type: "merge", body: { spec: { parallelism: 2, suspend: false } } });
          const isOver = () => current()?.status?.conditions?.some(({ type }) => type === "Complete") === true;
          for (let round = 0; round < 30 && !isOver(); round++) {
            await look();
            for (const pod of active()) end(pod, "Succeeded");
          }
          await look();
          expect(isOver()).toBe(true);
          expect(current()?.status?.failed ?? 0).toBe(ended.Failed.size);
          expect(current()?.status?.succeeded).toBe(spec.completionMode === "Indexed" ? spec.completions : ended.Succeeded.size);
          expect(cluster.all<Pod>(pods).every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
          await controllers.stop();
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});

describe("completion indexes in intervals", () => {
  const sets = fc.uniqueArray(fc.nat(40), { maxLength: 30 });

  it("are what they are written as", () => {
    fc.assert(
      fc.property(sets, (indexes) => {
        const intervals = intervalsOf(indexes);
        expect(parseIndexes(printIndexes(intervals), 100)).toEqual(intervals);
        expect(countIndexes(intervals)).toBe(indexes.length);
        for (let index = 0; index <= 41; index++) expect(hasIndex(intervals, index)).toBe(indexes.includes(index));
      }),
    );
  });

  it("have in common what the sets have", () => {
    fc.assert(
      fc.property(sets, sets, (one, other) => {
        const common = one.filter((index) => other.includes(index)).length;
        expect(countCommonIndexes(intervalsOf(one), intervalsOf(other))).toBe(common);
      }),
    );
  });
});
