import { describe, expect, it } from "vitest";
import { cloneJson } from "../../../../../shared/kubernetes/clone.ts";
import { findKind } from "../../../../../shared/kubernetes/resources.ts";
import { type KindSchema, kindSchema } from "../../../../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../../../../shared/kubernetes/schema/schema-node.ts";

function schemaOf(apiVersion: string, kind: string): KindSchema {
  const [first = "", second] = apiVersion.split("/");
  const schema = second === undefined ? kindSchema("", first, kind) : kindSchema(first, second, kind);
  if (schema === undefined) throw new Error(`no schema of ${apiVersion} ${kind}`);
  return schema;
}

function stored(apiVersion: string, kind: string, body: JsonObject): JsonObject {
  const schema = schemaOf(apiVersion, kind);
  const namespaced = findKind(apiVersion, kind)?.namespaced === true;
  const metadata = { name: "a", resourceVersion: "1", ...(namespaced && { namespace: "n" }), ...(body.metadata as JsonObject | undefined) };
  const object: JsonObject = { apiVersion, kind, ...cloneJson(body), metadata };
  expect(schema.checkTypes(object)).toBeUndefined();
  expect(schema.unknownFields(object)).toEqual([]);
  schema.prune(object);
  schema.applyDefaults(object);
  return object;
}

/** The problems of a new object, as `field: message`. */
function problems(apiVersion: string, kind: string, body: JsonObject): string[] {
  return schemaOf(apiVersion, kind)
    .validateCreate(stored(apiVersion, kind, body))
    .map(({ field, message }) => `${field}: ${message}`);
}

function changeProblems(apiVersion: string, kind: string, live: JsonObject, next: JsonObject, subresource?: "status"): string[] {
  const causes = schemaOf(apiVersion, kind).validateUpdate(stored(apiVersion, kind, next), stored(apiVersion, kind, live), subresource);
  return causes.map(({ field, message }) => `${field}: ${message}`);
}

const container = { name: "c", image: "i" };
const labels = { app: "a" };
const pod = (spec: JsonObject) => ({ spec: { containers: [container], ...spec } });
const template = (spec: JsonObject = {}) => ({ metadata: { labels }, spec: { containers: [container], ...spec } });
const selector = { matchLabels: labels };
const positive = "must be greater than zero";
/** As Go prints the structure of the quantity 2. */
const two =
  'resource.Quantity{i:resource.int64Amount{value:2, scale:0}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:"2", Format:"DecimalSI"}';

describe("metadata", () => {
  it.each<[string, JsonObject, string[]]>([
    [
      "a generateName that cannot start a name",
      { name: "a", generateName: "AB-" },
      ['metadata.generateName: Invalid value: "AB-": a lowercase RFC 1123 subdomain must consist of'],
    ],
    [
      "annotations without a name",
      { annotations: { "x/": "1" } },
      [
        'metadata.annotations: Invalid value: "x/": name part must be non-empty',
        'metadata.annotations: Invalid value: "x/": name part must consist of alphanumeric characters',
      ],
    ],
    [
      "annotations over 256 KiB",
      { annotations: { a: "x".repeat(262_144) } },
      ["metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "two controllers",
      { ownerReferences: ["a", "b"].map((name) => ({ apiVersion: "v1", kind: "X", name, uid: name, controller: true })) },
      ["metadata.ownerReferences: Invalid value: []v1.OwnerReference{"],
    ],
    [
      "an owner without a uid",
      { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "a", uid: "" }] },
      ['metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'],
    ],
    [
      "both deletion policies",
      { finalizers: ["orphan", "foregroundDeletion"] },
      [
        'metadata.finalizers: Invalid value: []string{"orphan", "foregroundDeletion"}: finalizer orphan and foregroundDeletion cannot be both set',
      ],
    ],
    ["keeps annotations of any case", { annotations: { "Example.COM/Any-Name": "1" } }, []],
  ])("refuses %s", (_, metadata, expected) => {
    const found = problems("v1", "ConfigMap", { metadata });
    expect(found.length).toBe(expected.length);
    for (const [index, start] of expected.entries()) expect(found[index]?.slice(0, start.length)).toBe(start);
  });

  it("keeps what identifies an object", () => {
    expect(changeProblems("v1", "ConfigMap", { metadata: { uid: "1" } }, { metadata: { uid: "2" } })).toEqual(
      new Array(2).fill('metadata.uid: Invalid value: "2": field is immutable'),
    );
  });
});

