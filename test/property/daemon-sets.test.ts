import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byNode, type DaemonState, isAvailable, isTerminating, isUpdated } from "../../shared/controllers/daemon-sets/daemon-pods.ts";
import { maxSurge, planNodes } from "../../shared/controllers/daemon-sets/plan.ts";
import { planRollingUpdate } from "../../shared/controllers/daemon-sets/rolling-update.ts";
import { scaledIntOrPercent } from "../../shared/kubernetes/int-or-string.ts";
import type { DaemonSet, Pod } from "../../shared/kubernetes/types.ts";

type Is = "ready" | "starting" | "ending" | "failed";
let made = 0;

function podOn(nodeName: string, hash: string, is: Is): Pod {
  const name = `p${made++}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { "controller-revision-hash": hash },
      creationTimestamp: new Date(made * 1000).toISOString(),
      ...(is === "ending" && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    spec: { nodeName, containers: [] },
    status: {
      phase: is === "failed" ? "Failed" : "Running",
      ...((is === "ready" || is === "ending") && { conditions: [{ type: "Ready", status: "True" as const }] }),
    },
  };
}

const amount = fc.oneof(
  fc.integer({ min: 1, max: 5 }),
  fc.integer({ min: 1, max: 100 }).map((percent) => `${percent}%`),
);
const setOf = (rollingUpdate: { maxSurge: number | string; maxUnavailable: number | string }): DaemonSet => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "agent" },
  spec: { selector: {}, template: {}, updateStrategy: { type: "RollingUpdate", rollingUpdate } },
});
const replacing = amount.map((maxUnavailable) => setOf({ maxSurge: 0, maxUnavailable }));
const surging = amount.map((maxSurge) => setOf({ maxSurge, maxUnavailable: 0 }));

const pod = fc.tuple(fc.constantFrom("old", "new"), fc.constantFrom<Is>("ready", "starting", "ending", "failed"));
const clusters = fc.array(
  fc.record({
    placement: fc.constantFrom("run" as const, "run" as const, "stay" as const, "leave" as const),
    pods: fc.array(pod, { maxLength: 3 }),
  }),
  {
    maxLength: 8,
  },
);
type Cluster = typeof clusters extends fc.Arbitrary<infer T> ? T : never;

function stateOf(set: DaemonSet, cluster: Cluster): DaemonState {
  const pods = cluster.flatMap((node, i) => node.pods.map(([hash, is]) => podOn(`n${i}`, hash, is)));
  return withPods(
    { set, hash: "new", placements: new Map(cluster.map(({ placement }, i) => [`n${i}`, placement])), podsByNode: new Map(), nowMs: 0 },
    pods,
  );
}
/** Where no pod belongs a failed one is `planNodes`' to take, before a rolling update is planned. */
const withoutFailedElsewhere = ({ placement, pods }: Cluster[number]): Cluster[number] => ({
  placement,
  pods: placement === "run" ? pods : pods.filter(([, is]) => is !== "failed"),
});
const withPods = (state: DaemonState, pods: readonly Pod[]): DaemonState => ({ ...state, podsByNode: byNode(pods) });
const podsOf = (state: DaemonState): Pod[] => [...state.podsByNode.values()].flat();
const serves = (state: DaemonState, nodeName: string, without: ReadonlySet<Pod> = new Set()): boolean =>
  (state.podsByNode.get(nodeName) ?? []).some((each) => !isTerminating(each) && !without.has(each) && isAvailable(state, each));

/** What kubelets do: end what is being deleted, run the rest. */
function played(state: DaemonState, create: readonly string[], gone: ReadonlySet<Pod>): DaemonState {
  const kept = podsOf(state).filter((each) => !gone.has(each) && !isTerminating(each));
  const running = kept.map((each) => (each.status?.phase === "Failed" ? each : { ...each, status: podOn("", "", "ready").status ?? {} }));
  return withPods(state, [...running, ...create.map((nodeName) => podOn(nodeName, "new", "starting"))]);
}

describe("rolling update of a daemonset", () => {
  it("without surge, never leaves more nodes without an available pod than may be, or than were before", () => {
    fc.assert(
      fc.property(replacing, clusters, (set, cluster) => {
        const state = stateOf(set, cluster);
        const plan = planRollingUpdate(state);
        expect(plan.create).toEqual([]);
        const gone = new Set(plan.delete);
        const wanted = cluster.flatMap(({ placement }, i) => (placement === "run" ? [`n${i}`] : []));
        const nodes = new Set([...wanted, ...state.podsByNode.keys()]);
        const dark = (without?: ReadonlySet<Pod>) => [...nodes].filter((nodeName) => !serves(state, nodeName, without)).length;
        const most = scaledIntOrPercent(set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 0, wanted.length, "up");
        expect(dark(gone)).toBeLessThanOrEqual(Math.max(dark(), most, 1));
        for (const each of plan.delete) expect(isUpdated(state, each)).toBe(false);
      }),
    );
  });

  it("without surge, takes no other pods when some of those it took are seen to end", () => {
    fc.assert(
      fc.property(replacing, clusters, fc.infiniteStream(fc.boolean()), (set, cluster, seen) => {
        const state = stateOf(set, cluster.map(withoutFailedElsewhere));
        const first = new Map(planRollingUpdate(state).delete.map((each) => [each.metadata.name, seen.next().value === true]));
        const later = podsOf(state).map((each) =>
          first.get(each.metadata.name) ? { ...each, metadata: { ...each.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } } : each,
        );
        for (const { metadata } of planRollingUpdate(withPods(state, later)).delete) expect(first.has(metadata.name)).toBe(true);
      }),
    );
  });

  it("with surge, takes no available pod from a node where one belongs before its successor is available", () => {
    fc.assert(
      fc.property(surging, clusters, (set, cluster) => {
        const state = stateOf(set, cluster);
        const plan = planRollingUpdate(state);
        const gone = new Set(plan.delete);
        for (const [nodeName, placement] of state.placements)
          if (placement === "run" && serves(state, nodeName)) expect(serves(state, nodeName, gone)).toBe(true);
        const extra = plan.create.filter((nodeName) => serves(state, nodeName));
        const wanted = [...state.placements.values()].filter((placement) => placement === "run").length;
        expect(extra.length).toBeLessThanOrEqual(maxSurge(set, wanted));
        expect(plan.create.every((nodeName) => state.placements.get(nodeName) === "run")).toBe(true);
      }),
    );
  });

  it("comes to rest with one pod of the new template on each node where one belongs", () => {
    fc.assert(
      fc.property(fc.oneof(replacing, surging), clusters, (set, cluster) => {
        let state = stateOf(set, cluster);
        for (let round = 0; round < 100; round++) {
          const nodes = planNodes(state);
          const gone = new Set([...nodes.delete, ...nodes.ended.map(({ pod }) => pod)]);
          const isBusy = gone.size + nodes.create.length > 0;
          const rolling = isBusy ? { create: [], delete: [] } : planRollingUpdate(state);
          const create = [...nodes.create, ...rolling.create];
          expect(new Set(create).size).toBe(create.length);
          const isSettled =
            !isBusy &&
            create.length + rolling.delete.length === 0 &&
            podsOf(state).every((each) => !isTerminating(each) && isAvailable(state, each));
          if (isSettled) break;
          state = played(state, create, new Set([...gone, ...rolling.delete]));
        }
        for (const [nodeName, placement] of state.placements) {
          const pods = state.podsByNode.get(nodeName) ?? [];
          if (placement === "run") expect(pods.map((each) => each.metadata.labels?.["controller-revision-hash"])).toEqual(["new"]);
          if (placement === "leave") expect(pods).toEqual([]);
        }
      }),
    );
  });
});
