import type { Request } from "./endpoint.ts";

/** One measured kind of request. Bodies and counts are those of the client that measured kube-apiserver, so that the figures compare. */
export interface Operation {
  readonly name: string;
  /** How many of them for `objects` objects. */
  readonly count: (objects: number) => number;
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly status: number;
  readonly request: (index: number) => Request;
}

export const benchNamespace = "bench";
const base = `/api/v1/namespaces/${benchNamespace}`;
const json = "application/json";
const mergePatch = "application/merge-patch+json";
const padded = (index: number): string => String(index).padStart(6, "0");
const every = (objects: number): number => objects;
const payload = "x".repeat(1000);

const configMap = (index: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `cm-${padded(index)}`, labels: { app: "bench", shard: String(index % 10) } },
    data: { payload },
  });

const pod = (index: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${padded(index)}`, labels: { app: "web", tier: `t${index % 5}` } },
    spec: {
      containers: [
        {
          name: "main",
          image: "registry.local/web:1.2.3",
          ports: [{ containerPort: 8080, name: "http" }],
          env: [
            { name: "A", value: "1" },
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          ],
          resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
          readinessProbe: { httpGet: { path: "/ready", port: "http" } },
        },
      ],
    },
  });

const many = { count: every, concurrency: 32, status: 200 } as const;

/** In this order: later ones read, change and delete what earlier ones made. */
export const operations: readonly Operation[] = [
  {
    ...many,
    name: "create-configmap",
    status: 201,
    request: (index) => ({ method: "POST", path: `${base}/configmaps`, contentType: json, body: configMap(index) }),
  },
  { ...many, name: "get-configmap", request: (index) => ({ method: "GET", path: `${base}/configmaps/cm-${padded(index)}` }) },
  {
    ...many,
    name: "patch-configmap",
    request: (index) => ({
      method: "PATCH",
      path: `${base}/configmaps/cm-${padded(index)}`,
      contentType: mergePatch,
      body: JSON.stringify({ metadata: { annotations: { step: String(index) } } }),
    }),
  },
  {
    ...many,
    name: "update-conflict",
    count: (objects) => Math.floor(objects / 4),
    request: (index) => ({
      method: "PATCH",
      path: `${base}/configmaps/cm-${padded(0)}`,
      contentType: mergePatch,
      body: JSON.stringify({ metadata: { annotations: { [`k${index % 50}`]: String(index) } } }),
    }),
  },
  {
    ...many,
    name: "create-pod",
    status: 201,
    request: (index) => ({ method: "POST", path: `${base}/pods`, contentType: json, body: pod(index) }),
  },
  { ...many, name: "list-pod", count: () => 20, concurrency: 2, request: () => ({ method: "GET", path: `${base}/pods` }) },
  { ...many, name: "page-pod", count: () => 50, concurrency: 4, request: () => ({ method: "GET", path: `${base}/pods?limit=500` }) },
];

/** After the watches. */
export const deletions: readonly Operation[] = [
  {
    ...many,
    name: "delete-pod",
    request: (index) => ({ method: "DELETE", path: `${base}/pods/pod-${padded(index)}?gracePeriodSeconds=0` }),
  },
  { ...many, name: "delete-configmap", request: (index) => ({ method: "DELETE", path: `${base}/configmaps/cm-${padded(index)}` }) },
];
