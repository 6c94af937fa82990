import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
  await api.call("POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "default" } });
});
afterAll(() => api.close());

const base = "/api/v1/namespaces/default";
const mergePatch = { "content-type": "application/merge-patch+json" };
const pod = (name: string, spec: object = {}, metadata: object = {}) =>
  api.call("POST", `${base}/pods`, { metadata: { name, ...metadata }, spec: { containers: [{ name: "c", image: "i" }], ...spec } });

describe("storage admission", () => {
  const claim = (name: string, spec: object = {}, metadata: object = {}) =>
    api.call("POST", `${base}/persistentvolumeclaims`, {
      metadata: { name, ...metadata },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
    });

  it("gives a claim the newest default class, unless it names one, even the empty one", async () => {
    expect((await claim("none")).body.spec.storageClassName).toBeUndefined();
    const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
    for (const name of ["plain", "usual"])
      await api.call("POST", "/apis/storage.k8s.io/v1/storageclasses", {
        metadata: { name, ...(name === "usual" && { annotations }) },
        provisioner: "example.com/p",
      });
    expect((await claim("silent")).body.spec.storageClassName).toBe("usual");
    expect((await claim("empty", { storageClassName: "" })).body.spec.storageClassName).toBe("");
    expect((await claim("named", { storageClassName: "plain" })).body.spec.storageClassName).toBe("plain");
  });

  it("keeps claims and volumes from vanishing while they are in use", async () => {
    expect((await claim("held")).body.metadata.finalizers).toEqual(["kubernetes.io/pvc-protection"]);
    const volume = await api.call("POST", "/api/v1/persistentvolumes", {
      metadata: { name: "v" },
      spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/x" } },
    });
    expect(volume.body.metadata.finalizers).toEqual(["kubernetes.io/pv-protection"]);
  });

  it("lets a bound claim grow where its class allows it", async () => {
    await api.call("POST", "/apis/storage.k8s.io/v1/storageclasses", {
      metadata: { name: "growing" },
      provisioner: "example.com/p",
      allowVolumeExpansion: true,
    });
    await claim("grown", { storageClassName: "growing", volumeName: "x" });
    await api.call("PATCH", `${base}/persistentvolumeclaims/grown/status`, { status: { phase: "Bound" } }, mergePatch);
    const patch = { spec: { resources: { requests: { storage: "2Gi" } } } };
    expect((await api.call("PATCH", `${base}/persistentvolumeclaims/grown`, patch, mergePatch)).status).toBe(200);
  });
});

describe("namespace lifecycle", () => {
  it.each(["default", "kube-system", "kube-public"])("keeps %s", async (name) => {
    const { status, body } = await api.call("DELETE", `/api/v1/namespaces/${name}`);
    expect([status, body.message]).toEqual([403, `namespaces "${name}" is forbidden: this namespace may not be deleted`]);
  });

  it("lets nothing new into a namespace that goes, and says why", async () => {
    await api.call("POST", "/api/v1/namespaces", { metadata: { name: "going" } });
    await api.call("DELETE", "/api/v1/namespaces/going");
    const { status, body } = await api.call("POST", "/api/v1/namespaces/going/configmaps", { metadata: { name: "m" } });
    expect([status, body.reason]).toEqual([403, "Forbidden"]);
    expect(body.details.causes).toEqual([
      { reason: "NamespaceTerminating", message: "namespace going is being terminated", field: "metadata.namespace" },
    ]);
  });
});

describe("priorities", () => {
  it("are those of the class, or of the default one", async () => {
    const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    expect((await pod("none")).body.spec.priority).toBe(0);
    expect((await pod("absent", { priorityClassName: "absent" })).body.message).toBe(
      'pods "absent" is forbidden: no PriorityClass with name absent was found',
    );
    await api.call("POST", classes, { metadata: { name: "usual" }, value: 7, globalDefault: true, preemptionPolicy: "Never" });
    const { spec } = (await pod("defaulted")).body;
    expect([spec.priorityClassName, spec.priority, spec.preemptionPolicy]).toEqual(["usual", 7, "Never"]);
    expect((await pod("wrong", { priority: 3 })).body.message).toBe(
      'pods "wrong" is forbidden: the integer value of priority (3) must not be provided in pod spec; priority admission controller computed 7 from the given PriorityClass name',
    );
    expect((await pod("keen", { preemptionPolicy: "PreemptLowerPriority" })).body.message).toBe(
      'pods "keen" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority admission controller computed Never from the given PriorityClass name',
    );
    expect((await api.call("POST", classes, { metadata: { name: "second" }, value: 1, globalDefault: true })).body.message).toBe(
      'priorityclasses.scheduling.k8s.io "second" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
    );
    expect((await pod("critical", { priorityClassName: "system-node-critical" })).body.spec.priority).toBe(2_000_001_000);
  });
});

