import { describe, expect, it } from "vitest";
import { bootstrapObjects } from "../../../../shared/kubernetes/bootstrap.ts";
import { cloneJson } from "../../../../shared/kubernetes/clone.ts";
import { builtinResources } from "../../../../shared/kubernetes/resources.ts";
import { type KindSchema, kindSchema } from "../../../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../../../shared/kubernetes/schema/schema-node.ts";

function schema(group: string, version: string, kind: string): KindSchema {
  const found = kindSchema(group, version, kind);
  if (found === undefined) throw new Error(`no schema of ${group}/${version} ${kind}`);
  return found;
}

const pods = schema("", "v1", "Pod");

function pruned(kind: KindSchema, object: JsonObject): JsonObject {
  kind.prune(object);
  return object;
}

function completed(kind: KindSchema, object: JsonObject): JsonObject {
  kind.prune(object);
  kind.applyDefaults(object);
  return object;
}

const meta = { name: "a", namespace: "n" };
const container = { name: "c", image: "i" };

describe("a kind's schema", () => {
  it("exists for every resource that discovery names", () => {
    const missing = builtinResources().filter(({ group, version, kind }) => kindSchema(group, version, kind) === undefined);
    expect(missing.map(({ kind }) => kind)).toEqual([]);
    expect(builtinResources().length).toBeGreaterThan(60);
  });

  it("is the same object at every call, and absent for what Kubernetes does not know", () => {
    expect(kindSchema("", "v1", "Pod")).toBe(pods);
    expect(kindSchema("example.com", "v1", "Pod")).toBeUndefined();
  });

  it("finds nothing to change or to refuse in the objects that a new cluster starts with", () => {
    const objects = bootstrapObjects({ serviceCidr: "10.96.0.0/12", apiServerAddress: "10.96.0.1" });
    expect(objects.length).toBeGreaterThan(80);
    for (const { object } of objects) {
      const [first = "", second] = (object.apiVersion ?? "").split("/");
      const kind = second === undefined ? schema("", first, object.kind ?? "") : schema(first, second, object.kind ?? "");
      const copy = cloneJson(object) as unknown as JsonObject;
      expect(kind.checkTypes(copy), object.metadata.name).toBeUndefined();
      expect(kind.unknownFields(copy), object.metadata.name).toEqual([]);
      const before = cloneJson(copy);
      kind.prune(copy);
      kind.applyDefaults(copy);
      const published = (one: JsonObject) => ({ ...one, metadata: withoutNulls(one.metadata), status: undefined });
      expect(published(copy)).toEqual(published(before));
      expect(kind.validateCreate(copy), `${object.kind} ${object.metadata.name}`).toEqual([]);
    }
  });
});

function withoutNulls(metadata: unknown): JsonObject {
  return Object.fromEntries(Object.entries(metadata as JsonObject).filter(([, value]) => value !== null));
}

