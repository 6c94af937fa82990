import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
  await api.call("POST", "/api/v1/nodes", {
    metadata: { name: "n1" },
    spec: { providerID: "coracle://pool-1/n1" },
    status: { allocatable: { cpu: "4", memory: "4Gi", pods: "10" } },
  });
});
afterAll(() => api.close());

const pods = "/api/v1/namespaces/default/pods";
const strategic = { "content-type": "application/strategic-merge-patch+json" };
const json = { "content-type": "application/json-patch+json" };
const resources = { requests: { cpu: "100m", memory: "100Mi" }, limits: { cpu: "200m", memory: "200Mi" } };

let made = 0;
async function create(container: object = {}, more: object = {}): Promise<string> {
  const name = `p${made++}`;
  const spec = { nodeName: "n1", containers: [{ name: "main", image: "i", ...container }], ...more };
  const { status, body } = await api.call("POST", pods, { metadata: { name }, spec });
  expect([status, body.message]).toEqual([201, undefined]);
  return name;
}
const causesOf = (body: { details?: { causes?: { field: string; message: string }[] } }) =>
  (body.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);

describe("ephemeral containers", () => {
  const attach = (name: string, ephemeralContainers: object[], more: object = {}) =>
    api.call("PATCH", `${pods}/${name}/ephemeralcontainers`, { ...more, spec: { ephemeralContainers } }, strategic);

  it("are added to a pod, which changes in nothing else", async () => {
    const name = await create();
    const more = { metadata: { labels: { a: "b" } } };
    const { status, body } = await attach(name, [{ name: "debug", image: "tools", targetContainerName: "main", stdin: true }], more);
    expect(status).toBe(200);
    expect(body.metadata.labels).toBeUndefined();
    expect(body.metadata.generation).toBe(2);
    expect(body.spec.ephemeralContainers).toMatchObject([{ name: "debug", image: "tools", targetContainerName: "main", stdin: true }]);
    expect((await api.call("GET", `${pods}/${name}/ephemeralcontainers`)).body.spec.ephemeralContainers).toHaveLength(1);
    const replaced = {
      ...body,
      spec: { ...body.spec, ephemeralContainers: [...body.spec.ephemeralContainers, { name: "two", image: "i" }] },
    };
    const put = await api.call("PUT", `${pods}/${name}/ephemeralcontainers`, replaced);
    expect(put.body.spec.ephemeralContainers.map((container: { name: string }) => container.name)).toEqual(["debug", "two"]);
  });

  it("are neither changed nor taken away, nor written any other way", async () => {
    const name = await create();
    await attach(name, [{ name: "debug", image: "tools" }]);
    expect(causesOf((await attach(name, [{ name: "debug", image: "other" }])).body)[0]).toMatch(
      /^spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed/,
    );
    const removal = [{ op: "remove", path: "/spec/ephemeralContainers" }];
    expect(causesOf((await api.call("PATCH", `${pods}/${name}/ephemeralcontainers`, removal, json)).body)).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
    const plain = await api.call("PATCH", `${pods}/${name}`, { spec: { ephemeralContainers: [{ name: "x", image: "i" }] } }, strategic);
    expect(plain.status).toBe(422);
    expect((await api.call("POST", `${pods}/${name}/ephemeralcontainers`, {})).status).toBe(405);
  });

  it("are judged as containers that help, not serve", async () => {
    const name = await create();
    const { body } = await attach(name, [
      { name: "main", image: "i" },
      { name: "d", image: "i", ports: [{ containerPort: 80 }], resources: { requests: { cpu: "1" } }, targetContainerName: "none" },
    ]);
    expect(causesOf(body)).toEqual([
      'spec.ephemeralContainers[0].name: Duplicate value: "main"',
      'spec.ephemeralContainers[1].targetContainerName: Not found: "none"',
      "spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container",
      "spec.ephemeralContainers[1].resources: Forbidden: cannot be set for an Ephemeral Container",
    ]);
  });
});

