import { describe, expect, it } from "vitest";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { builtinResources, findResource, type ResourceDefinition } from "../../../shared/kubernetes/resources.ts";
import { tableDocument, tableFor, tableRow } from "../../../shared/kubernetes/table.ts";
import { printers } from "../../../shared/kubernetes/tables/printers.ts";

const now = Date.parse("2026-01-01T00:10:00Z");
const metadata = { name: "x", namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" };

function resource(group: string, version: string, name: string): ResourceDefinition {
  const found = findResource(group, version, name);
  if (!found) throw new Error(`no ${group}/${version} ${name}`);
  return found;
}

function cells(group: string, version: string, name: string, object: object): unknown[] {
  const given = { apiVersion: group === "" ? version : `${group}/${version}`, metadata, ...object } as KubernetesObject;
  return tableFor(resource(group, version, name)).cells(given, now);
}

describe("tables", () => {
  it("have as many cells as columns for every kind, even of an empty object", () => {
    const listed = builtinResources().filter(({ verbs }) => verbs.has("list"));
    const uneven = listed.filter((definition) => {
      const { columns, cells: print } = tableFor(definition);
      const empty: KubernetesObject = { metadata: {} };
      return columns.length !== print(empty, now).length;
    });
    expect(listed.length).toBeGreaterThan(50);
    expect(uneven.map(({ resource: name }) => name)).toEqual(["ipaddresses"]);
  });

  it("have a printer for every kind that Kubernetes prints in a way of its own", () => {
    const generic = builtinResources().filter(({ verbs, collection }) => verbs.has("list") && !printers.has(collection));
    expect(generic.map(({ resource: name }) => name)).toEqual([
      "limitranges",
      "clusterroles",
      "roles",
      "csistoragecapacities",
      "customresourcedefinitions",
    ]);
    expect(cells("rbac.authorization.k8s.io", "v1", "roles", {})).toEqual(["x", "2026-01-01T00:00:00Z"]);
  });

  it("describe their columns", () => {
    const [name, type] = tableFor(resource("", "v1", "services")).columns;
    expect(name).toMatchObject({ name: "Name", type: "string", format: "name", priority: 0 });
    expect(name?.description).toMatch(/^Name must be unique within a namespace/);
    expect(type?.description).toMatch(/^type determines how the Service is exposed/);
  });

  it("show name and age of a resource without columns", () => {
    const boats = { ...resource("", "v1", "pods"), group: "example.com", resource: "boats", collection: "example.com/boats" };
    const { columns, cells: print } = tableFor(boats);
    expect(columns.map(({ name }) => name)).toEqual(["Name", "Age"]);
    expect(print({ metadata }, now)).toEqual(["x", "10m"]);
  });
});

describe("rows and documents", () => {
  const pod = { kind: "Pod", apiVersion: "v1", metadata, status: { phase: "Failed" } };
  it("carry as much of the object as was asked for", () => {
    const object = { kind: "ConfigMap", apiVersion: "v1", metadata };
    expect(tableRow(object, ["x"], "Metadata")).toEqual({
      cells: ["x"],
      object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata },
    });
    expect(tableRow(object, ["x"], "None")).toEqual({ cells: ["x"], object: null });
    expect(tableRow(object, ["x"], "Object").object).toBe(object);
  });

  it("mark pods that have ended", () => {
    expect(tableRow(pod, [], "None").conditions).toEqual([
      { type: "Completed", status: "True", reason: "Failed", message: "The pod failed." },
    ]);
    expect(tableRow({ ...pod, status: { phase: "Running" } } as typeof pod, [], "None")).not.toHaveProperty("conditions");
  });

  it("leave the columns out of later events of a watch", () => {
    expect(tableDocument(null, [], { resourceVersion: "7" })).toEqual({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: "7" },
      columnDefinitions: null,
      rows: [],
    });
  });
});

