import { describe, expect, it } from "vitest";
import { account, countReleased } from "../../../../shared/controllers/jobs/account.ts";
import { assess } from "../../../../shared/controllers/jobs/assess.ts";
import { afterEnds, backOffMs, finishedAt, noBackOff } from "../../../../shared/controllers/jobs/back-off.ts";
import { countCommonIndexes, firstFreeIndexes, parseIndexes, printIndexes } from "../../../../shared/controllers/jobs/index-intervals.ts";
import { trackingFinalizer } from "../../../../shared/controllers/jobs/job-pods.ts";
import { judgeFailure, metSuccessPolicy } from "../../../../shared/controllers/jobs/policies.ts";
import { rankedPods } from "../../../../shared/controllers/replicas/pod-ranking.ts";
import type { Pod, PodFailurePolicyRule } from "../../../../shared/kubernetes/types.ts";
import { pod } from "../fixtures.ts";
import { job } from "./job-cluster.ts";

const endedAt = (time: string): Pod =>
  pod("p", {
    status: {
      containerStatuses: [
        {
          ...{ name: "c", image: "", imageID: "", ready: false, restartCount: 0 },
          state: { terminated: { exitCode: 1, finishedAt: time } },
        },
      ],
    },
  });
const at = (time: string): number => Date.parse(time);

describe("indexes in intervals", () => {
  it.each([
    ["0", "0"],
    ["0,1", "0,1"],
    ["0-2", "0-2"],
    ["1,3-5,7", "1,3-5,7"],
    ["3-5,6", "3-6"],
    ["1,x,3", "1,3"],
    ["7-12", "7-9"],
    ["10,11", ""],
    ["", ""],
  ])("%s of ten is %s", (text, printed) => {
    expect(printIndexes(parseIndexes(text, 10))).toBe(printed);
  });

  it("fill the first gaps", () => {
    expect(firstFreeIndexes(parseIndexes("0,2-4,6", 9), 3, 9)).toEqual([1, 5, 7]);
    expect(firstFreeIndexes(parseIndexes("0-8", 9), 3, 9)).toEqual([]);
  });

  it("have so many in common", () => {
    expect(countCommonIndexes(parseIndexes("0-4,7,9", 20), parseIndexes("3-8,9-12", 20))).toBe(4);
  });
});

describe("back-off of a job", () => {
  it("doubles from ten seconds to ten minutes", () => {
    const waits = [0, 1, 2, 3, 7, 8, 60].map((failures) => backOffMs({ failures, lastFailureMs: 0 }, 0));
    expect(waits).toEqual([0, 10_000, 20_000, 40_000, 600_000, 600_000, 600_000]);
    expect(backOffMs({ failures: 1, lastFailureMs: 0 }, 11_000)).toBe(0);
  });

  it("counts from the last success, when both come to light at once", () => {
    const failed = ["2026-01-01T00:00:01Z", "2026-01-01T00:00:03Z", "2026-01-01T00:00:04Z"].map(endedAt);
    const succeeded = [endedAt("2026-01-01T00:00:02Z")];
    expect(afterEnds(noBackOff, succeeded, failed)).toEqual({ failures: 2, lastFailureMs: at("2026-01-01T00:00:04Z") });
    expect(afterEnds({ failures: 5, lastFailureMs: 1 }, succeeded, [])).toEqual(noBackOff);
    expect(afterEnds({ failures: 5, lastFailureMs: 1 }, [], failed).failures).toBe(8);
  });

  it("takes the end of a pod from its containers, its readiness, its deletion, or its creation", () => {
    const created = { namespace: "default", name: "p", creationTimestamp: "2026-01-01T00:00:00Z" };
    const deleted = { ...created, deletionTimestamp: "2026-01-01T00:01:30Z", deletionGracePeriodSeconds: 30 };
    const conditions = [{ type: "Ready", status: "False", lastTransitionTime: "2026-01-01T00:02:00Z" }];
    expect(finishedAt(endedAt("2026-01-01T00:00:09Z"))).toBe(at("2026-01-01T00:00:09Z"));
    expect(finishedAt(pod("p", { metadata: deleted, status: { conditions } }))).toBe(at("2026-01-01T00:02:00Z"));
    expect(finishedAt(pod("p", { metadata: deleted }))).toBe(at("2026-01-01T00:01:00Z"));
    expect(finishedAt(pod("p", { metadata: created }))).toBe(at("2026-01-01T00:00:00Z"));
  });
});

