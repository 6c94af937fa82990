import { describe, expect, it } from "vitest";
import { createClaimProtectionController, createVolumeProtectionController } from "../../../shared/controllers/volume-protection.ts";
import { persistentVolumeClaims, persistentVolumes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { pod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const goes = { deletionTimestamp: "2026-01-01T00:00:00Z" };

describe("claim protection", () => {
  const claim = (name: string): PersistentVolumeClaim => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { namespace: "default", name, finalizers: ["kubernetes.io/pvc-protection"] },
  });
  const using = (name: string) => ({ volumes: [{ name: "v", persistentVolumeClaim: { claimName: name } }], containers: [] });

  it("keeps a claim that is being deleted until the last scheduled pod that uses it has gone", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(persistentVolumeClaims, claim("c"));
    await cluster.client.create(pods, pod("user", { spec: { ...using("c"), nodeName: "n" } }));
    const controllers = await runControllers(cluster, createClaimProtectionController());
    const finalizers = () => cluster.get<PersistentVolumeClaim>(persistentVolumeClaims, "default", "c")?.metadata.finalizers ?? [];
    cluster.edit<PersistentVolumeClaim>(persistentVolumeClaims, "default", "c", (live) => ({
      ...live,
      metadata: { ...live.metadata, ...goes },
    }));
    await controllers.settle();
    expect(finalizers()).toEqual(["kubernetes.io/pvc-protection"]);
    await cluster.client.delete(pods, "default", "user", { gracePeriodSeconds: 0 });
    await controllers.settle();
    expect(finalizers()).toEqual([]);
  });

  it("lets go of one that only a pod without a node names", async () => {
    const cluster = createFakeCluster();
    const made = claim("c");
    await cluster.client.create(persistentVolumeClaims, { ...made, metadata: { ...made.metadata, ...goes } });
    await cluster.client.create(pods, pod("waits", { spec: using("c") }));
    const controllers = await runControllers(cluster, createClaimProtectionController());
    await controllers.settle();
    expect(cluster.get<PersistentVolumeClaim>(persistentVolumeClaims, "default", "c")?.metadata.finalizers ?? []).toEqual([]);
  });
});

it("a volume that is being deleted stays as long as it is bound", async () => {
  const cluster = createFakeCluster();
  const metadata = { name: "v", finalizers: ["kubernetes.io/pv-protection"], ...goes };
  const volume: PersistentVolume = { apiVersion: "v1", kind: "PersistentVolume", metadata, status: { phase: "Bound" } };
  await cluster.client.create(persistentVolumes, volume);
  const controllers = await runControllers(cluster, createVolumeProtectionController());
  const finalizers = () => cluster.get<PersistentVolume>(persistentVolumes, "", "v")?.metadata.finalizers ?? [];
  await controllers.settle();
  expect(finalizers()).toEqual(["kubernetes.io/pv-protection"]);
  cluster.edit<PersistentVolume>(persistentVolumes, "", "v", (live) => ({ ...live, status: { phase: "Released" } }));
  await controllers.settle();
  expect(finalizers()).toEqual([]);
});
