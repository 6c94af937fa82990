import { afterAll, beforeAll, expect, it } from "vitest";
import { apiVersionOf, builtinResources, type ResourceDefinition } from "../../shared/kubernetes/resources.ts";
import { createHarness, type Harness } from "../unit/api/harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const junk: readonly unknown[] = [
  null,
  0,
  -1,
  "",
  "x",
  true,
  [],
  {},
  [null],
  [{}],
  { a: null },
  "1Gi",
  1e30,
  [[]],
  "\u0000",
  { $patch: "delete" },
  -(2 ** 31) - 1,
  "9".repeat(400),
];

/** A small linear congruential generator: the same seed gives the same requests. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

const template = {
  metadata: { labels: { a: "b" } },
  spec: {
    containers: [
      {
        name: "c",
        image: "i",
        ports: [{ containerPort: 80 }],
        env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        resources: { requests: { cpu: "1" }, limits: { memory: "1Gi" } },
        readinessProbe: { httpGet: { port: 80 } },
        volumeMounts: [{ name: "v", mountPath: "/v" }],
      },
    ],
    volumes: [{ name: "v", configMap: { name: "x" } }],
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "k", labelSelector: { matchLabels: { a: "b" } } }],
      },
    },
    tolerations: [{ key: "a", operator: "Exists" }],
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule", labelSelector: {} }],
  },
};
const bodies: Readonly<Record<string, object>> = {
  Pod: { spec: template.spec },
  Service: { spec: { type: "NodePort", ports: [{ port: 80, nodePort: 30000 }], selector: { a: "b" } } },
  Deployment: { spec: { replicas: 1, selector: { matchLabels: { a: "b" } }, template, strategy: { rollingUpdate: { maxSurge: "10%" } } } },
  ReplicationController: { spec: { replicas: 1, selector: { a: "b" }, template } },
  ConfigMap: { data: { a: "b" } },
  Secret: { stringData: { a: "b" }, data: { c: "ZA==" } },
  Node: {
    spec: { taints: [{ key: "a", effect: "NoSchedule" }] },
    status: { capacity: { cpu: "1" }, conditions: [{ type: "Ready", status: "True" }] },
  },
  Namespace: { spec: { finalizers: ["kubernetes"] } },
  Endpoints: { subsets: [{ addresses: [{ ip: "1.2.3.4" }], ports: [{ port: 1 }] }] },
};

it("never answers a hostile body of any kind with a failure that nobody foresaw", async () => {
  const random = createRandom(7);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  /** One value somewhere inside replaced by junk. */
  const mutate = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return random() < 0.5 ? pick(junk) : value;
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
    const key = pick(Object.keys(copy));
    if (key === undefined) return pick(junk);
    Reflect.set(copy, key, random() < 0.4 ? pick(junk) : mutate(Reflect.get(copy, key)));
    return copy;
  };
  let asked = 0;
  const failures: string[] = [];
  const send = async (method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<void> => {
    asked++;
    const { status, text } = await api.call(method, url, body, headers);
    // Some mistakes kube-apiserver itself answers with a 500 that says what is wrong and gives no reason: what an apply cannot merge, a binding
    // without a target, options of a deletion of another type. A failure of the server's own has the reason InternalError.
    if (status >= 500 && (status !== 500 || text.includes('"reason"') || !text.includes('"message"')))
      failures.push(`${method} ${url} ${JSON.stringify(body)}: ${text}`);
  };
  const attack = async (definition: ResourceDefinition, name: string): Promise<void> => {
    const root = definition.group === "" ? `/api/${definition.version}` : `/apis/${definition.group}/${definition.version}`;
    const all = `${root}${definition.namespaced ? "/namespaces/default" : ""}/${definition.resource}`;
    const one = `${all}/${name}`;
    const good = {
      apiVersion: apiVersionOf(definition),
      kind: definition.kind,
      metadata: { name, labels: { a: "b" } },
      ...(bodies[definition.kind] ?? { spec: {} }),
    };
    const patch = (type: string) => ({ "content-type": `application/${type}` });
    await send("POST", all, mutate(mutate(good)));
    await send("POST", all, good);
    await send("PUT", one, mutate(mutate(good)));
    await send("PATCH", one, mutate(good), patch("merge-patch+json"));
    await send("PATCH", one, mutate(good), patch("strategic-merge-patch+json"));
    await send("PATCH", `${one}?fieldManager=z`, mutate(good), patch("apply-patch+yaml"));
    await send(
      "PATCH",
      one,
      [mutate({ op: pick(["add", "remove", "replace", "test", "move"]), path: "/spec/x", value: 1, from: "/spec" })],
      patch("json-patch+json"),
    );
    await send(
      "PATCH",
      `${one}/status`,
      mutate({ status: { phase: "x", conditions: [{ type: "a", status: "True" }] } }),
      patch("merge-patch+json"),
    );
    await send("PATCH", `${one}/scale`, mutate({ spec: { replicas: 1 } }), patch("merge-patch+json"));
    await send("GET", one, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    await send("DELETE", one, mutate({ gracePeriodSeconds: 0, propagationPolicy: "Orphan", preconditions: { uid: "x" } }));
  };
  for (let round = 0; round < 8; round++)
    for (const [index, definition] of builtinResources().entries()) await attack(definition, `f-${round}-${index}`);
  expect(asked).toBeGreaterThan(5000);
  expect(failures).toEqual([]);
});
