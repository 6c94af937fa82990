import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listObjects, parseListOptions } from "../../../shared/api/list.ts";
import { createLocalClient } from "../../../shared/api/local-client.ts";
import { ExpiredListError } from "../../../shared/api/response.ts";
import { parseSelection } from "../../../shared/api/selection.ts";
import { deployments } from "../../../shared/kubernetes/known-resources.ts";
import { findResource } from "../../../shared/kubernetes/resources.ts";
import { topics } from "../../../shared/store/mirror.ts";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const maps = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, more: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, ...more },
  data: { a: "1" },
});

describe("objects", () => {
  it("creates, reads, replaces and deletes", async () => {
    const created = await api.call("POST", maps, configMap("one"));
    expect(created.status).toBe(201);
    expect(created.body.metadata).toMatchObject({
      name: "one",
      namespace: "default",
      uid: expect.any(String),
      resourceVersion: expect.stringMatching(/^\d+$/),
    });
    expect((await api.call("POST", maps, configMap("one"))).body).toMatchObject({ status: "Failure", reason: "AlreadyExists", code: 409 });
    expect((await api.call("GET", `${maps}/one`)).body.data).toEqual({ a: "1" });
    const replaced = await api.call("PUT", `${maps}/one`, { ...configMap("one"), data: { a: "2" } });
    expect(replaced.body.data).toEqual({ a: "2" });
    expect(replaced.body.metadata.uid).toBe(created.body.metadata.uid);
    expect((await api.call("PUT", `${maps}/one`, configMap("one", { resourceVersion: "1" }))).body.reason).toBe("Conflict");
    expect((await api.call("DELETE", `${maps}/one`)).body).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "one", kind: "configmaps" },
    });
    expect((await api.call("GET", `${maps}/one`)).body.reason).toBe("NotFound");
  });

  it("stores what a loop writes as what a client writes", async () => {
    const template = { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "c", image: "i", ports: [] }] } };
    const named = (name: string) => ({
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "default" } },
      spec: { selector: { matchLabels: { app: "a" } }, template },
    });
    const body = { spec: { template: { metadata: { creationTimestamp: null, annotations: { a: "b" } } } } };
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const loops = createLocalClient(api.served.registry);
    const specs = async () => Promise.all(["client", "loop"].map(async (name) => (await api.call("GET", `${path}/${name}`)).body.spec));
    await api.call("POST", path, named("client"));
    await loops.create(deployments, named("loop"));
    const [created, createdByLoop] = await specs();
    expect(createdByLoop).toEqual(created);
    expect(created.template.metadata).toEqual({ labels: { app: "a" }, creationTimestamp: null });
    await api.call("PATCH", `${path}/client`, body, { "content-type": "application/merge-patch+json" });
    await loops.patch(deployments, "default", "loop", { type: "merge", body });
    const [patched, patchedByLoop] = await specs();
    expect(patchedByLoop).toEqual(patched);
    expect(patched.template.metadata).toEqual({ labels: { app: "a" }, annotations: { a: "b" }, creationTimestamp: null });
  });

  it("leaves the resource version alone when nothing changes", async () => {
    const created = await api.call("POST", maps, configMap("same"));
    const again = await api.call("PATCH", `${maps}/same`, { data: { a: "1" } }, { "content-type": "application/merge-patch+json" });
    expect(again.body.metadata.resourceVersion).toBe(created.body.metadata.resourceVersion);
  });

  it("applies thirty patches at once to one object without losing any", async () => {
    await api.call("POST", maps, configMap("busy"));
    const patches = Array.from({ length: 30 }, (_, i) =>
      api.call("PATCH", `${maps}/busy`, { data: { [`k${i}`]: "x" } }, { "content-type": "application/merge-patch+json" }),
    );
    expect((await Promise.all(patches)).map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200));
    expect(Object.keys((await api.call("GET", `${maps}/busy`)).body.data)).toHaveLength(31);
  });

  it("keeps an object with finalizers until the last one goes", async () => {
    await api.call("POST", maps, configMap("held", { finalizers: ["example.com/hold"] }));
    const deleted = await api.call("DELETE", `${maps}/held`);
    expect(deleted.body.metadata.deletionTimestamp).toBeDefined();
    await api.call("PATCH", `${maps}/held`, { metadata: { finalizers: null } }, { "content-type": "application/merge-patch+json" });
    expect((await api.call("GET", `${maps}/held`)).status).toBe(404);
  });

  it("writes nothing on a dry run", async () => {
    expect((await api.call("POST", `${maps}?dryRun=All`, configMap("dry"))).status).toBe(201);
    expect((await api.call("GET", `${maps}/dry`)).status).toBe(404);
  });

  it("gives a Service an address nobody else has and takes it back", async () => {
    const services = "/api/v1/namespaces/default/services";
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { type: "NodePort", ports: [{ port: 80 }] } };
    const created = await api.call("POST", services, service);
    const { clusterIP, ports } = created.body.spec;
    expect(clusterIP).toMatch(/^10\./);
    expect(ports[0].nodePort).toBeGreaterThanOrEqual(30000);
    expect((await api.call("GET", `/apis/networking.k8s.io/v1/ipaddresses/${clusterIP}`)).body.spec.parentRef.name).toBe("web");
    const taken = await api.call("POST", services, { ...service, metadata: { name: "other" }, spec: { clusterIP, ports: [{ port: 80 }] } });
    expect(taken.body.message).toContain("provided IP is already allocated");
    await api.call("DELETE", `${services}/web`);
    expect((await api.call("GET", `/apis/networking.k8s.io/v1/ipaddresses/${clusterIP}`)).status).toBe(404);
    expect((await api.call("POST", services, { ...service, spec: { clusterIP, ports: [{ port: 80 }] } })).status).toBe(201);
  });

  it.each([
    ["malformed JSON", "POST", maps, "{not json", 400],
    ["another kind", "POST", maps, { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } }, 400],
    ["a name that is no DNS name", "POST", maps, configMap("Bad_Name"), 422],
    ["an unknown namespace", "POST", "/api/v1/namespaces/absent/configmaps", configMap("a"), 404],
    ["a list as a body", "POST", maps, [], 400],
    ["null as a body, which is an object without a name", "POST", maps, "null", 422],
    ["an unknown field when strict", "POST", `${maps}?fieldValidation=Strict`, { ...configMap("a"), extra: 1 }, 400],
    ["an unknown resource", "GET", "/api/v1/namespaces/default/things", undefined, 404],
    ["an unknown group", "GET", "/apis/no.such.group/v1/things", undefined, 404],
    ["a method that is not served", "PUT", maps, configMap("a"), 405],
    ["a bad label selector", "GET", `${maps}?labelSelector=n%20in%20(`, undefined, 400],
    ["a bad limit", "GET", `${maps}?limit=x`, undefined, 400],
    ["deep JSON", "POST", maps, `{"metadata":${"[".repeat(5000)}${"]".repeat(5000)}}`, 400],
  ] as const)("refuses %s", async (_title, method, url, body, status) => {
    expect((await api.call(method, url, body)).status).toBe(status);
  });
});