describe("pods", () => {
  const cases: [string, JsonObject, string[]][] = [
    [
      "a port named twice",
      pod({
        containers: [
          {
            ...container,
            ports: [
              { containerPort: 1, name: "x" },
              { containerPort: 2, name: "x" },
            ],
          },
        ],
      }),
      ['spec.containers[0].ports[1].name: Duplicate value: "x"'],
    ],
    [
      "a host port taken twice",
      pod({
        containers: [
          {
            ...container,
            ports: [
              { containerPort: 1, hostPort: 9 },
              { containerPort: 2, hostPort: 9 },
            ],
          },
        ],
      }),
      ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//9"'],
    ],
    [
      "a variable with a value and a source",
      pod({ containers: [{ ...container, env: [{ name: "A", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      "a field that pods do not have",
      pod({ containers: [{ ...container, env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.foo" } } }] }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo',
      ],
    ],
    [
      "a probe without a handler",
      pod({ containers: [{ ...container, livenessProbe: {} }] }),
      ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    ],
    [
      "a liveness probe that needs two successes",
      pod({ containers: [{ ...container, livenessProbe: { exec: { command: ["x"] }, successThreshold: 2 } }] }),
      ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ],
    [
      "a mount path twice",
      pod({
        volumes: [{ name: "v" }],
        containers: [
          {
            ...container,
            volumeMounts: [
              { name: "v", mountPath: "/a" },
              { name: "v", mountPath: "/a" },
            ],
          },
        ],
      }),
      ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique'],
    ],
    [
      "two volume sources",
      pod({ volumes: [{ name: "v", emptyDir: {}, configMap: { name: "x" } }] }),
      ["spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type"],
    ],
    [
      "a path out of the volume",
      pod({ volumes: [{ name: "v", configMap: { name: "x", items: [{ key: "k", path: "../x" }] } }] }),
      ["spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'"],
    ],
    [
      "lifecycle of a plain init container",
      pod({ initContainers: [{ name: "i", image: "i", lifecycle: { preStop: { sleep: { seconds: 1 } } } }] }),
      ["spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always"],
    ],
    [
      "a container's restart policy",
      pod({ containers: [{ ...container, restartPolicy: "Always" }] }),
      ["spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"],
    ],
    [
      "an unqualified extended resource",
      pod({ containers: [{ ...container, resources: { requests: { gpu: 1 } } }] }),
      [
        "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a standard resource type or fully qualified",
        "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a standard resource for containers",
      ],
    ],
    [
      "unequal extended resources",
      pod({ containers: [{ ...container, resources: { limits: { "a.io/b": 2 }, requests: { "a.io/b": 1 } } }] }),
      ['spec.containers[0].resources.requests: Invalid value: "1": must be equal to a.io/b limit of 2'],
    ],
    [
      "huge pages alone",
      pod({ containers: [{ ...container, resources: { limits: { "hugepages-2Mi": "3Mi" } } }] }),
      [
        'spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
        'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
        "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
      ],
    ],
    [
      "a toleration for everything that is not Exists",
      pod({ tolerations: [{ operator: "Equal" }] }),
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      "toleration seconds without NoExecute",
      pod({ tolerations: [{ key: "a", operator: "Exists", tolerationSeconds: 1 }] }),
      ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ],
    [
      "affinity terms without a topology",
      pod({
        affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: selector, topologyKey: "" }] } },
      }),
      [
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
        'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      "a node selector without values",
      pod({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In" }] }] },
          },
        },
      }),
      [
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
    [
      "spread without a skew",
      pod({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", minDomains: 1 }] }),
      [
        `spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: ${positive}`,
        "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
      ],
    ],
    [
      "privilege that may not grow",
      pod({ containers: [{ ...container, securityContext: { privileged: true, allowPrivilegeEscalation: false } }] }),
      [
        "spec.containers[0].securityContext: Invalid value: core.SecurityContext{Capabilities:(*core.Capabilities)(nil), Privileged:(*bool)(0xc000000000), SELinuxOptions:(*core.SELinuxOptions)(nil), WindowsOptions:(*core.WindowsSecurityContextOptions)(nil), RunAsUser:(*int64)(nil), RunAsGroup:(*int64)(nil), RunAsNonRoot:(*bool)(nil), ReadOnlyRootFilesystem:(*bool)(nil), AllowPrivilegeEscalation:(*bool)(0xc000000000), ProcMount:(*core.ProcMountType)(nil), SeccompProfile:(*core.SeccompProfile)(nil), AppArmorProfile:(*core.AppArmorProfile)(nil)}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
      ],
    ],
    [
      "a negative user",
      pod({ securityContext: { runAsUser: -1 } }),
      ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ],
    [
      "DNS without servers",
      pod({ dnsPolicy: "None" }),
      ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ],
    [
      "ephemeral containers from the start",
      pod({ ephemeralContainers: [{ name: "e", image: "i" }] }),
      ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ],
  ];
  it.each(cases)("refuses %s", (_, body, expected) => {
    expect(problems("v1", "Pod", body)).toEqual(expected);
  });

  it("lets a pod's image, deadline and tolerations change, and nothing else", () => {
    const change = (spec: JsonObject, before: JsonObject = {}) => changeProblems("v1", "Pod", pod(before), pod({ ...before, ...spec }));
    expect(change({ containers: [{ ...container, image: "j" }] })).toEqual([]);
    expect(change({ activeDeadlineSeconds: 5 }, { activeDeadlineSeconds: 9 })).toEqual([]);
    expect(change({ tolerations: [{ key: "b", operator: "Exists" }] })).toEqual([]);
    expect(change({ tolerations: [] }, { tolerations: [{ key: "b", operator: "Exists" }] })).toEqual([
      "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
    ]);
    expect(change({ hostname: "h" })[0]).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/,
    );
    expect(change({ schedulingGates: [{ name: "g.io/x" }] })[0]).toBe(
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g.io/x'",
    );
  });

  it("lets a gated pod's placement become narrower only", () => {
    const gated = { schedulingGates: [{ name: "g.io/x" }], nodeSelector: { a: "1" } };
    expect(changeProblems("v1", "Pod", pod(gated), pod({ ...gated, nodeSelector: { a: "1", b: "2" } }))).toEqual([]);
    expect(changeProblems("v1", "Pod", pod(gated), pod({ ...gated, nodeSelector: { b: "2" } }))).toEqual([
      'spec.nodeSelector: Invalid value: map[string]string{"b":"2"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    ]);
  });

  it("does not let a finished container of a pod that does not restart it come back", () => {
    const status = (state: JsonObject) => ({
      ...pod({ restartPolicy: "Never" }),
      status: { containerStatuses: [{ name: "c", image: "i", imageID: "", ready: false, restartCount: 0, state }] },
    });
    const ended = status({ terminated: { exitCode: 0 } });
    expect(changeProblems("v1", "Pod", ended, status({ running: {} }), "status")).toEqual([
      "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state",
    ]);
    expect(changeProblems("v1", "Pod", status({ running: {} }), ended, "status")).toEqual([]);
  });
});

describe("workloads", () => {
  it("keep their selectors", () => {
    const spec = (value: string) => ({
      spec: { selector: { matchLabels: { app: value } }, template: { ...template(), metadata: { labels: { app: value } } } },
    });
    const text = 'v1.LabelSelector{MatchLabels:map[string]string{"app":"b"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}';
    for (const kind of ["Deployment", "ReplicaSet", "DaemonSet"]) {
      expect(changeProblems("apps/v1", kind, spec("a"), spec("b"))).toEqual([`spec.selector: Invalid value: ${text}: field is immutable`]);
    }
  });

  it("let a StatefulSet change only what it can carry out", () => {
    const spec = (more: JsonObject) => ({ spec: { serviceName: "s", selector, template: template(), ...more } });
    expect(changeProblems("apps/v1", "StatefulSet", spec({}), spec({ replicas: 3, template: template({ hostname: "h" }) }))).toEqual([]);
    expect(changeProblems("apps/v1", "StatefulSet", spec({}), spec({ serviceName: "t" }))).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });

  it.each<[string, string, JsonObject, string[]]>([
    [
      "a recreated Deployment with rolling numbers",
      "Deployment",
      { strategy: { type: "Recreate", rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      "more than everything unavailable",
      "Deployment",
      { strategy: { rollingUpdate: { maxUnavailable: "120%" } } },
      [
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"120%"}: must not be greater than 100%',
      ],
    ],
    [
      "a deadline before readiness",
      "Deployment",
      { minReadySeconds: 10, progressDeadlineSeconds: 10 },
      ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds"],
    ],
    [
      "an empty selector",
      "ReplicaSet",
      { selector: {} },
      [
        "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment",
      ],
    ],
    [
      "a deadline for pods that never end",
      "DaemonSet",
      { template: template({ activeDeadlineSeconds: 5 }) },
      ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported"],
    ],
    [
      "surge and unavailability at once",
      "DaemonSet",
      { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
      [
        'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:0, IntVal:1, StrVal:""}: may not be set when maxUnavailable is non-zero',
      ],
    ],
  ])("refuse %s", (_, kind, spec, expected) => {
    expect(problems("apps/v1", kind, { spec: { selector, template: template(), ...spec } })).toEqual(expected);
  });

  it("refuse a status that counts more than there is", () => {
    const body = { spec: { selector, template: template() }, status: { replicas: 1, readyReplicas: 2, availableReplicas: 3 } };
    expect(changeProblems("apps/v1", "ReplicaSet", { ...body, status: {} }, body, "status")).toEqual([
      "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
      "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
      "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]);
  });

  it.each([
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
    ["@sometimes", "unrecognized descriptor: @sometimes"],
  ])("refuse the schedule %s", (schedule, text) => {
    const spec = { schedule, jobTemplate: { spec: { template: template({ restartPolicy: "Never" }) } } };
    expect(problems("batch/v1", "CronJob", { spec })).toEqual([`spec.schedule: Invalid value: "${schedule}": ${text}`]);
    expect(problems("batch/v1", "CronJob", { spec: { ...spec, schedule: "@daily" } })).toEqual([]);
  });
});

describe("other kinds", () => {
  it.each<[string, string, string, JsonObject, string[]]>([
    [
      "a ConfigMap over 1 MiB",
      "v1",
      "ConfigMap",
      { data: { a: "x".repeat(1_048_577) } },
      ["[]: Too long: may not be more than 1048576 bytes"],
    ],
    [
      "a key in both maps",
      "v1",
      "ConfigMap",
      { data: { a: "x" }, binaryData: { a: "eA==" } },
      ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ],
    [
      "a TLS Secret without its key",
      "v1",
      "Secret",
      { type: "kubernetes.io/tls", data: { "tls.crt": "eA==" } },
      ["data[tls.key]: Required value"],
    ],
    ["a Service that is external and has none", "v1", "Service", { spec: { type: "ExternalName" } }, ["spec.externalName: Required value"]],
    [
      "a node port of an internal Service",
      "v1",
      "Service",
      { spec: { ports: [{ port: 80, nodePort: 30_000 }] } },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      "a Service named like a number",
      "v1",
      "Service",
      { metadata: { name: "1a" }, spec: { ports: [{ port: 80 }] } },
      [
        "metadata.name: Invalid value: \"1a\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      "loopback endpoints",
      "v1",
      "Endpoints",
      { subsets: [{ addresses: [{ ip: "127.0.0.1" }] }] },
      ['subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ],
    [
      "a slice of the wrong family",
      "discovery.k8s.io/v1",
      "EndpointSlice",
      { addressType: "IPv6", endpoints: [{ addresses: ["10.0.0.1"] }] },
      ['endpoints[0].addresses: Invalid value: "10.0.0.1": must be an IPv6 address'],
    ],
    [
      "a Node's taint without an effect",
      "v1",
      "Node",
      { spec: { taints: [{ key: "a", effect: "" }] } },
      ["metadata.taints[0].effect: Required value"],
    ],
    [
      "limits the wrong way round",
      "v1",
      "LimitRange",
      {
        spec: {
          limits: [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" }, default: { cpu: "1" }, defaultRequest: { cpu: "2" } }],
        },
      },
      [
        `spec.limits[0].min[cpu]: Invalid value: ${two}: min value 2 is greater than max value 1`,
        `spec.limits[0].defaultRequest[cpu]: Invalid value: ${two}: default request value 2 is greater than max value 1`,
        `spec.limits[0].defaultRequest[cpu]: Invalid value: ${two}: default request value 2 is greater than default limit value 1`,
        `spec.limits[0].default[cpu]: Invalid value: ${two}: min value 2 is greater than default value 1`,
      ],
    ],
    [
      "conflicting quota scopes",
      "v1",
      "ResourceQuota",
      { spec: { hard: { pods: "1" }, scopes: ["BestEffort", "NotBestEffort"] } },
      ['spec.scopes: Invalid value: []core.ResourceQuotaScope{"BestEffort", "NotBestEffort"}: conflicting scopes'],
    ],
    [
      "a rule without verbs",
      "rbac.authorization.k8s.io/v1",
      "Role",
      { rules: [{ apiGroups: [""], resources: ["pods"] }] },
      ["rules[0].verbs: Required value: verbs must contain at least one value"],
    ],
    [
      "a subject of no kind",
      "rbac.authorization.k8s.io/v1",
      "RoleBinding",
      { roleRef: { apiGroup: "", kind: "Role", name: "r" }, subjects: [{ kind: "Robot", name: "x" }] },
      ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
    ],
    [
      "an Ingress without anything",
      "networking.k8s.io/v1",
      "Ingress",
      { spec: {} },
      ["spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified"],
    ],
    [
      "an Ingress path that climbs",
      "networking.k8s.io/v1",
      "Ingress",
      {
        spec: {
          rules: [
            { http: { paths: [{ path: "/a/../b", pathType: "Prefix", backend: { service: { name: "s", port: { number: 80 } } } }] } },
          ],
        },
      },
      ["spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'"],
    ],
    [
      "an exception outside its block",
      "networking.k8s.io/v1",
      "NetworkPolicy",
      { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16", "11.0.0.0/16"] } }] }] } },
      ['spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`'],
    ],
    [
      "a claim of nothing",
      "v1",
      "PersistentVolumeClaim",
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "0" } } } },
      [`spec.resources[storage]: Invalid value: "0": ${positive}`],
    ],
    [
      "a volume of two kinds",
      "v1",
      "PersistentVolume",
      {
        spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/a" }, nfs: { server: "s", path: "/b" } },
      },
      ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
    ],
    [
      "a StorageClass that recycles",
      "storage.k8s.io/v1",
      "StorageClass",
      { provisioner: "a.io/b", reclaimPolicy: "Recycle" },
      ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    ],
    [
      "an autoscaler that shrinks to grow",
      "autoscaling/v2",
      "HorizontalPodAutoscaler",
      { spec: { scaleTargetRef: { kind: "Deployment", name: "d" }, minReplicas: 3, maxReplicas: 2 } },
      ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
    ],
    [
      "a user's priority above the system's",
      "scheduling.k8s.io/v1",
      "PriorityClass",
      { value: 1_000_000_001 },
      ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ],
    [
      "a system priority of one's own",
      "scheduling.k8s.io/v1",
      "PriorityClass",
      { metadata: { name: "system-mine" }, value: 1 },
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
      ],
    ],
    [
      "a lease for no time",
      "coordination.k8s.io/v1",
      "Lease",
      { spec: { leaseDurationSeconds: 0 } },
      ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ],
    [
      "an Event elsewhere than its object",
      "v1",
      "Event",
      { involvedObject: { namespace: "other", kind: "Pod", name: "p" } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      "a review of nothing",
      "authorization.k8s.io/v1",
      "SelfSubjectAccessReview",
      { spec: {} },
      [
        'spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified',
        'metadata: Invalid value: v1.ObjectMeta{Name:"a", Namespace:""}: must be empty',
      ],
    ],
    [
      "a definition under another name",
      "apiextensions.k8s.io/v1",
      "CustomResourceDefinition",
      {
        spec: {
          group: "example.com",
          scope: "Namespaced",
          names: { plural: "boats", kind: "Boat" },
          versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", properties: { a: {} } } } }],
        },
      },
      [
        'metadata.name: Invalid value: "a": must be spec.names.plural+"."+spec.group',
        "spec.validation.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
      ],
    ],
    [
      "a webhook without a domain",
      "admissionregistration.k8s.io/v1",
      "ValidatingWebhookConfiguration",
      { webhooks: [{ name: "hook", sideEffects: "None", admissionReviewVersions: ["v1"], clientConfig: { url: "https://a" } }] },
      ['webhooks[0].name: Invalid value: "hook": should be a domain with at least three segments separated by dots'],
    ],
  ])("refuse %s", (_, apiVersion, kind, body, expected) => {
    expect(problems(apiVersion, kind, body)).toEqual(expected);
  });

  it("freeze what is immutable", () => {
    expect(changeProblems("v1", "ConfigMap", { immutable: true, data: { a: "1" } }, { data: { a: "2" } })).toEqual([
      "immutable: Forbidden: field is immutable when `immutable` is set",
      "data: Forbidden: field is immutable when `immutable` is set",
    ]);
    expect(changeProblems("v1", "Secret", { type: "a" }, { type: "b" })).toEqual(['type: Invalid value: "b": field is immutable']);
    expect(changeProblems("scheduling.k8s.io/v1", "PriorityClass", { value: 1 }, { value: 2 })).toEqual([
      "value: Forbidden: may not be changed in an update.",
    ]);
  });

  it("let a bound claim grow but not shrink below what it has", () => {
    const claim = (storage: string) => ({
      spec: { accessModes: ["ReadWriteOnce"], volumeName: "v", resources: { requests: { storage } } },
      status: { phase: "Bound", capacity: { storage: "2Gi" } },
    });
    expect(changeProblems("v1", "PersistentVolumeClaim", claim("2Gi"), claim("3Gi"))).toEqual([]);
    expect(changeProblems("v1", "PersistentVolumeClaim", claim("3Gi"), claim("1Gi"))).toEqual([
      "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
    ]);
  });

  it("show a namespace as Terminating only while it is", () => {
    const phase = (value: string) => ({ status: { phase: value } });
    expect(changeProblems("v1", "Namespace", phase("Active"), phase("Terminating"), "status")).toEqual([
      "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty",
    ]);
  });
});