describe("runtime classes", () => {
  it("give their overhead and where they can run, and must exist", async () => {
    await api.call("POST", "/apis/node.k8s.io/v1/runtimeclasses", {
      metadata: { name: "vm" },
      handler: "vm",
      overhead: { podFixed: { cpu: "250m" } },
      scheduling: { nodeSelector: { vm: "yes" }, tolerations: [{ key: "vm", operator: "Exists" }] },
    });
    const { spec } = (await pod("in-vm", { runtimeClassName: "vm", nodeSelector: { disk: "ssd" } })).body;
    expect(spec.overhead).toEqual({ cpu: "250m" });
    expect(spec.nodeSelector).toEqual({ disk: "ssd", vm: "yes" });
    expect(spec.tolerations).toContainEqual({ key: "vm", operator: "Exists" });
    expect((await pod("lost", { runtimeClassName: "lost" })).body.message).toBe(
      'pods "lost" is forbidden: pod rejected: RuntimeClass "lost" not found',
    );
    expect((await pod("heavy", { overhead: { cpu: "1" } })).body.message).toBe(
      'pods "heavy" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
    expect((await pod("torn", { runtimeClassName: "vm", nodeSelector: { vm: "no" } })).body.message).toBe(
      'pods "torn" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
    );
  });
});

describe("service accounts", () => {
  it("confine which Secrets are used where they say so", async () => {
    await api.call("POST", `${base}/serviceaccounts`, {
      metadata: { name: "strict", annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } },
      secrets: [{ name: "mine" }],
      automountServiceAccountToken: false,
    });
    const using = (name: string, secretName: string) =>
      pod(name, { serviceAccountName: "strict", volumes: [{ name: "s", secret: { secretName } }] });
    expect((await using("own", "mine")).status).toBe(201);
    expect((await using("foreign", "theirs")).body.message).toBe(
      'pods "foreign" is forbidden: volume with secret.secretName="theirs" is not allowed because service account strict does not reference that secret',
    );
    const env = [{ name: "E", valueFrom: { secretKeyRef: { name: "theirs", key: "k" } } }];
    const { body } = await pod("env", { serviceAccountName: "strict", containers: [{ name: "c", image: "i", env }] });
    expect(body.message).toContain('container c with envVar E referencing secret.secretName="theirs" is not allowed because');
  });

  it("are named by the prefix of a pod whose name is still to be generated", async () => {
    const { body } = await pod("", { serviceAccountName: "nobody" }, { generateName: "web-" });
    expect(body.message).toBe(
      'pods "web-" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    );
  });
});

it("an Ingress gets the default class unless it names one", async () => {
  await api.call("POST", "/apis/networking.k8s.io/v1/ingressclasses", {
    metadata: { name: "front", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
    spec: { controller: "example.com/c" },
  });
  const ingress = (name: string, annotations?: object) =>
    api.call("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", {
      metadata: { name, ...(annotations && { annotations }) },
      spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } },
    });
  expect((await ingress("a")).body.spec.ingressClassName).toBe("front");
  expect((await ingress("b", { "kubernetes.io/ingress.class": "old" })).body.spec.ingressClassName).toBeUndefined();
});

describe("certificate signing requests", () => {
  const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  const requestFor = async (subject: string): Promise<string> => {
    await import("reflect-metadata");
    const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509");
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const made = await Pkcs10CertificateRequestGenerator.create({ name: subject, keys, signingAlgorithm: algorithm });
    return Buffer.from(made.toString("pem")).toString("base64");
  };

  it("do not ask to be a superuser", async () => {
    const make = async (name: string, subject: string) =>
      api.call("POST", requests, {
        metadata: { name },
        spec: { signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], request: await requestFor(subject) },
      });
    expect((await make("plain", "CN=jane, O=devs")).status).toBe(201);
    expect((await make("root", "CN=jane, O=system:masters")).body.message).toBe(
      'certificatesigningrequests.certificates.k8s.io "root" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    );
  });

  it("are approved and signed by those who may for the signer", async () => {
    await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      metadata: { name: "approver" },
      rules: [
        {
          apiGroups: ["certificates.k8s.io"],
          resources: ["certificatesigningrequests/approval", "certificatesigningrequests/status"],
          verbs: ["*"],
        },
        { apiGroups: ["certificates.k8s.io"], resources: ["signers"], verbs: ["approve"], resourceNames: ["kubernetes.io/*"] },
      ],
    });
    await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "approver" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "approver" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
    });
    const ann = { username: "ann", groups: ["system:authenticated"] };
    const condition = { type: "Approved", status: "True", reason: "r", message: "m" };
    const approve = () => api.call("PATCH", `${requests}/plain/approval`, { status: { conditions: [condition] } }, mergePatch, ann);
    const sign = () =>
      api.call("PATCH", `${requests}/plain/status`, { status: { conditions: [{ type: "Failed", status: "True" }] } }, mergePatch, ann);
    expect((await sign()).body.message).toContain(
      'user not permitted to sign requests with signerName "kubernetes.io/kube-apiserver-client"',
    );
    expect((await approve()).status).toBe(200);
  });
});
