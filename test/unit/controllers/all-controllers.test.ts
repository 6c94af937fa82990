import { X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLocalClient } from "../../../shared/api/local-client.ts";
import type { ObjectClient } from "../../../shared/api/object-client.ts";
import { createCertificateAuthority } from "../../../shared/auth/certificate-authority.ts";
import { createClusterAuthority } from "../../../shared/auth/certificate-signing.ts";
import { concurrencyOf, createControllers } from "../../../shared/controllers/all-controllers.ts";
import { type ControllerLoop, createControllerLoop } from "../../../shared/controllers/controller-loop.ts";
import { createEventRecorder } from "../../../shared/controllers/event-recorder.ts";
import { formatTime } from "../../../shared/controllers/timestamp.ts";
import {
  certificateSigningRequests,
  configMaps,
  controllerRevisions,
  customResourceDefinitions,
  daemonSets,
  deployments,
  endpointSlices,
  endpoints,
  events,
  jobs,
  namespaces,
  nodes,
  pods,
  replicaSets,
  secrets,
  serviceAccounts,
  services,
  statefulSets,
} from "../../../shared/kubernetes/known-resources.ts";
import type { GroupResource, KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type {
  CertificateSigningRequest,
  ControllerRevision,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Job,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  StatefulSet,
} from "../../../shared/kubernetes/types.ts";
import { createHarness, type Harness } from "../api/harness.ts";
import { daemonSet, deployment, node, service, statefulSet } from "./fixtures.ts";

/** All controllers over the real API, mirror and store: what the fake cluster leaves out. */
describe("all controllers over the API", () => {
  let harness: Harness;
  let client: ObjectClient;
  let loop: ControllerLoop;
  let flush: () => Promise<void>;

  beforeEach(async () => {
    harness = await createHarness();
    const ca = await createCertificateAuthority({ commonName: "ca", notBefore: Date.now() });
    const { mirror, clock, log, random } = harness.cluster;
    client = createLocalClient(harness.served.registry);
    const recorders = new Map<string, ReturnType<typeof createEventRecorder>>();
    const recorderOf = (component: string) => {
      const recorder = createEventRecorder({ client, clock, component });
      recorders.set(component, recorder);
      return recorder;
    };
    const controllers = createControllers({
      recorderOf,
      heartbeats: { lastSeen: () => undefined },
      caPem: "CA",
      tokens: harness.served.tokens,
      certificates: {
        authorizer: harness.served.authorizer,
        authority: createClusterAuthority({ caKeyPem: () => ca.keyPem, caPem: ca.certificatePem, cluster: "c" }),
      },
      apiServerAddress: { ip: "192.0.2.1", port: 7443 },
    });
    loop = createControllerLoop({ controllers, context: { view: mirror, client, clock, log, random }, concurrency: concurrencyOf });
    flush = async () => {
      for (const recorder of recorders.values()) await recorder.flush();
    };
    loop.start();
    const ready = { status: { conditions: [{ type: "Ready", status: "True" }] } };
    await client.create(nodes, node("node-a", ready));
    await loop.idle();
  });

  afterEach(async () => {
    await loop.stop();
    await flush();
    await harness.close();
  });

  const get = <T extends KubernetesObject>(resource: GroupResource, namespace: string, name: string): T | undefined =>
    harness.cluster.mirror.get(resource, namespace, name)?.object as T | undefined;
  const all = <T extends KubernetesObject>(resource: GroupResource, namespace = "default"): T[] =>
    harness.cluster.mirror.list(resource, namespace).map(({ object }) => object as T);

  /** What the scheduler and a kubelet do, until nothing moves. */
  async function play(): Promise<void> {
    for (let round = 0; round < 30; round++) {
      await loop.idle();
      let acted = false;
      for (const pod of all<Pod>(pods)) {
        const { namespace = "", name = "", uid = "", deletionTimestamp } = pod.metadata;
        if (deletionTimestamp !== undefined) await client.delete(pods, namespace, name, { gracePeriodSeconds: 0 });
        else if ((pod.spec?.nodeName ?? "") === "") await client.bind([{ namespace, name, uid, nodeName: "node-a" }]);
        else if (pod.status?.phase !== "Running") {
          const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(harness.cluster.clock.now()) }];
          const podIP = `10.244.0.${(Number(pod.metadata.resourceVersion) % 250) + 1}`;
          const status: Pod["status"] = { ...pod.status, phase: "Running", conditions, podIP, podIPs: [{ ip: podIP }] };
          await client.update(pods, { ...pod, status } as Pod, { subresource: "status" });
        } else continue;
        acted = true;
      }
      if (!acted) return;
    }
    throw new Error("it never comes to rest");
  }

  it("roll a deployment out behind its service, over to a new version, and clean up after it", async () => {
    expect(get<Node>(nodes, "", "node-a")?.spec?.taints).toBeUndefined();
    const { clusterIP: _, clusterIPs: __, ...spec } = service().spec ?? {};
    await client.create(services, { ...service(), spec } as Service);
    await client.create(deployments, deployment(3));
    await play();
    expect(get<Deployment>(deployments, "default", "web")?.status).toMatchObject({
      readyReplicas: 3,
      availableReplicas: 3,
      updatedReplicas: 3,
    });
    expect(get<Deployment>(deployments, "default", "web")?.metadata).toMatchObject({
      generation: 1,
      annotations: { "deployment.kubernetes.io/revision": "1" },
    });
    expect(get<Endpoints>(endpoints, "default", "web")?.subsets?.[0]?.addresses).toHaveLength(3);

    const body = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
    await client.patch(deployments, "default", "web", { type: "strategic", body });
    await play();
    const sizes = all<ReplicaSet>(replicaSets).map(({ spec }) => [spec?.template?.spec?.containers[0]?.image, spec?.replicas]);
    expect(Object.fromEntries(sizes)).toEqual({ "web:1": 0, "web:2": 3 });
    expect(get<Deployment>(deployments, "default", "web")?.status?.conditions).toMatchObject([
      { type: "Available", status: "True" },
      { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
    ]);
    const live = new Set(all<Pod>(pods).map(({ metadata }) => metadata.name));
    const shown = all<EndpointSlice>(endpointSlices)
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
      .flatMap((slice) => slice.endpoints.map(({ targetRef }) => targetRef?.name));
    expect(new Set(shown)).toEqual(live);

    const before = harness.cluster.mirror.revision;
    await loop.idle();
    expect(harness.cluster.mirror.revision).toBe(before);

    await flush();
    expect(all<KubernetesObject & { reason: string }>(events).map(({ reason }) => reason)).toContain("ScalingReplicaSet");
    await client.delete(deployments, "default", "web", { propagationPolicy: "Foreground" });
    await play();
    expect(get(deployments, "default", "web")).toBeUndefined();
    expect([all(replicaSets), all(pods)]).toEqual([[], []]);
  });

  it("keep stateful and daemon sets, whose revisions hold what Go would write, and clean up after them", async () => {
    await client.create(statefulSets, statefulSet(2));
    await client.create(daemonSets, daemonSet());
    await play();
    expect(get<StatefulSet>(statefulSets, "default", "web")?.status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 });
    expect(get<DaemonSet>(daemonSets, "default", "agent")?.status).toMatchObject({ numberReady: 1, desiredNumberScheduled: 1 });
    const setImage = async (image: string) => {
      const body = { spec: { template: { spec: { containers: [{ name: "web", image }] } } } };
      await client.patch(statefulSets, "default", "web", { type: "strategic", body });
      await client.patch(daemonSets, "default", "agent", { type: "strategic", body });
      await play();
    };
    await setImage("web:2");
    expect(new Set(all<Pod>(pods).map(({ spec }) => spec?.containers[0]?.image))).toEqual(new Set(["web:2"]));
    const revisions = all<ControllerRevision>(controllerRevisions);
    expect(revisions.map(({ metadata, revision }) => `${metadata.ownerReferences?.[0]?.kind} ${revision}`).sort()).toEqual([
      "DaemonSet 1",
      "DaemonSet 2",
      "StatefulSet 1",
      "StatefulSet 2",
    ]);
    for (const { data } of revisions) {
      const [, metadata] = /"\$patch":"replace","metadata":(\{.*?\}),"spec":\{"containers":/.exec(JSON.stringify(data)) ?? [];
      expect(metadata).toBe('{"creationTimestamp":null,"labels":{"app":"web"}}');
      expect(JSON.stringify(data)).toContain('"resources":{}');
    }
    await setImage("web:1");
    expect(new Set(all<Pod>(pods).map(({ spec }) => spec?.containers[0]?.image))).toEqual(new Set(["web:1"]));
    expect(
      all<ControllerRevision>(controllerRevisions)
        .map(({ revision }) => revision)
        .sort(),
    ).toEqual([2, 2, 3, 3]);
    const before = harness.cluster.mirror.revision;
    await loop.idle();
    expect(harness.cluster.mirror.revision).toBe(before);

    await client.delete(statefulSets, "default", "web", { propagationPolicy: "Foreground" });
    await client.delete(daemonSets, "default", "agent");
    await play();
    expect(all(pods)).toEqual([]);
    expect(all(controllerRevisions)).toEqual([]);
    expect(all(statefulSets)).toEqual([]);
  });

  it("run an indexed job whose first pod fails, by statuses that the API accepts, and delete it with its pods", async () => {
    const template = { spec: { restartPolicy: "Never" as const, containers: [{ name: "c", image: "i" }] } };
    const spec: Job["spec"] = { completionMode: "Indexed", completions: 2, parallelism: 2, backoffLimitPerIndex: 0, template };
    await client.create(jobs, { apiVersion: "batch/v1", kind: "Job", metadata: { namespace: "default", name: "work" }, spec } as Job);
    await loop.idle();
    const made = all<Pod>(pods);
    expect(made.map(({ spec }) => spec?.hostname).sort()).toEqual(["work-0", "work-1"]);
    for (const pod of made) {
      const { namespace = "", name = "", uid = "" } = pod.metadata;
      await client.bind([{ namespace, name, uid, nodeName: "node-a" }]);
      const phase = pod.spec?.hostname === "work-0" ? "Failed" : "Succeeded";
      await client.update(pods, { ...get<Pod>(pods, namespace, name), status: { phase } } as Pod, { subresource: "status" });
      await loop.idle();
    }
    expect(get<Job>(jobs, "default", "work")?.status).toMatchObject({ succeeded: 1, failed: 1, completedIndexes: "1", failedIndexes: "0" });
    expect(get<Job>(jobs, "default", "work")?.status?.conditions).toMatchObject([
      { type: "FailureTarget", reason: "FailedIndexes" },
      { type: "Failed", reason: "FailedIndexes" },
    ]);
    expect(all<Pod>(pods).map(({ metadata }) => metadata.finalizers)).toEqual([undefined, undefined]);
    await client.delete(jobs, "default", "work", { propagationPolicy: "Foreground" });
    await loop.idle();
    expect([all(jobs), all(pods)]).toEqual([[], []]);
  });

  it("furnish a namespace and empty it again", async () => {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    await loop.idle();
    expect(get(serviceAccounts, "team", "default")).toBeDefined();
    expect(get(configMaps, "team", "kube-root-ca.crt")).toMatchObject({ data: { "ca.crt": "CA" } });
    await client.delete(namespaces, "", "team");
    await loop.idle();
    expect(get(namespaces, "", "team")).toBeUndefined();
    expect([all(serviceAccounts, "team"), all(configMaps, "team")]).toEqual([[], []]);
  });

  it("let a definition of custom resources go, whatever a client has made of its stored versions", async () => {
    const definition = await client.create(customResourceDefinitions, {
      ...{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "boats.example.com" } },
      spec: {
        ...{ group: "example.com", scope: "Namespaced", names: { plural: "boats", kind: "Boat" } },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    } as CustomResourceDefinition);
    await loop.idle();
    const body = { status: { storedVersions: ["v0", "v1"] } };
    await client.patch(customResourceDefinitions, "", definition.key.name, { type: "merge", body }, { subresource: "status" });
    await client.delete(customResourceDefinitions, "", definition.key.name);
    await loop.idle();
    expect(get(customResourceDefinitions, "", definition.key.name)).toBeUndefined();
  });

  it("keep a token in a Secret, which is good as long as the Secret holds it", async () => {
    const annotations = { "kubernetes.io/service-account.name": "default" };
    await client.create(secrets, {
      ...{ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token" },
      metadata: { namespace: "default", name: "kept", annotations },
    } as Secret);
    await loop.idle();
    const token = Buffer.from(get<Secret>(secrets, "default", "kept")?.data?.token ?? "", "base64").toString();
    const { tokens } = harness.served;
    const verified = await tokens.verify(token);
    expect(verified && tokens.accept(verified)).toEqual({
      username: "system:serviceaccount:default:default",
      uid: get(serviceAccounts, "default", "default")?.metadata.uid,
      groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    });
    await client.patch(secrets, "default", "kept", { type: "merge", body: { data: { token: null } } });
    await loop.idle();
    expect(verified && tokens.accept(verified)).toBeUndefined();
    const second = await tokens.verify(Buffer.from(get<Secret>(secrets, "default", "kept")?.data?.token ?? "", "base64").toString());
    expect(second && tokens.accept(second)).toBeDefined();
    await client.delete(secrets, "default", "kept");
    expect(second && tokens.accept(second)).toBeUndefined();
  });

  it("approve and sign what a kubelet asks for", async () => {
    await import("reflect-metadata");
    const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509");
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const name = "CN=system:node:n1, O=system:nodes";
    const made = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm });
    await client.create(certificateSigningRequests, {
      ...{ apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name: "n1" } },
      spec: {
        request: Buffer.from(made.toString("pem")).toString("base64"),
        signerName: "kubernetes.io/kube-apiserver-client-kubelet",
        usages: ["digital signature", "client auth"],
      },
    } as CertificateSigningRequest);
    await loop.idle();
    const status = get<CertificateSigningRequest>(certificateSigningRequests, "", "n1")?.status;
    expect(status?.conditions).toMatchObject([{ type: "Approved", reason: "AutoApproved", lastUpdateTime: expect.any(String) }]);
    expect(new X509Certificate(Buffer.from(status?.certificate ?? "", "base64")).subject).toBe("CN=system:node:n1\nO=system:nodes");
  });

  it("lead the service kubernetes to the API server", async () => {
    expect(get<Endpoints>(endpoints, "default", "kubernetes")?.subsets?.[0]?.addresses).toEqual([{ ip: "192.0.2.1" }]);
    const [slice] = all<EndpointSlice>(endpointSlices).filter(({ metadata }) => metadata.name === "kubernetes");
    expect(slice?.endpoints).toMatchObject([{ addresses: ["192.0.2.1"] }]);
  });
});
