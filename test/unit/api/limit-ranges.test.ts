import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const mergePatch = { "content-type": "application/merge-patch+json" };

/** A namespace of its own with a LimitRange in it. */
async function withLimits(namespace: string, limits: object[]) {
  await api.call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const base = `/api/v1/namespaces/${namespace}`;
  await api.call("POST", `${base}/serviceaccounts`, { metadata: { name: "default" } });
  const made = await api.call("POST", `${base}/limitranges`, { metadata: { name: "limits" }, spec: { limits } });
  expect(made.status).toBe(201);
  const create = (name: string, resources: object, more: object = {}) =>
    api.call("POST", `${base}/pods`, { metadata: { name }, spec: { containers: [{ name: "c", image: "i", resources }], ...more } });
  return { base, create };
}

describe("limit ranges of containers", () => {
  it("give defaults to what says nothing, and note it", async () => {
    const { create } = await withLimits("defaults", [
      { type: "Container", default: { cpu: "500m", memory: "500Mi" }, defaultRequest: { cpu: "100m", memory: "200Mi" } },
    ]);
    const { body } = await create("a", {}, { initContainers: [{ name: "i", image: "i", resources: { requests: { cpu: "50m" } } }] });
    expect(body.spec.containers[0].resources).toEqual({
      limits: { cpu: "500m", memory: "500Mi" },
      requests: { cpu: "100m", memory: "200Mi" },
    });
    expect(body.spec.initContainers[0].resources.requests).toEqual({ cpu: "50m", memory: "200Mi" });
    expect(body.metadata.annotations["kubernetes.io/limit-ranger"]).toBe(
      "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; " +
        "memory request for init container i; cpu, memory limit for init container i",
    );
  });

  it("leave what a limit already implies", async () => {
    const { create } = await withLimits("implied", [{ type: "Container", defaultRequest: { cpu: "100m" } }]);
    const { body } = await create("a", { limits: { cpu: "1" } });
    expect(body.spec.containers[0].resources.requests).toEqual({ cpu: "1" });
    expect(body.metadata.annotations).toBeUndefined();
  });

  it("refuse what is below the minimum, above the maximum or beyond the ratio", async () => {
    const limits = [{ type: "Container", min: { cpu: "100m" }, max: { cpu: "1" }, maxLimitRequestRatio: { cpu: "2" } }];
    const { create } = await withLimits("bounds", limits);
    const message = async (name: string, resources: object) => (await create(name, resources)).body.message;
    const forbidden = (name: string, why: string) => `pods "${name}" is forbidden: ${why}`;
    expect(await message("small", { requests: { cpu: "50m" }, limits: { cpu: "100m" } })).toBe(
      forbidden("small", "minimum cpu usage per Container is 100m, but request is 50m"),
    );
    expect(await message("wide", { requests: { cpu: "1" }, limits: { cpu: "2" } })).toBe(
      forbidden("wide", "maximum cpu usage per Container is 1, but limit is 2"),
    );
    expect(await message("ratio", { requests: { cpu: "100m" }, limits: { cpu: "300m" } })).toBe(
      forbidden("ratio", "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"),
    );
    expect((await create("fits", { requests: { cpu: "500m" }, limits: { cpu: "1" } })).status).toBe(201);
  });
});

describe("limit ranges of pods and claims", () => {
  it("look at all containers of a pod together", async () => {
    const { create } = await withLimits("pods", [{ type: "Pod", max: { cpu: "1" }, min: { memory: "1Gi" } }]);
    const { status, body } = await create(
      "a",
      { limits: { cpu: "600m" } },
      {
        containers: [
          { name: "a", image: "i", resources: { limits: { cpu: "600m" } } },
          { name: "b", image: "i", resources: { limits: { cpu: "600m" } } },
        ],
      },
    );
    expect(status).toBe(403);
    expect(body.message).toBe(
      'pods "a" is forbidden: [minimum memory usage per Pod is 1Gi.  No request is specified, maximum cpu usage per Pod is 1, but limit is 1200m]',
    );
  });

  it("bound what claims ask for, then and when they grow", async () => {
    const { base } = await withLimits("claims", [{ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "2Gi" } }]);
    const claim = (name: string, storage: string) =>
      api.call("POST", `${base}/persistentvolumeclaims`, {
        metadata: { name },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
      });
    expect((await claim("small", "500Mi")).body.message).toBe(
      'persistentvolumeclaims "small" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
    );
    expect((await claim("big", "3Gi")).body.message).toBe(
      'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
    );
    expect((await claim("fits", "1Gi")).status).toBe(201);
    await api.call("PATCH", `${base}/persistentvolumeclaims/fits/status`, { status: { phase: "Bound" } }, mergePatch);
    const grow = async (storage: string) =>
      (await api.call("PATCH", `${base}/persistentvolumeclaims/fits`, { spec: { resources: { requests: { storage } } } }, mergePatch)).body
        .message;
    expect(await grow("3Gi")).toContain("maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi");
    expect(await grow("2Gi")).toBe(
      'persistentvolumeclaims "fits" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    );
  });
});
