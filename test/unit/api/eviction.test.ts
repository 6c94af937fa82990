import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
  await api.call("POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "default" } });
});
afterAll(() => api.close());

const mergePatch = { "content-type": "application/merge-patch+json" };
const base = "/api/v1/namespaces/default";
let count = 0;

/** A running pod on a node, so that it goes with grace. */
async function runningPod(app: string, ready = true): Promise<string> {
  const name = `p${count++}`;
  await api.call("POST", `${base}/pods`, {
    metadata: { name, labels: { app } },
    spec: { containers: [{ name: "c", image: "i" }], nodeName: "n" },
  });
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  await api.call("PATCH", `${base}/pods/${name}/status`, { status: { phase: "Running", conditions } }, mergePatch);
  return name;
}

/** A budget whose controller has said how things are. */
async function budget(app: string, status: object, spec: object = {}): Promise<string> {
  const path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  await api.call("POST", path, { metadata: { name: app }, spec: { selector: { matchLabels: { app } }, minAvailable: 1, ...spec } });
  const whole = { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, ...status };
  expect((await api.call("PATCH", `${path}/${app}/status`, { status: whole }, mergePatch)).status).toBe(200);
  return `${path}/${app}`;
}
const evict = (name: string, deleteOptions?: object, query = "") =>
  api.call("POST", `${base}/pods/${name}/eviction${query}`, {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name },
    ...(deleteOptions && { deleteOptions }),
  });

describe("eviction", () => {
  it("spends a disruption and says in the pod why it goes", async () => {
    const path = await budget("spends", { disruptionsAllowed: 1, currentHealthy: 2 });
    const name = await runningPod("spends");
    const { status, body } = await evict(name);
    expect([status, body.status]).toEqual([201, "Success"]);
    const pod = (await api.call("GET", `${base}/pods/${name}`)).body;
    expect(pod.metadata.deletionTimestamp).toBeDefined();
    expect(pod.status.conditions).toContainEqual(
      expect.objectContaining({
        type: "DisruptionTarget",
        status: "True",
        reason: "EvictionByEvictionAPI",
        message: "Eviction API: evicting",
      }),
    );
    const spent = (await api.call("GET", path)).body.status;
    expect(spent.disruptionsAllowed).toBe(0);
    expect(Object.keys(spent.disruptedPods)).toEqual([name]);
    expect(spent.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionAllowed", status: "False", reason: "InsufficientPods" }),
    );
  });

  it("is refused while the budget allows none", async () => {
    await budget("tight", {});
    const { status, body, headers } = await evict(await runningPod("tight"));
    expect([status, body.reason, body.message]).toEqual([
      429,
      "TooManyRequests",
      "Cannot evict pod as it would violate the pod's disruption budget.",
    ]);
    expect(body.details.causes).toEqual([
      { reason: "DisruptionBudget", message: "The disruption budget tight needs 1 healthy pods and has 1 currently" },
    ]);
    expect(headers["retry-after"]).toBeUndefined();
  });

  it("waits for the budget's controller", async () => {
    await budget("fresh", { observedGeneration: 0, disruptionsAllowed: 5 });
    const { status, body, headers } = await evict(await runningPod("fresh"));
    expect([status, body.details.retryAfterSeconds, headers["retry-after"]]).toEqual([429, 10, "10"]);
    expect(body.details.causes[0].message).toBe("The disruption budget fresh is still being processed by the server.");
  });

  it("of a pod that is not ready is free while enough others are healthy, or always where the budget says so", async () => {
    await budget("enough", {});
    expect((await evict(await runningPod("enough", false))).status).toBe(201);
    await budget("ill", { currentHealthy: 0 });
    expect((await evict(await runningPod("ill", false))).status).toBe(429);
    await budget("always", { currentHealthy: 0 }, { unhealthyPodEvictionPolicy: "AlwaysAllow" });
    expect((await evict(await runningPod("always", false))).status).toBe(201);
  });

  it("that is a dry run changes nothing, whichever way it is asked for", async () => {
    const path = await budget("dry", { disruptionsAllowed: 1 });
    const name = await runningPod("dry");
    expect((await evict(name, undefined, "?dryRun=All")).status).toBe(201);
    expect((await evict(name, { dryRun: ["All"] })).status).toBe(201);
    expect((await api.call("GET", `${base}/pods/${name}`)).body.metadata.deletionTimestamp).toBeUndefined();
    expect((await api.call("GET", path)).body.status.disruptionsAllowed).toBe(1);
  });

  it("is not decided between two budgets", async () => {
    await budget("first", {}, { selector: { matchLabels: { app: "both" } } });
    await budget("second", {}, { selector: { matchLabels: { app: "both" } } });
    const { status, body } = await evict(await runningPod("both"));
    expect([status, body.message, body.reason]).toEqual([
      500,
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      undefined,
    ]);
  });

  it("keeps to the preconditions that it is given", async () => {
    const name = await runningPod("free");
    expect((await evict(name, { preconditions: { uid: "other" } })).status).toBe(409);
    expect((await evict(name, { preconditions: { resourceVersion: "1" } })).status).toBe(409);
    expect((await evict(name, { gracePeriodSeconds: 0 })).status).toBe(201);
    expect((await api.call("GET", `${base}/pods/${name}`)).status).toBe(404);
  });

  it("in a namespace that goes is refused as anything new there", async () => {
    await api.call("POST", "/api/v1/namespaces", { metadata: { name: "leaving" } });
    await api.call("DELETE", "/api/v1/namespaces/leaving");
    const { body } = await api.call("POST", "/api/v1/namespaces/leaving/pods/p/eviction", {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "p" },
    });
    expect(body.message).toBe('pods "p" is forbidden: unable to create new content in namespace leaving because it is being terminated');
  });
});