describe("lists and watches", () => {
  it("pages through a list at one revision while it changes", async () => {
    for (const name of ["p1", "p2", "p3", "p4", "p5"]) await api.call("POST", maps, configMap(name, { labels: { page: "y" } }));
    const first = await api.call("GET", `${maps}?labelSelector=page&limit=2`);
    await api.call("DELETE", `${maps}/p3`);
    const rest = await api.call("GET", `${maps}?labelSelector=page&limit=9&continue=${first.body.metadata.continue}`);
    expect([...first.body.items, ...rest.body.items].map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
      "p1",
      "p2",
      "p3",
      "p4",
      "p5",
    ]);
    expect(rest.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });

  it("shows a watcher with a selector objects coming and going as their labels change", async () => {
    const created = await api.call("POST", maps, configMap("l", { labels: { on: "no" } }));
    const merge = { "content-type": "application/merge-patch+json" };
    await api.call("PATCH", `${maps}/l`, { metadata: { labels: { on: "yes" } } }, merge);
    const { lines, stop } = await api.watch(
      `${maps}?watch=1&resourceVersion=${created.body.metadata.resourceVersion}&labelSelector=on%3Dyes`,
    );
    await api.call("PATCH", `${maps}/l`, { data: { x: "1" } }, merge);
    await api.call("PATCH", `${maps}/l`, { metadata: { labels: { on: "no" } } }, merge);
    stop();
    expect(lines.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED"]);
  });

  it("streams a list: the state, and a bookmark that says where it ends (KEP-3157)", async () => {
    const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const { lines, stop } = await api.watch(`/api/v1/namespaces?${query}`);
    stop();
    expect(new Set(lines.slice(0, -1).map(({ type }) => type))).toEqual(new Set(["ADDED"]));
    const emptyList = `${JSON.stringify({ kind: "NamespaceList", apiVersion: "v1", metadata: {}, items: null })}\n`;
    const annotations = {
      "k8s.io/initial-events-end": "true",
      "kubernetes.io/initial-events-list-blueprint": Buffer.from(emptyList).toString("base64"),
    };
    expect(lines.at(-1)).toMatchObject({ type: "BOOKMARK", object: { metadata: { annotations } } });
  });

  it("refuses half a request for a streamed list", async () => {
    const { status, body } = await api.call("GET", "/api/v1/namespaces?watch=1&sendInitialEvents=true");
    expect([status, body.details.causes.map(({ field }: { field: string }) => field)]).toEqual([
      422,
      ["resourceVersionMatch", "sendInitialEvents"],
    ]);
  });
});

describe("lists in pages", () => {
  it("pages through all namespaces in the order of etcd's keys, and loses none whose name continues another's", async () => {
    const namespaces = ["pages", "pages-2", "pages2"];
    for (const name of namespaces) {
      await api.call("POST", "/api/v1/namespaces", { metadata: { name } });
      for (const map of ["x", "y"])
        await api.call("POST", `/api/v1/namespaces/${name}/configmaps`, configMap(map, { labels: { pages: "y" } }));
    }
    const found: string[] = [];
    for (let token = "", pages = 0; pages < 10; pages++) {
      const page = await api.call("GET", `/api/v1/configmaps?labelSelector=pages&limit=1&continue=${token}`);
      for (const { metadata } of page.body.items) found.push(`${metadata.namespace}/${metadata.name}`);
      token = page.body.metadata.continue ?? "";
      if (token === "") break;
    }
    expect(found).toEqual(["pages-2/x", "pages-2/y", "pages/x", "pages/y", "pages2/x", "pages2/y"]);
  });

  it("ends a list whose first page is older than Kubernetes keeps its history, with a token that goes on from the newest state", async () => {
    for (const name of ["q1", "q2", "q3"]) await api.call("POST", maps, configMap(name, { labels: { late: "y" } }));
    let nowMs = Date.now();
    const cluster = { ...api.cluster, clock: { ...api.cluster.clock, now: () => nowMs } };
    const definition = findResource("", "v1", "configmaps");
    if (!definition) throw new Error("there are no ConfigMaps");
    const read = (query: string) => {
      const parameters = new URLSearchParams(`labelSelector=late&limit=1&${query}`);
      return listObjects(cluster, definition, "default", parseSelection(definition, parameters), parseListOptions(parameters));
    };
    const first = await read("");
    nowMs += 4 * 60_000;
    const second = await read(`continue=${first.continueToken}`);
    expect(second).toMatchObject({ items: [{ key: { name: "q2" } }], revision: first.revision });
    nowMs += 2 * 60_000;
    const refusal = await read(`continue=${second.continueToken}`).catch((error: unknown) => error);
    if (!(refusal instanceof ExpiredListError)) throw refusal;
    expect(await read(`continue=${refusal.continueToken}`)).toMatchObject({ items: [{ key: { name: "q3" } }] });
  });
});

describe("one object without a namespace, chosen by its name", () => {
  const nodes = findResource("", "v1", "nodes");
  const byName = "metadata.name=chosen";

  it("is looked up, not searched for", async () => {
    if (!nodes) throw new Error("no such resource");
    for (const name of ["chosen", "other"]) await api.call("POST", "/api/v1/nodes", { metadata: { name } });
    const selection = parseSelection(nodes, new URLSearchParams({ fieldSelector: byName }));
    const seen: string[] = [];
    const matches: typeof selection.matches = (stored) => seen.push(stored.key.name) > 0 && selection.matches(stored);
    const { items } = await listObjects(api.cluster, nodes, "", { ...selection, matches }, parseListOptions(new URLSearchParams()));
    expect([items.map(({ key }) => key.name), seen]).toEqual([["chosen"], ["chosen"]]);
  });

  it("is watched without hearing of the others", async () => {
    const subscribe = vi.spyOn(api.cluster.mirror, "subscribe");
    const { lines, stop } = await api.watch(`/api/v1/nodes?watch=true&fieldSelector=${byName}`);
    expect(subscribe.mock.calls.map(([, topic]) => topic)).toEqual([topics.object("", "chosen")]);
    subscribe.mockRestore();
    for (const name of ["other", "chosen"])
      await api.call(
        "PATCH",
        `/api/v1/nodes/${name}`,
        { metadata: { labels: { a: "b" } } },
        { "content-type": "application/merge-patch+json" },
      );
    await vi.waitFor(() =>
      expect(lines.map(({ type, object }) => [type, (object.metadata as { name: string }).name])).toEqual([
        ["ADDED", "chosen"],
        ["MODIFIED", "chosen"],
      ]),
    );
    stop();
  });
});

describe("a body of another kind than the resource's", () => {
  const replica = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "scaled" },
    spec: { replicas: 0, selector: { matchLabels: { a: "b" } } },
  };
  const scale = "/apis/apps/v1/namespaces/default/replicasets/scaled/scale";
  const review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  beforeAll(async () => {
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const { status } = await api.call("POST", "/apis/apps/v1/namespaces/default/replicasets", {
      ...replica,
      spec: { ...replica.spec, template },
    });
    expect(status).toBe(201);
  });

  it.each<[string, string, string, object, Record<string, string>]>([
    [
      "a Scale",
      "PUT",
      scale,
      { kind: "Scale", apiVersion: "autoscaling/v1", metadata: { name: "scaled" }, spec: { replicas: 1, more: 1 } },
      {},
    ],
    ["a patched Scale", "PATCH", scale, { spec: { more: 1 } }, { "content-type": "application/merge-patch+json" }],
    ["a review", "POST", review, { spec: { more: 1, nonResourceAttributes: { path: "/", verb: "get" } } }, {}],
    ["a token request", "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", { spec: { audiences: [], more: 1 } }, {}],
    ["a binding", "POST", "/api/v1/namespaces/default/bindings", { metadata: { name: "p" }, target: { name: "n", more: 1 } }, {}],
    ["an eviction", "POST", "/api/v1/namespaces/default/pods/p/eviction", { metadata: { name: "p" }, more: 1 }, {}],
  ])("is read as strictly as the request asks: %s", async (_what, method, path, body, headers) => {
    const { body: answer } = await api.call(method, `${path}?fieldValidation=Strict`, body, headers);
    expect(answer.message).toMatch(/strict decoding error: unknown field "(spec\.|target\.)?more"/);
  });
});

