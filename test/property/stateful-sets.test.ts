import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planSteps, type SetState, type Step } from "../../shared/controllers/stateful-sets/plan.ts";
import { isHealthy } from "../../shared/controllers/stateful-sets/set-status.ts";
import { statefulSets } from "../../shared/kubernetes/known-resources.ts";
import type { Pod, StatefulSet } from "../../shared/kubernetes/types.ts";

const kind = { resource: statefulSets, apiVersion: "apps/v1", kind: "StatefulSet" };
const condition = ["ready", "starting", "failed", "ending"] as const;
type Condition = (typeof condition)[number];

function podOf(ordinal: number, revision: string, is: Condition): Pod {
  const name = `web-${ordinal}`;
  const labels = { "controller-revision-hash": revision, "statefulset.kubernetes.io/pod-name": name };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, uid: `${name}-${revision}`, labels, ...(is === "ending" && { deletionTimestamp: "2026-01-01T00:00:00Z" }) },
    spec: { containers: [] },
    status: {
      phase: is === "failed" ? "Failed" : is === "starting" ? "Pending" : "Running",
      ...(is === "ready" && { conditions: [{ type: "Ready", status: "True" as const }] }),
    },
  };
}

const sets = fc
  .record({
    replicas: fc.nat(6),
    start: fc.nat(3),
    partition: fc.nat(6),
    podManagementPolicy: fc.constantFrom("OrderedReady" as const, "Parallel" as const),
  })
  .map(
    ({ replicas, start, partition, podManagementPolicy }): StatefulSet => ({
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "web" },
      spec: {
        replicas,
        ordinals: { start },
        podManagementPolicy,
        selector: {},
        template: {},
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } },
      },
    }),
  );
const podSets = fc
  .uniqueArray(fc.tuple(fc.nat(9), fc.constantFrom("r1", "r2"), fc.constantFrom(...condition)), { selector: ([ordinal]) => ordinal })
  .map((all) => all.map(([ordinal, revision, is]) => podOf(ordinal, revision, is)));

const stateOf = (set: StatefulSet, pods: readonly Pod[]): SetState => ({
  kind,
  set,
  pods,
  current: { name: "r1", template: {} },
  update: { name: "r2", template: {} },
  find: () => undefined,
  nowMs: 0,
});
const isInOrder = ({ spec }: StatefulSet): boolean => spec?.podManagementPolicy !== "Parallel";
const places = ({ spec }: StatefulSet): Set<string> =>
  new Set(Array.from({ length: spec?.replicas ?? 0 }, (_, i) => `web-${(spec?.ordinals?.start ?? 0) + i}`));
const nameOf = ({ pod }: Step): string => pod.metadata.name ?? "";

describe("plan of a statefulset", () => {
  it("never makes a second pod of an ordinal, nor one outside its range", () => {
    fc.assert(
      fc.property(sets, podSets, (set, pods) => {
        const made = planSteps(stateOf(set, pods))
          .flat()
          .filter(({ kind }) => kind === "create")
          .map(nameOf);
        const present = new Set(pods.map(({ metadata }) => metadata.name));
        expect(new Set(made).size).toBe(made.length);
        for (const name of made) {
          expect(present.has(name)).toBe(false);
          expect(places(set).has(name)).toBe(true);
        }
      }),
    );
  });

  it("plans no more than it can do at once, whatever number of replicas is asked for", () => {
    const spec = { replicas: 2 ** 31 - 1, podManagementPolicy: "Parallel" as const, selector: {}, template: {} };
    const set: StatefulSet = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "web" }, spec };
    expect(planSteps(stateOf(set, [])).map(({ length }) => length)).toEqual([500]);
    expect(planSteps(stateOf({ ...set, spec: { ...spec, podManagementPolicy: "OrderedReady" } }, [])).map(({ length }) => length)).toEqual([
      1,
    ]);
  });

  it("in order, does one thing at a time, and takes a pod away only while all of the set's others are healthy", () => {
    fc.assert(
      fc.property(sets.filter(isInOrder), podSets, (set, pods) => {
        const steps = planSteps(stateOf(set, pods))
          .flat()
          .filter(({ kind }) => kind === "create" || kind === "delete");
        expect(steps.length).toBeLessThanOrEqual(1);
        const [step] = steps;
        if (step?.kind !== "delete" || step.pod.status?.phase === "Failed") return;
        const others = pods.filter(({ metadata }) => places(set).has(metadata.name ?? "") && metadata.name !== nameOf(step));
        expect(others.every(isHealthy)).toBe(true);
      }),
    );
  });

  it("in parallel, never takes a pod away for an update while another is not healthy above it, nor more than one", () => {
    fc.assert(
      fc.property(
        sets.filter((set) => !isInOrder(set)),
        podSets,
        (set, pods) => {
          const updated = planSteps(stateOf(set, pods))
            .flat()
            .filter((step) => step.kind === "delete" && places(set).has(nameOf(step)) && step.pod.status?.phase !== "Failed");
          expect(updated.length).toBeLessThanOrEqual(1);
          for (const step of updated) expect(step.pod.metadata.labels?.["controller-revision-hash"]).toBe("r1");
        },
      ),
    );
  });

  it("takes no further pod away while one that it took is seen to end", () => {
    fc.assert(
      fc.property(sets, podSets, (set, pods) => {
        const taken = new Set(
          planSteps(stateOf(set, pods))
            .flat()
            .filter(({ kind }) => kind === "delete")
            .map(nameOf),
        );
        const later = pods.map((pod) =>
          taken.has(pod.metadata.name ?? "") ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } } : pod,
        );
        expect(
          planSteps(stateOf(set, later))
            .flat()
            .filter(({ kind }) => kind === "delete"),
        ).toEqual([]);
      }),
    );
  });

  it("comes to rest with exactly the set's pods, of the update revision from the partition on", () => {
    fc.assert(
      fc.property(sets, podSets, (set, initial) => {
        // In order, several condemned pods that will never be ready block each other, in Kubernetes too.
        let pods: Pod[] = initial.filter(({ metadata, status }) => status?.phase !== "Failed" || places(set).has(metadata.name ?? ""));
        for (let round = 0; round < 100; round++) {
          const steps = planSteps(stateOf(set, pods)).flat();
          const deleted = new Set(steps.filter(({ kind }) => kind === "delete").map(nameOf));
          const made = steps
            .filter(({ kind }) => kind === "create")
            .map(({ pod }) => ({ ...pod, metadata: { ...pod.metadata, uid: `${round}` } }));
          const isSettled = steps.length === 0 && pods.every(isHealthy);
          if (isSettled) break;
          pods = [...pods, ...made]
            .filter(({ metadata }) => !deleted.has(metadata.name ?? "") && metadata.deletionTimestamp === undefined)
            .map((pod) => (pod.status?.phase === "Failed" ? pod : { ...pod, status: podOf(0, "", "ready").status ?? {} }));
        }
        expect(new Set(pods.map(({ metadata }) => metadata.name))).toEqual(places(set));
        const { ordinals, updateStrategy } = set.spec ?? {};
        for (const { metadata } of pods) {
          const place = Number(metadata.name?.slice(4)) - (ordinals?.start ?? 0);
          if (place >= (updateStrategy?.rollingUpdate?.partition ?? 0)) expect(metadata.labels?.["controller-revision-hash"]).toBe("r2");
        }
      }),
    );
  });
});
