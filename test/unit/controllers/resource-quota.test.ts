import { describe, expect, it } from "vitest";
import { createResourceQuotaController } from "../../../shared/controllers/resource-quota.ts";
import {
  configMaps,
  deployments,
  persistentVolumeClaims,
  pods,
  resourceQuotas,
  services,
} from "../../../shared/kubernetes/known-resources.ts";
import type { Container, PersistentVolumeClaim, Pod, ResourceQuota } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { deployment, pod, service } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const container = (cpu: string, memory: string): Container => ({ name: "c", resources: { requests: { cpu, memory }, limits: { memory } } });

async function start(spec: ResourceQuota["spec"]) {
  const cluster = createFakeCluster();
  const quota: ResourceQuota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { namespace: "default", name: "q" } };
  await cluster.client.create(resourceQuotas, { ...quota, spec } as ResourceQuota);
  const controllers = await runControllers(cluster, createResourceQuotaController());
  const status = () => cluster.get<ResourceQuota>(resourceQuotas, "default", "q")?.status;
  return { cluster, controllers, status };
}

describe("resource quota", () => {
  it("adds up what pods ask for and lets go of what has ended", async () => {
    const { cluster, controllers, status } = await start({
      hard: { pods: "10", "requests.cpu": "4", memory: "8Gi", "limits.memory": "8Gi" },
    });
    expect(status()).toEqual({
      hard: { pods: "10", "requests.cpu": "4", memory: "8Gi", "limits.memory": "8Gi" },
      used: { pods: "0", "requests.cpu": "0", memory: "0", "limits.memory": "0" },
    });
    await cluster.client.create(pods, pod("a", { spec: { containers: [container("500m", "1Gi"), container("250m", "512Mi")] } }));
    const initial = { containers: [container("100m", "1Gi")], initContainers: [container("2", "256Mi")] };
    await cluster.client.create(pods, pod("b", { spec: initial }));
    await controllers.settle();
    expect(status()?.used).toEqual({ pods: "2", "requests.cpu": "2750m", memory: "2560Mi", "limits.memory": "2560Mi" });
    cluster.edit<Pod>(pods, "default", "b", (pod) => ({ ...pod, status: { phase: "Succeeded" } }));
    await controllers.settle();
    expect(status()?.used).toEqual({ pods: "1", "requests.cpu": "750m", memory: "1536Mi", "limits.memory": "1536Mi" });
  });

  it("counts objects of any resource, and what services and claims take besides", async () => {
    const hard = {
      configmaps: "5",
      "count/deployments.apps": "5",
      "services.nodeports": "5",
      "requests.storage": "5Gi",
      "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
    };
    const { cluster, controllers, status } = await start({ hard });
    await cluster.client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name: "a" } });
    await cluster.client.create(deployments, deployment(1));
    await cluster.client.create(services, service({ type: "NodePort" }));
    const claim: PersistentVolumeClaim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { namespace: "default", name: "c" } };
    const spec = { storageClassName: "fast", resources: { requests: { storage: "2Gi" } } };
    await cluster.client.create(persistentVolumeClaims, { ...claim, spec } as PersistentVolumeClaim);
    await controllers.settle();
    expect(status()?.used).toEqual({
      configmaps: "1",
      "count/deployments.apps": "1",
      "services.nodeports": "1",
      "requests.storage": "2Gi",
      "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
    });
    await cluster.client.delete(configMaps, "default", "a");
    await controllers.settle();
    expect(status()?.used?.configmaps).toBe("0");
  });

  it("counts only the pods of its scopes", async () => {
    const matchExpressions = [{ scopeName: "PriorityClass" as const, operator: "In" as const, values: ["high"] }];
    const { cluster, controllers, status } = await start({
      hard: { pods: "3" },
      scopes: ["NotBestEffort"],
      scopeSelector: { matchExpressions },
    });
    const containers = [container("1", "1Gi")];
    await cluster.client.create(pods, pod("low", { spec: { containers, priorityClassName: "low" } }));
    await cluster.client.create(pods, pod("high", { spec: { containers, priorityClassName: "high" } }));
    await cluster.client.create(pods, pod("lazy", { spec: { containers: [{ name: "c" }], priorityClassName: "high" } }));
    await controllers.settle();
    expect(status()?.used).toEqual({ pods: "1" });
  });
});