describe("workloads", () => {
  const template = {
    spec: {
      containers: [
        { name: "a", image: "one" },
        { name: "b", image: "two" },
      ],
    },
  };
  const selector = { matchLabels: { app: "x" }, matchExpressions: [{ key: "a", operator: "Exists" }] };
  it("print a Deployment", () => {
    const object = { spec: { replicas: 3, selector, template }, status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } };
    expect(cells("apps", "v1", "deployments", object)).toEqual(["x", "1/3", 2, 1, "10m", "a,b", "one,two", "a,app=x"]);
  });

  it("print a ReplicationController", () => {
    const object = { spec: { replicas: 2, selector: { b: "2", a: "1" }, template }, status: { replicas: 2 } };
    expect(cells("", "v1", "replicationcontrollers", object)).toEqual(["x", 2, 2, 0, "10m", "a,b", "one,two", "a=1,b=2"]);
  });

  it.each([
    [{ spec: { completions: 3 }, status: { succeeded: 1, startTime: "2026-01-01T00:09:00Z" } }, "Running", "1/3", "60s"],
    [{ spec: { parallelism: 4 }, status: {} }, "Running", "0/1 of 4", ""],
    [
      {
        spec: { parallelism: 1 },
        status: {
          succeeded: 1,
          startTime: "2026-01-01T00:00:00Z",
          completionTime: "2026-01-01T00:00:05Z",
          conditions: [{ type: "Complete", status: "True" }],
        },
      },
      "Complete",
      "1/1",
      "5s",
    ],
    [{ spec: {}, status: { conditions: [{ type: "Suspended", status: "True" }] } }, "Suspended", "0/1", ""],
  ])("print a Job %#", (object, status, completions, duration) => {
    expect(cells("batch", "v1", "jobs", object).slice(1, 4)).toEqual([status, completions, duration]);
  });

  it("print a CronJob", () => {
    const spec = { schedule: "* * * * *", suspend: false, jobTemplate: { spec: { template } } };
    const object = { spec, status: { lastScheduleTime: "2026-01-01T00:09:30Z" } };
    expect(cells("batch", "v1", "cronjobs", object)).toEqual([
      ...["x", "* * * * *", "<none>", "False", 0, "30s", "10m"],
      ...["a,b", "one,two", "<none>"],
    ]);
  });

  it("print autoscalers of both versions alike", () => {
    const scaleTargetRef = { kind: "Deployment", name: "web" };
    const old = { kind: "HorizontalPodAutoscaler", spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 } };
    expect(cells("autoscaling", "v1", "horizontalpodautoscalers", old)).toEqual([
      ...["x", "Deployment/web", "cpu: <unknown>/60%", "<unset>", 5, 0, "10m"],
    ]);
    const metrics = [
      { type: "Pods", pods: { metric: { name: "m" }, target: { type: "AverageValue", averageValue: "10" } } },
      { type: "External", external: { metric: { name: "q" }, target: { type: "AverageValue", averageValue: "30" } } },
      { type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "1Gi" } } },
    ];
    const status = { currentMetrics: [{ type: "Pods", pods: { metric: { name: "m" }, current: { averageValue: "4" } } }] };
    expect(cells("autoscaling", "v2", "horizontalpodautoscalers", { spec: { scaleTargetRef, maxReplicas: 5, metrics }, status })[2]).toBe(
      "4/10, <unknown>/30 (avg) + 1 more...",
    );
  });
});

describe("network", () => {
  it.each([
    [
      { type: "ClusterIP", clusterIPs: ["10.0.0.1"], ports: [{ port: 80, protocol: "TCP" }] },
      ["ClusterIP", "10.0.0.1", "<none>", "80/TCP"],
    ],
    [
      {
        type: "NodePort",
        clusterIPs: ["10.0.0.1"],
        externalIPs: ["1.1.1.1", "2.2.2.2"],
        ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }],
      },
      ["NodePort", "10.0.0.1", "1.1.1.1,2.2.2.2", "80:30080/TCP"],
    ],
    [{ type: "LoadBalancer", clusterIPs: ["10.0.0.1"] }, ["LoadBalancer", "10.0.0.1", "<pending>", "<none>"]],
    [{ type: "ExternalName", externalName: "example.com" }, ["ExternalName", "<none>", "example.com", "<none>"]],
  ])("prints a Service %#", (spec, shown) => {
    expect(cells("", "v1", "services", { spec })).toEqual(["x", ...shown, "10m", "<none>"]);
  });

  it("prints Endpoints, the first three of them", () => {
    const addresses = ["1", "2", "3", "4"].map((last) => ({ ip: `10.0.0.${last}` }));
    expect(cells("", "v1", "endpoints", { subsets: [{ addresses, ports: [{ port: 80 }] }] })[1]).toBe(
      "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...",
    );
    expect(cells("", "v1", "endpoints", { subsets: [{ addresses: [{ ip: "fd00::1" }], ports: [{ port: 80 }] }] })[1]).toBe("[fd00::1]:80");
    expect(cells("", "v1", "endpoints", {})[1]).toBe("<none>");
  });

  it("prints an EndpointSlice", () => {
    const object = { addressType: "IPv4", ports: [{ port: 80 }, { name: "any" }], endpoints: [{ addresses: ["10.0.0.1"] }] };
    expect(cells("discovery.k8s.io", "v1", "endpointslices", object)).toEqual(["x", "IPv4", "80,any", "10.0.0.1", "10m"]);
    expect(cells("discovery.k8s.io", "v1", "endpointslices", { addressType: "IPv4" }).slice(2, 4)).toEqual(["<unset>", "<unset>"]);
  });

  it("prints an Ingress and counts the rules beyond the third host", () => {
    const rules = ["a", "b", "c", "d"].map((host) => ({ host }));
    expect(cells("networking.k8s.io", "v1", "ingresses", { spec: { rules, tls: [{}] } })).toEqual([
      ...["x", "<none>", "a,b,c + 1 more...", "", "80, 443", "10m"],
    ]);
    expect(cells("networking.k8s.io", "v1", "ingresses", { spec: {} })[2]).toBe("*");
  });

  it("prints what an IPAddress belongs to", () => {
    const parentRef = { group: "", resource: "services", namespace: "default", name: "web" };
    expect(cells("networking.k8s.io", "v1", "ipaddresses", { spec: { parentRef } })[1]).toBe("services/default/web");
  });
});