describe("policies of a job", () => {
  const failed = pod("p", {
    status: {
      phase: "Failed",
      conditions: [{ type: "DisruptionTarget", status: "True" }],
      containerStatuses: [{ name: "main", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode: 3 } } }],
      initContainerStatuses: [
        { name: "init", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode: 0 } } },
      ],
    },
  });
  const judged = (...rules: PodFailurePolicyRule[]) => judgeFailure(failed, job({ podFailurePolicy: { rules } }));

  it("take the first rule that matches, and count what none does", () => {
    expect(judged()).toEqual({ action: "Count" });
    expect(
      judged(
        { action: "FailJob", onExitCodes: { operator: "In", values: [1, 2] } },
        { action: "FailJob", onExitCodes: { containerName: "init", operator: "NotIn", values: [3] } },
        { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
        { action: "FailJob", onExitCodes: { operator: "In", values: [3] } },
      ),
    ).toEqual({ action: "Ignore" });
    expect(judged({ action: "FailJob", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] })).toEqual({
      action: "FailJob",
      message: "Pod default/p has condition DisruptionTarget matching FailJob rule at index 0",
    });
  });

  it("are met by indexes, by a number of them, or by a number alone", () => {
    const met = (succeeded: string, rule: { succeededIndexes?: string; succeededCount?: number }) =>
      metSuccessPolicy(job({ completions: 10, successPolicy: { rules: [rule] } }), parseIndexes(succeeded, 10)) !== undefined;
    expect(met("0-2", { succeededIndexes: "1,2" })).toBe(true);
    expect(met("0,1", { succeededIndexes: "1,2" })).toBe(false);
    expect(met("0,1", { succeededIndexes: "1-4", succeededCount: 1 })).toBe(true);
    expect(met("0,9", { succeededCount: 2 })).toBe(true);
    expect(met("0", { succeededCount: 2 })).toBe(false);
  });
});

describe("accounting of a job", () => {
  const ended = (name: string, phase: "Succeeded" | "Failed"): Pod =>
    pod(name, { metadata: { namespace: "default", name, uid: name, finalizers: [trackingFinalizer] }, status: { phase } });
  const counts = { active: 0, ready: 0, terminating: 0 };

  it("counts no more than 500 pods in a round", () => {
    const pods = Array.from({ length: 700 }, (_, i) => ended(`p${i}`, "Succeeded"));
    const given = job({ completions: 1000 });
    const { status, release, isPartial } = account(given, pods, assess(given, pods, noBackOff, 0), undefined, counts, 0);
    expect([status.uncountedTerminatedPods?.succeeded?.length, release.length, isPartial]).toEqual([500, 500, true]);
    const next = { ...given, status: countReleased(status, pods.slice(500)) };
    expect(next.status).toMatchObject({ succeeded: 500, uncountedTerminatedPods: {} });
    const rest = pods.slice(500);
    const second = account(next, rest, assess(next, rest, noBackOff, 0), undefined, counts, 0);
    expect([second.release.length, second.isPartial]).toEqual([200, false]);
    expect(countReleased(second.status, [])).toMatchObject({ succeeded: 700 });
  });

  it("counts a pod as it was noted first, whatever it says since", () => {
    const given = job({ completions: 2 });
    given.status = { uncountedTerminatedPods: { failed: ["p"] } };
    const pods = [ended("p", "Succeeded")];
    const { status } = account(given, pods, assess(given, pods, noBackOff, 0), undefined, counts, 0);
    expect(status.uncountedTerminatedPods).toEqual({ failed: ["p"] });
  });
});

it("ranks pods of a job by exact times, and neither by deletion cost nor by order of magnitude", () => {
  const made = (name: string, creationTimestamp: string, annotations = {}): Pod =>
    pod(name, { metadata: { namespace: "default", name, uid: name, creationTimestamp, annotations } });
  const cheap = { "controller.kubernetes.io/pod-deletion-cost": "-100" };
  const pods = [made("a", "2026-01-01T00:00:00Z", cheap), made("b", "2026-01-01T00:00:02Z"), made("c", "2026-01-01T00:00:01Z")];
  expect(rankedPods(pods).map(({ metadata }) => metadata.name)).toEqual(["b", "c", "a"]);
});
