import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

/** What somebody else does while the next write that the webhook is asked about is under way. */
let meanwhile: (() => Promise<unknown>) | undefined;
let api: Harness;
beforeAll(async () => {
  api = await createHarness({
    webhooks: {
      async call(_target, body) {
        const { request } = JSON.parse(body.toString());
        const others = meanwhile;
        meanwhile = undefined;
        await others?.();
        const answer = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid: request.uid, allowed: true } };
        return { status: 200, body: Buffer.from(JSON.stringify(answer)) };
      },
    },
  });
  const webhook = {
    name: "meanwhile.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: { url: "https://hook.example.com" },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] }],
  };
  const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  expect((await api.call("POST", path, { metadata: { name: "meanwhile" }, webhooks: [webhook] })).status).toBe(201);
});
afterAll(() => api.close());

const maps = "/api/v1/namespaces/default/configmaps";
const mergePatch = { "content-type": "application/merge-patch+json" };
const apply = { "content-type": "application/apply-patch+yaml" };
const configMap = (data: Record<string, string>, metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "raced", ...metadata },
  data,
});
// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came back
const managersOf = (object: any): [string, string[]][] =>
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  object.metadata.managedFields.map(({ manager, fieldsV1 }: any) => [manager, Object.keys(fieldsV1["f:data"] ?? {}).sort()]);

beforeEach(async () => {
  await api.call("DELETE", `${maps}/raced`);
  meanwhile = undefined;
});

it("a PUT that is made again leaves to others what they came to own meanwhile", async () => {
  await api.call("POST", maps, configMap({ a: "1" }));
  meanwhile = () => api.call("PATCH", `${maps}/raced?fieldManager=other`, { data: { b: "x" } }, mergePatch);
  const { status, body } = await api.call("PUT", `${maps}/raced?fieldManager=put`, configMap({ a: "2", b: "x" }));
  expect(status).toBe(200);
  expect(managersOf(body)).toEqual(expect.arrayContaining([["other", ["f:b"]]]));
  expect(managersOf(body)).toEqual(expect.arrayContaining([["put", ["f:a"]]]));
});

it("a PUT without a uid replaces what was deleted and made anew meanwhile", async () => {
  await api.call("POST", maps, configMap({ a: "1" }));
  meanwhile = async () => {
    await api.call("DELETE", `${maps}/raced`);
    await api.call("POST", maps, configMap({ a: "1" }));
  };
  const { status, body } = await api.call("PUT", `${maps}/raced`, configMap({ a: "2" }));
  expect([status, body.message]).toEqual([200, undefined]);
  expect(body.data).toEqual({ a: "2" });
});

it("a PUT with the resource version 0 replaces whatever is there by then", async () => {
  await api.call("POST", maps, configMap({ a: "1" }));
  meanwhile = () => api.call("PATCH", `${maps}/raced`, { data: { b: "x" } }, mergePatch);
  const { status, body } = await api.call("PUT", `${maps}/raced`, configMap({ a: "2" }, { resourceVersion: "0" }));
  expect([status, body.data]).toEqual([200, { a: "2" }]);
});

it("a PUT with a resource version fails when somebody else was faster", async () => {
  const { body: created } = await api.call("POST", maps, configMap({ a: "1" }));
  const { resourceVersion } = created.metadata;
  meanwhile = () => api.call("PATCH", `${maps}/raced`, { data: { b: "x" } }, mergePatch);
  expect((await api.call("PUT", `${maps}/raced`, configMap({ a: "2" }, { resourceVersion }))).body.reason).toBe("Conflict");
});

it("an apply of what somebody else makes meanwhile is merged into that", async () => {
  meanwhile = () => api.call("PATCH", `${maps}/raced?fieldManager=other`, configMap({ b: "x" }), apply);
  const { status, body } = await api.call("PATCH", `${maps}/raced?fieldManager=own`, configMap({ a: "1" }), apply);
  expect([status, body.message]).toEqual([200, undefined]);
  expect(body.data).toEqual({ a: "1", b: "x" });
});

it("an apply of what somebody else deletes meanwhile makes it anew", async () => {
  await api.call("POST", maps, configMap({ b: "x" }));
  meanwhile = () => api.call("DELETE", `${maps}/raced`);
  const { status, body } = await api.call("PATCH", `${maps}/raced?fieldManager=own`, configMap({ a: "1" }), apply);
  expect([status, body.message]).toEqual([201, undefined]);
  expect(body.data).toEqual({ a: "1" });
});

it("warns once, however often a write is made anew", async () => {
  await api.call("POST", maps, configMap({ a: "1" }));
  meanwhile = () => api.call("PATCH", `${maps}/raced`, { data: { b: "x" } }, mergePatch);
  const { headers } = await api.call("PATCH", `${maps}/raced`, { data: { a: "2" }, unknown: 1 }, mergePatch);
  expect(headers.warning).toBe('299 - "unknown field \\"unknown\\""');
});

const pods = "/api/v1/namespaces/default/pods";
const podNamed = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } });
const label = (name: string, value: number) =>
  api.call("PATCH", `${pods}/${name}`, { metadata: { labels: { value: `${value}` } } }, mergePatch);

it("a binding is made of a pod that others change meanwhile", async () => {
  expect((await api.call("POST", pods, podNamed("raced"))).status).toBe(201);
  const labels = [1, 2, 3, 4, 5].map((value) => label("raced", value));
  const bound = await api.call("POST", `${pods}/raced/binding`, { metadata: { name: "raced" }, target: { name: "n" } });
  await Promise.all(labels);
  expect([bound.status, bound.body.message]).toEqual([201, undefined]);
});

it("a binding of a version of a pod is not made of the one that somebody else makes meanwhile", async () => {
  const { body: made } = await api.call("POST", pods, podNamed("versioned"));
  const { resourceVersion } = made.metadata;
  const read = api.store.latest.bind(api.store);
  const reading = vi.spyOn(api.store, "latest").mockImplementationOnce(async (...keys) => {
    const found = await read(...keys);
    expect((await label("versioned", 1)).status).toBe(200);
    return found;
  });
  const binding = { metadata: { name: "versioned", resourceVersion }, target: { name: "n" } };
  const bound = await api.call("POST", `${pods}/versioned/binding`, binding);
  reading.mockRestore();
  expect([bound.status, bound.body.reason]).toEqual([409, "Conflict"]);
  expect(bound.body.message).toContain(`ResourceVersion in precondition: ${resourceVersion}`);
  expect((await api.call("GET", `${pods}/versioned`)).body.spec.nodeName).toBeUndefined();
});