describe("a resize", () => {
  const resize = (name: string, changed: object, more: object = {}) =>
    api.call("PATCH", `${pods}/${name}/resize`, { spec: { containers: [{ name: "main", resources: changed, ...more }] } }, strategic);
  const committed = async () => (await api.store.queryRecords("t#committed#pool-1"))[0]?.value as Record<string, number> | undefined;

  it("changes CPU and memory and nothing else, and counts as a new generation", async () => {
    const name = await create({ resources });
    const { status, body } = await resize(name, { requests: { cpu: "150m" }, limits: { memory: "300Mi" } }, { image: "other" });
    expect(status).toBe(200);
    expect(body.metadata.generation).toBe(2);
    expect(body.spec.containers[0]).toMatchObject({
      image: "i",
      resources: { requests: { cpu: "150m", memory: "100Mi" }, limits: { cpu: "200m", memory: "300Mi" } },
    });
    expect((await api.call("PATCH", `${pods}/${name}`, { spec: { containers: [{ name: "main", resources }] } }, strategic)).status).toBe(
      422,
    );
  });

  it.each<[string, object, object, string]>([
    [
      "cuts memory under a running container",
      { resources },
      { limits: { memory: "150Mi" } },
      "spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot be decreased unless resizePolicy is RestartContainer",
    ],
    [
      "makes the pod another class",
      { resources },
      { requests: { cpu: "200m", memory: "200Mi" } },
      'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    ],
    [
      "is about other resources",
      { resources },
      { requests: { "ephemeral-storage": "1Gi" } },
      "spec: Forbidden: only cpu and memory resources are mutable",
    ],
    [
      "takes limits away",
      { resources },
      { limits: null },
      "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
    ],
    [
      "gives a pod that asked for nothing something",
      {},
      { requests: { cpu: "1" } },
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
    ],
  ])("that %s is refused", async (_what, container, changed, cause) => {
    expect(causesOf((await resize(await create(container), changed)).body)).toContain(cause);
  });

  it("may concern a sidecar, and no init container that ends", async () => {
    const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" }];
    const initContainers = [
      { name: "setup", image: "i", resources },
      { name: "proxy", image: "i", resources, restartPolicy: "Always", resizePolicy },
    ];
    const name = await create({ resources }, { initContainers });
    const patch = (container: string) => ({ spec: { initContainers: [{ name: container, resources: { limits: { memory: "150Mi" } } }] } });
    const { body } = await api.call("PATCH", `${pods}/${name}/resize`, patch("proxy"), strategic);
    expect(body.spec.initContainers[1].resources.limits.memory).toBe("150Mi");
    expect(causesOf((await api.call("PATCH", `${pods}/${name}/resize`, patch("setup"), strategic)).body)).toEqual([
      "spec: Forbidden: resources for non-sidecar init containers are immutable",
    ]);
  });

  it("may cut memory where the container restarts for it", async () => {
    const name = await create({ resources, resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] });
    expect((await resize(name, { limits: { memory: "150Mi" } })).body.spec.containers[0].resources.limits.memory).toBe("150Mi");
  });

  it("needs a node that says what its containers have", async () => {
    const name = await create({ resources });
    const running = { name: "main", image: "i", imageID: "", ready: true, restartCount: 0, state: { running: {} } };
    await api.call("PATCH", `${pods}/${name}/status`, { status: { phase: "Running", containerStatuses: [running] } }, strategic);
    expect(causesOf((await resize(name, { requests: { cpu: "120m" } })).body)).toEqual([
      "spec: Forbidden: Pod running on node without support for resize",
    ]);
  });

  it("is counted on its machine at once, and not any more when the node says that it never fits", async () => {
    const before = (await committed())?.cpu ?? 0;
    const name = await create({ resources });
    expect((await committed())?.cpu).toBe(before + 100);
    await resize(name, { requests: { cpu: "3" }, limits: { cpu: "3" } });
    expect((await committed())?.cpu).toBe(before + 3000);
    const held = { requests: { cpu: "100m", memory: "100Mi" } };
    const running = { name: "main", image: "i", imageID: "", ready: true, restartCount: 0, state: { running: {} }, resources: held };
    const conditions = [{ type: "PodResizePending", status: "True", reason: "Infeasible" }];
    await api.call(
      "PATCH",
      `${pods}/${name}/status`,
      { status: { phase: "Running", conditions, containerStatuses: [running] } },
      strategic,
    );
    expect((await committed())?.cpu).toBe(before + 100);
    await api.call("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
    expect((await committed())?.cpu).toBe(before);
  });
});
