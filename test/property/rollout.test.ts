import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  activeOf,
  availableOf,
  maxSurge,
  maxUnavailable,
  type Resize,
  replicasOf,
  resizeInProportion,
  resizeNew,
  resizeOld,
  totalReplicas,
} from "../../shared/controllers/deployments/sizes.ts";
import type { Deployment, ReplicaSet } from "../../shared/kubernetes/types.ts";

const amount = fc.oneof(
  fc.nat(10),
  fc.nat(100).map((percent) => `${percent}%`),
);
const deployments = fc.record({ replicas: fc.nat(30), maxSurge: amount, maxUnavailable: amount }).map(
  ({ replicas, maxSurge, maxUnavailable }): Deployment => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: { replicas, selector: {}, template: {}, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } } },
  }),
);
const replicaSets = fc.array(fc.tuple(fc.nat(12), fc.nat(12), fc.nat(40)), { minLength: 1, maxLength: 5 }).map((sizes) =>
  sizes.map(
    ([replicas, available, max], i): ReplicaSet => ({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `s${i}`,
        creationTimestamp: `2026-01-0${i + 1}T00:00:00Z`,
        annotations: { "deployment.kubernetes.io/max-replicas": `${max}` },
      },
      spec: { replicas, selector: {} },
      status: { replicas, availableReplicas: Math.min(replicas, available) },
    }),
  ),
);

function applied(sets: readonly ReplicaSet[], resizes: readonly Resize[]): ReplicaSet[] {
  return sets.map((set) => {
    const resize = resizes.find(({ replicaSet }) => replicaSet === set);
    return resize ? { ...set, spec: { selector: {}, replicas: resize.replicas } } : set;
  });
}

/** Replicas that a controller deletes are the unavailable ones first. */
const leftAvailable = (before: ReplicaSet, after: ReplicaSet): number => Math.min(availableOf(before), replicasOf(after));

describe("rolling update", () => {
  it("never grows the new replica set beyond the surge, nor beyond what is wanted", () => {
    fc.assert(
      fc.property(deployments, replicaSets, (deployment, sets) => {
        const newSet = sets[0];
        if (!newSet) return;
        const resize = resizeNew(deployment, newSet, sets);
        if (!resize) return;
        expect(resize.replicas).toBeLessThanOrEqual(replicasOf(deployment));
        const total = totalReplicas(sets) - replicasOf(newSet) + resize.replicas;
        if (resize.replicas > replicasOf(newSet)) expect(total).toBeLessThanOrEqual(replicasOf(deployment) + maxSurge(deployment));
      }),
    );
  });

  it("never takes available pods below what must stay available", () => {
    fc.assert(
      fc.property(deployments, replicaSets, (deployment, sets) => {
        const [newSet, ...oldSets] = sets;
        if (!newSet) return;
        const resizes = resizeOld(deployment, newSet, oldSets);
        const after = applied(oldSets, resizes);
        for (const { replicaSet, replicas } of resizes) {
          expect(replicas).toBeGreaterThanOrEqual(0);
          expect(replicas).toBeLessThan(replicasOf(replicaSet));
        }
        if (resizes.length === 0) return;
        const left = after.reduce((sum, set, i) => sum + leftAvailable(oldSets[i] ?? set, set), availableOf(newSet));
        const before = oldSets.reduce((sum, set) => sum + availableOf(set), availableOf(newSet));
        expect(left).toBeGreaterThanOrEqual(Math.min(before, replicasOf(deployment) - maxUnavailable(deployment)));
      }),
    );
  });

  it("always has a next step until only the new replica set is left, once every pod is available", () => {
    fc.assert(
      fc.property(deployments, replicaSets, (deployment, initial) => {
        let sets = initial;
        const isOver = (): boolean =>
          replicasOf(sets[0] ?? { apiVersion: "", kind: "", metadata: {} }) === replicasOf(deployment) &&
          activeOf(sets.slice(1)).length === 0;
        for (let step = 0; step < 200 && !isOver(); step++) {
          const everything = sets.map((set) => ({ ...set, status: { replicas: replicasOf(set), availableReplicas: replicasOf(set) } }));
          const [newSet, ...oldSets] = everything;
          if (!newSet) return;
          const grown = resizeNew(deployment, newSet, everything);
          const resizes = grown ? [grown] : resizeOld(deployment, newSet, oldSets);
          expect(resizes.length).toBeGreaterThan(0);
          sets = applied(everything, resizes);
        }
        expect(isOver()).toBe(true);
      }),
    );
  });

  it("shares exactly what is allowed out among the active replica sets", () => {
    fc.assert(
      fc.property(deployments, replicaSets, (deployment, sets) => {
        const active = activeOf(sets);
        fc.pre(active.length > 1);
        const resizes = resizeInProportion(deployment, sets);
        const allowed = replicasOf(deployment) > 0 ? replicasOf(deployment) + maxSurge(deployment) : 0;
        expect(resizes).toHaveLength(active.length);
        const total = resizes.reduce((sum, { replicas }) => sum + replicas, 0);
        if (resizes.every(({ replicas }) => replicas > 0)) expect(total).toBe(allowed);
        expect(resizes.every(({ replicas }) => replicas >= 0)).toBe(true);
      }),
    );
  });
});