describe("checkTypes", () => {
  const cases: [string, JsonObject, string][] = [
    [
      "a number for a string",
      { metadata: { name: 1 } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
    ],
    [
      "a value of a map",
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ],
    [
      "a map that is a list",
      { metadata: { labels: [] } },
      "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    ],
    ["a struct that is a string", { spec: "x" }, "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"],
    [
      "a list of structs",
      { spec: { containers: {} } },
      "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ],
    [
      "a fraction",
      { spec: { priority: 1.5 } },
      "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    ],
    [
      "a number too large",
      { spec: { priority: 3e9 } },
      "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
    ],
    [
      "a field deep inside",
      { spec: { containers: [{ env: [{ name: "A", value: true }] }] } },
      "json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string",
    ],
    [
      "a type with a name",
      { spec: { restartPolicy: 1 } },
      "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
    ],
    [
      "a time",
      { metadata: { creationTimestamp: "yesterday" } },
      'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ],
  ];
  it.each(cases)("names %s as Go's decoder does", (_, object, message) => {
    expect(pods.checkTypes(object)).toBe(message);
  });

  it("puts a value refused by its own decoder before an earlier mismatch", () => {
    const object = { metadata: { name: 1 }, spec: { containers: [{ resources: { limits: { cpu: "x" } } }] } };
    expect(pods.checkTypes(object)).toMatch(/^quantities must match the regular expression/);
  });

  it("takes null for anything, numbers for quantities and both for ports", () => {
    const port = (value: unknown) => ({ httpGet: { port: value } });
    const object = {
      metadata: { name: null, labels: null },
      spec: { containers: [{ resources: { limits: { cpu: 1 } }, livenessProbe: port("http"), readinessProbe: port(80) }] },
    };
    expect(pods.checkTypes(object)).toBeUndefined();
    expect(schema("", "v1", "Secret").checkTypes({ data: { a: "????" } })).toBe("illegal base64 data at input byte 0");
  });
});

describe("unknownFields", () => {
  it("names them in document order, with indexes, each once", () => {
    const object = {
      specs: {},
      spec: { containers: [{ imagee: "x", env: [{ valu: 1 }] }], foo: 1 },
      metadata: { labels: { any: "x" }, nam: "y" },
    };
    expect(pods.unknownFields(object)).toEqual([
      'unknown field "specs"',
      'unknown field "spec.containers[0].imagee"',
      'unknown field "spec.containers[0].env[0].valu"',
      'unknown field "spec.foo"',
      'unknown field "metadata.nam"',
    ]);
  });

  it("leaves free-form values alone", () => {
    const revision = schema("apps", "v1", "ControllerRevision");
    expect(revision.unknownFields({ data: { anything: { at: ["all"] } }, revision: 1 })).toEqual([]);
  });
});

describe("prune", () => {
  it("prints a pod the way Go encodes it", () => {
    const pod = pruned(pods, {
      metadata: { name: "p", labels: {}, annotations: null, generation: 0 },
      spec: {
        containers: [{ name: "c", image: "", ports: [], stdin: false, command: ["", null], env: [{ name: "A", value: "" }] }],
        hostNetwork: false,
        foo: 1,
      },
    });
    expect(pod).toEqual({
      metadata: { name: "p", creationTimestamp: null },
      spec: { containers: [{ name: "c", resources: {}, command: ["", ""], env: [{ name: "A" }] }] },
      status: {},
    });
  });

  it("keeps zero values behind pointers and drops them where Go omits them", () => {
    const deployments = schema("apps", "v1", "Deployment");
    const { spec } = pruned(deployments, {
      metadata: {},
      spec: { replicas: 0, minReadySeconds: 0, paused: false, revisionHistoryLimit: 0 },
    });
    expect(spec).toMatchObject({ replicas: 0, revisionHistoryLimit: 0, strategy: {} });
    expect(spec).not.toHaveProperty("minReadySeconds");
    expect(spec).not.toHaveProperty("paused");
  });

  it("prints required lists as null when they are empty", () => {
    expect(pruned(schema("rbac.authorization.k8s.io", "v1", "Role"), { metadata: {} })).toMatchObject({ rules: null });
    expect(pruned(schema("rbac.authorization.k8s.io", "v1", "Role"), { metadata: {}, rules: [] })).toMatchObject({ rules: null });
  });

  it("writes quantities and times in their canonical form", () => {
    const object = pruned(pods, {
      metadata: { creationTimestamp: "2026-01-02T03:04:05.678+02:00" },
      spec: { containers: [{ name: "c", resources: { limits: { cpu: "1000m", memory: "1024Mi", pods: 3 }, requests: { cpu: "0.5" } } }] },
    });
    expect(object.metadata).toEqual({ creationTimestamp: "2026-01-02T01:04:05Z" });
    expect(object.spec).toEqual({
      containers: [{ name: "c", resources: { limits: { cpu: "1", memory: "1Gi", pods: "3" }, requests: { cpu: "500m" } } }],
    });
    const lease = pruned(schema("coordination.k8s.io", "v1", "Lease"), { metadata: {}, spec: { renewTime: "2026-01-02T03:04:05Z" } });
    expect(lease.spec).toEqual({ renewTime: "2026-01-02T03:04:05.000000Z" });
  });

  it("keeps the free-form parts of a CustomResourceDefinition's schema", () => {
    const definitions = schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    const openAPIV3Schema = {
      type: "object",
      properties: { a: { type: "array", items: { type: "string" }, default: null, minItems: 0, "x-kubernetes-list-type": "set" } },
    };
    const object = pruned(definitions, {
      metadata: {},
      spec: { versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }] },
    });
    expect((object.spec as { versions: { schema: unknown }[] }).versions[0]?.schema).toMatchObject({
      openAPIV3Schema: { properties: { a: { items: { type: "string" }, minItems: 0, "x-kubernetes-list-type": "set" } } },
    });
  });
});

describe("applyDefaults", () => {
  it("gives a pod's containers the requests that their limits imply, but not a template's", () => {
    const resources = () => ({ limits: { cpu: "1" } });
    const pod = completed(pods, { metadata: meta, spec: { containers: [{ ...container, resources: resources() }] } });
    expect(pod.spec).toMatchObject({ enableServiceLinks: true, containers: [{ resources: { requests: { cpu: "1" } } }] });
    const spec = { replicas: 1, template: { spec: { containers: [{ ...container, resources: resources() }] } } };
    const set = completed(schema("apps", "v1", "ReplicaSet"), { metadata: meta, spec });
    expect(set.spec).toMatchObject({ template: { spec: { containers: [{ resources: { limits: { cpu: "1" } } }] } } });
    expect(JSON.stringify(set)).not.toContain("requests");
    expect(JSON.stringify(set)).not.toContain("enableServiceLinks");
  });

  it.each([
    ["web", "Always"],
    ["web:latest", "Always"],
    ["registry:5000/team/web", "Always"],
    ["web:1.2", "IfNotPresent"],
    [`web@sha256:${"a".repeat(64)}`, "IfNotPresent"],
    [`web:latest@sha256:${"a".repeat(64)}`, "Always"],
    ["Not An Image", "IfNotPresent"],
  ])("pulls %s %s", (image, policy) => {
    const pod = completed(pods, { metadata: meta, spec: { containers: [{ name: "c", image }] } });
    expect(pod.spec).toMatchObject({ containers: [{ imagePullPolicy: policy }] });
  });

  it("rounds amounts of resources up to thousandths", () => {
    const pod = completed(pods, {
      metadata: meta,
      spec: { containers: [{ ...container, resources: { limits: { cpu: "100u", memory: "1.0001" } } }] },
    });
    expect(pod.spec).toMatchObject({ containers: [{ resources: { limits: { cpu: "1m", memory: "1001m" } } }] });
  });

  it("folds a Secret's text into its data", () => {
    const secret = completed(schema("", "v1", "Secret"), { metadata: meta, data: { a: "eA==", b: "eQ==" }, stringData: { a: "é" } });
    expect(secret).toEqual({ metadata: { ...meta, creationTimestamp: null }, data: { a: "w6k=", b: "eQ==" }, type: "Opaque" });
  });

  it("fills volumes, ports, probes and claims inside a StatefulSet", () => {
    const sets = schema("apps", "v1", "StatefulSet");
    const spec = {
      template: {
        spec: {
          containers: [{ ...container, ports: [{ containerPort: 1 }], startupProbe: { grpc: { port: 1 } } }],
          volumes: [{ name: "v" }, { name: "s", secret: {} }],
        },
      },
      volumeClaimTemplates: [{ metadata: { name: "d" }, spec: {} }],
    };
    expect(completed(sets, { metadata: meta, spec }).spec).toMatchObject({
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      template: {
        spec: {
          containers: [{ ports: [{ protocol: "TCP" }], startupProbe: { failureThreshold: 3, grpc: { port: 1, service: "" } } }],
          volumes: [
            { name: "v", emptyDir: {} },
            { name: "s", secret: { defaultMode: 420 } },
          ],
        },
      },
      volumeClaimTemplates: [{ spec: { volumeMode: "Filesystem" }, status: { phase: "Pending" } }],
    });
  });

  it("labels a namespace with its name", () => {
    const namespaces = schema("", "v1", "Namespace");
    const created = completed(namespaces, { metadata: { name: "n" } });
    expect(created).toMatchObject({
      metadata: { labels: { "kubernetes.io/metadata.name": "n" } },
      status: { phase: "Active" },
    });
  });
});

describe("views of the schema", () => {
  it("leads strategic merge patches to merge keys and strategies", () => {
    const spec = pods.patch.property("spec");
    expect(spec?.property("containers")).toMatchObject({ strategies: ["merge"], mergeKey: "name" });
    expect(spec?.property("containers")?.items?.property("ports")).toMatchObject({ strategies: ["merge"], mergeKey: "containerPort" });
    expect(spec?.property("volumes")).toMatchObject({ strategies: ["merge", "retainKeys"], mergeKey: "name" });
    expect(pods.patch.property("metadata")?.property("finalizers")?.strategies).toEqual(["merge"]);
    expect(pods.patch.property("nothing")).toBeUndefined();
  });

  it("tells ownership of fields how lists and maps are owned", () => {
    const spec = pods.fields.property("spec");
    const ports = spec?.property("containers")?.items?.property("ports");
    expect(ports).toMatchObject({ type: "list", keys: ["containerPort", "protocol"] });
    expect(ports?.items?.property("protocol")?.default).toBe("TCP");
    expect(spec?.property("nodeSelector")?.type).toBe("atomic");
    expect(spec?.property("tolerations")?.type).toBe("atomic");
    expect(pods.fields.property("metadata")?.property("finalizers")?.type).toBe("set");
    expect(pods.fields.property("metadata")?.property("labels")?.type).toBe("map");
    const definition = schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition").fields;
    const props = definition.property("spec")?.property("versions")?.items?.property("schema")?.property("openAPIV3Schema");
    expect(props?.property("properties")?.property("x")).toBe(props);
  });
});