describe("cluster", () => {
  it("prints a Node with its roles and addresses", () => {
    const node = {
      metadata: { ...metadata, labels: { "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge" } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "Unknown" }],
        addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
        nodeInfo: { kubeletVersion: "v1.33.0", osImage: "Linux", kernelVersion: "", containerRuntimeVersion: "containerd://2" },
      },
    };
    expect(cells("", "v1", "nodes", node)).toEqual([
      ...["x", "NotReady,SchedulingDisabled", "edge,worker", "10m", "v1.33.0"],
      ...["10.0.0.1", "<none>", "Linux", "<unknown>", "containerd://2"],
    ]);
    expect(cells("", "v1", "nodes", {}).slice(1, 3)).toEqual(["Unknown", "<none>"]);
  });

  it("prints an Event of either group alike", () => {
    const shown = ["60s", "Warning", "Failed", "pod/p", "spec.containers{a}", "kubelet, n1", "broke", "10m", 3, "x"];
    const regarding = { kind: "Pod", name: "p", fieldPath: "spec.containers{a}" };
    const times = { first: "2026-01-01T00:00:00Z", last: "2026-01-01T00:09:00Z" };
    const source = { component: "kubelet", host: "n1" };
    expect(
      cells("", "v1", "events", {
        ...{ type: "Warning", reason: "Failed", involvedObject: regarding, source, message: " broke\n", count: 3 },
        ...{ firstTimestamp: times.first, lastTimestamp: times.last },
      }),
    ).toEqual(shown);
    expect(
      cells("events.k8s.io", "v1", "events", {
        ...{ kind: "Event", type: "Warning", reason: "Failed", regarding, deprecatedSource: source, note: "broke", deprecatedCount: 3 },
        ...{ deprecatedFirstTimestamp: times.first, deprecatedLastTimestamp: times.last },
      }),
    ).toEqual(shown);
  });

  it("counts an event's series, and an event without a count as one", () => {
    const series = { count: 9, lastObservedTime: "2026-01-01T00:09:50.000000Z" };
    const seen = cells("", "v1", "events", { eventTime: "2026-01-01T00:00:00.000000Z", series });
    expect([seen[0], seen[7], seen[8]]).toEqual(["10s", "10m", 9]);
    const single = cells("", "v1", "events", { eventTime: null, firstTimestamp: null, lastTimestamp: null });
    expect([single[0], single[8]]).toEqual(["<unknown>", 1]);
  });

  it("prints a ResourceQuota, limits apart", () => {
    const status = { hard: { pods: "10", "limits.cpu": "4", "requests.cpu": "2" }, used: { pods: "3" } };
    expect(cells("", "v1", "resourcequotas", { status }).slice(1, 3)).toEqual(["pods: 3/10, requests.cpu: 0/2", "limits.cpu: 0/4"]);
  });

  it("prints a claim and its volume", () => {
    const bound = {
      spec: { volumeName: "v", storageClassName: "fast", volumeMode: "Filesystem" },
      status: { phase: "Bound", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteMany", "ReadWriteOnce"] },
    };
    expect(cells("", "v1", "persistentvolumeclaims", bound)).toEqual([
      ...["x", "Bound", "v", "1Gi", "RWO,RWX", "fast", "<unset>", "10m", "Filesystem"],
    ]);
    expect(cells("", "v1", "persistentvolumes", { spec: { claimRef: { namespace: "d", name: "c" } }, status: {} }).slice(1, 6)).toEqual([
      ...["0", "", "", "", "d/c"],
    ]);
  });

  it("prints the subjects of a binding by kind", () => {
    const subjects = [
      { kind: "User", name: "u" },
      { kind: "Group", name: "g" },
      { kind: "ServiceAccount", namespace: "n", name: "s" },
      { kind: "User", name: "v" },
    ];
    const object = { roleRef: { kind: "ClusterRole", name: "view" }, subjects };
    expect(cells("rbac.authorization.k8s.io", "v1", "rolebindings", object)).toEqual(["x", "ClusterRole/view", "10m", "u, v", "g", "n/s"]);
  });
});