describe("the manager of fields", () => {
  const managerOf = async (userAgent: string) => {
    const { body } = await api.call("POST", `${maps}?dryRun=All`, configMap("managed"), { "user-agent": userAgent });
    return body.metadata.managedFields[0].manager;
  };

  it("is what the client calls itself", async () => expect(await managerOf("kub\u0001ectl/v1.33.0 (linux)")).toBe("kubectl"));

  it("is unknown where it says nothing", async () => expect(await managerOf("")).toBe("unknown"));
});

describe("fields that stand twice", () => {
  const repeated = (name: string) =>
    `{"kind":"ConfigMap","apiVersion":"v1","extra":1,"metadata":{"name":"${name}","labels":{"a":"1","a":"2"}},"data":{"k":"v","k":"w"}}`;
  const problems = [`unknown field "extra"`, `duplicate field "metadata.labels.a"`, `duplicate field "data.k"`];

  it("are refused when strict, in the order of the text and together with unknown ones", async () => {
    const { status, body } = await api.call("POST", `${maps}?fieldValidation=Strict`, repeated("strict"));
    expect(status).toBe(400);
    expect(body.message).toBe(`ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ${problems.join(", ")}`);
  });

  it("are warned of by default, and the last counts", async () => {
    const { status, body, headers } = await api.call("POST", maps, repeated("lenient"));
    expect(status).toBe(201);
    expect(body.data).toEqual({ k: "w" });
    for (const problem of problems) expect(headers.warning).toContain(problem.replaceAll('"', '\\"'));
  });

  it("pass in silence when they are to be ignored", async () => {
    const { status, headers } = await api.call("POST", `${maps}?fieldValidation=Ignore`, repeated("ignored"));
    expect(status).toBe(201);
    expect(headers.warning).toBeUndefined();
  });

  it("are refused in an applied configuration, with their line", async () => {
    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  k: v\n  k: w\n";
    const { status, body } = await api.call("PATCH", `${maps}/applied?fieldManager=m&fieldValidation=Strict`, yaml, {
      "content-type": "application/apply-patch+yaml",
    });
    expect(status).toBe(400);
    expect(body.message).toBe(
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 7: key "k" already set in map',
    );
  });
});
