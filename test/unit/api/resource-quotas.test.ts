import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceQuotas } from "../../../shared/kubernetes/known-resources.ts";
import type { ResourceQuota } from "../../../shared/kubernetes/types.ts";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const mergePatch = { "content-type": "application/merge-patch+json" };

/** A namespace with a quota whose status says that nothing is used: what its controller would have written. */
async function withQuota(namespace: string, hard: Record<string, string>, spec: object = {}) {
  await api.call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  const base = `/api/v1/namespaces/${namespace}`;
  await api.call("POST", `${base}/serviceaccounts`, { metadata: { name: "default" } });
  const made = await api.call("POST", `${base}/resourcequotas`, { metadata: { name: "q" }, spec: { hard, ...spec } });
  expect(made.status).toBe(201);
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]));
  await api.call("PATCH", `${base}/resourcequotas/q/status`, { status: { hard, used } }, mergePatch);
  const usedNow = () => (api.cluster.mirror.get(resourceQuotas, namespace, "q")?.object as ResourceQuota | undefined)?.status?.used;
  const pod = (name: string, requests: object | undefined, more: object = {}) =>
    api.call("POST", `${base}/pods`, {
      metadata: { name },
      spec: { containers: [{ name: "c", image: "i", ...(requests && { resources: { requests } }) }], ...more },
    });
  return { base, pod, usedNow };
}

describe("resource quotas", () => {
  it("count a pod in the transaction that makes it, and refuse one that is too much in Kubernetes' words", async () => {
    const { pod, usedNow } = await withQuota("counted", { pods: "2", "requests.cpu": "1" });
    expect((await pod("a", { cpu: "600m" })).status).toBe(201);
    expect(usedNow()).toEqual({ pods: "1", "requests.cpu": "600m" });
    const { status, body } = await pod("b", { cpu: "500m" });
    expect([status, body.reason, body.message]).toEqual([
      403,
      "Forbidden",
      'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
    ]);
    expect(usedNow()).toEqual({ pods: "1", "requests.cpu": "600m" });
    expect((await pod("c", { cpu: "400m" })).status).toBe(201);
    expect(usedNow()).toEqual({ pods: "2", "requests.cpu": "1" });
  });

  it("are never exceeded by a hundred creates at once, which all get their answer", async () => {
    const { pod, usedNow, base } = await withQuota("rush", { pods: "37", "requests.cpu": "100" });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => pod(`p${index}`, { cpu: "10m" })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(37);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(63);
    expect((await api.call("GET", `${base}/pods`)).body.items).toHaveLength(37);
    expect(usedNow()).toEqual({ pods: "37", "requests.cpu": "370m" });
  });

  it("charge nothing for a dry run, a refused object or a name that is taken", async () => {
    const { pod, usedNow, base } = await withQuota("spared", { configmaps: "1", pods: "5" });
    const configMap = { metadata: { name: "m" } };
    expect((await api.call("POST", `${base}/configmaps?dryRun=All`, configMap)).status).toBe(201);
    expect((await pod("Bad Name", undefined)).status).toBe(422);
    expect(usedNow()).toEqual({ configmaps: "0", pods: "0" });
    await api.call("POST", `${base}/configmaps`, configMap);
    expect((await api.call("POST", `${base}/configmaps?dryRun=All`, { metadata: { name: "other" } })).body.message).toBe(
      'configmaps "other" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1',
    );
    expect(usedNow()?.configmaps).toBe("1");
  });

  it("want every container to say what is counted of cpu and memory", async () => {
    const { pod } = await withQuota("explicit", { "requests.cpu": "1", "limits.memory": "1Gi", "requests.ephemeral-storage": "1Gi" });
    expect((await pod("a", undefined)).body.message).toBe(
      'pods "a" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c',
    );
  });

  it("refuse while their usage is not known", async () => {
    const { base, pod } = await withQuota("unknown", { pods: "1" });
    await api.call("PATCH", `${base}/resourcequotas/q/status`, { status: { used: null } }, mergePatch);
    expect((await pod("a", undefined)).body.message).toBe('pods "a" is forbidden: status unknown for quota: q, resources: pods');
  });

  it("with scopes count the pods in them alone", async () => {
    const { pod, usedNow } = await withQuota("scoped", { pods: "1" }, { scopes: ["BestEffort"] });
    expect((await pod("burstable", { cpu: "1" })).status).toBe(201);
    expect((await pod("best-effort", undefined)).status).toBe(201);
    expect((await pod("second", undefined)).status).toBe(403);
    expect(usedNow()).toEqual({ pods: "1" });
  });

  it("charge what a service takes more when it changes its type", async () => {
    const { base, usedNow } = await withQuota("typed", { services: "2", "services.nodeports": "1", "services.loadbalancers": "0" });
    const service = { metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } };
    expect((await api.call("POST", `${base}/services`, service)).status).toBe(201);
    const change = (type: string) => api.call("PATCH", `${base}/services/s`, { spec: { type } }, mergePatch);
    expect((await change("LoadBalancer")).body.message).toBe(
      'services "s" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0',
    );
    expect((await change("NodePort")).status).toBe(200);
    expect(usedNow()).toEqual({ services: "1", "services.nodeports": "1", "services.loadbalancers": "0" });
  });

  it("count claims by their storage class, and any kind by its count", async () => {
    const hard = { "gold.storageclass.storage.k8s.io/requests.storage": "5Gi", "count/deployments.apps": "0" };
    const { base, usedNow } = await withQuota("classes", hard);
    const claim = (name: string, storage: string) =>
      api.call("POST", `${base}/persistentvolumeclaims`, {
        metadata: { name },
        spec: { storageClassName: "gold", accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
      });
    expect((await claim("a", "3Gi")).status).toBe(201);
    expect((await claim("b", "3Gi")).status).toBe(403);
    expect(usedNow()?.["gold.storageclass.storage.k8s.io/requests.storage"]).toBe("3Gi");
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const deployment = { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } };
    expect((await api.call("POST", `/apis/apps/v1/namespaces/classes/deployments`, deployment)).body.message).toBe(
      'deployments.apps "d" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0',
    );
  });
});
