import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AdmissionAttributes, AdmissionContext } from "../../../shared/api/admission/attributes.ts";
import type { WebhookTarget } from "../../../shared/api/admission/webhooks/caller.ts";
import { inVersionOf } from "../../../shared/api/admission/webhooks/versions.ts";
import { createHarness, type Harness } from "./harness.ts";

interface Boat {
  apiVersion: string;
  readonly kind: string;
  readonly metadata: { name?: string; labels?: Record<string, string>; [field: string]: unknown };
  spec: { place?: string; host?: string; port?: string; berths?: number };
}
interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: readonly Boat[] };
}
type Respond = (review: Review, converted: Boat[]) => object;

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

let api: Harness;
const asked: { target: WebhookTarget; review: Review; timeoutMs: number }[] = [];
const agree: Respond = (_review, convertedObjects) => ({ convertedObjects, result: { status: "Success" } });
let respond: Respond = agree;
/** Called before a conversion is answered. */
let held: Promise<void> | undefined;
/** What admission webhooks answer. */
let admit: (request: { readonly object: Boat }) => object;

function convert({ place, host, port, ...spec }: Boat["spec"], desired: string): Boat["spec"] {
  if (desired.endsWith("/v1")) return host === undefined ? { ...spec } : { ...spec, place: `${host}:${port}` };
  const [left, right] = (place ?? "").split(":");
  return { ...spec, ...(left && { host: left }), ...(right && { port: right }) };
}

beforeEach(async () => {
  asked.length = 0;
  respond = agree;
  held = undefined;
  admit = () => ({ allowed: true });
  api = await createHarness({
    webhooks: {
      async call(target, body, timeoutMs) {
        const review = JSON.parse(body.toString()) as Review;
        asked.push({ target, review, timeoutMs });
        await held;
        const { apiVersion, kind } = review;
        const answer = (response: object) => ({ status: 200, body: Buffer.from(JSON.stringify({ apiVersion, kind, response })) });
        if (kind === "AdmissionReview") return answer({ uid: review.request.uid, ...admit(JSON.parse(body.toString()).request) });
        const { uid, desiredAPIVersion, objects } = review.request;
        const converted = objects.map((boat) => ({
          ...structuredClone(boat),
          apiVersion: desiredAPIVersion,
          spec: convert(boat.spec, desiredAPIVersion),
        }));
        return answer({ uid, ...respond(review, converted) });
      },
    },
  });
});
afterEach(() => api.close());

const schemaOf = (...texts: string[]) => ({
  openAPIV3Schema: {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: { ...Object.fromEntries(texts.map((name) => [name, { type: "string" }])), berths: { type: "integer" } },
      },
      status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
});
const subresources = { status: {}, scale: { specReplicasPath: ".spec.berths", statusReplicasPath: ".status.berths" } };

async function define(storage: "v1" | "v2" = "v1", more: object = {}) {
  const conversion = {
    strategy: "Webhook",
    webhook: { conversionReviewVersions: ["v9", "v1"], clientConfig: { url: "https://hook.example.com/convert" }, ...more },
  };
  const { status, body } = await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "boats.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "boats", kind: "Boat" },
      conversion,
      versions: [
        { name: "v1", served: true, storage: storage === "v1", schema: schemaOf("place"), subresources },
        {
          ...{ name: "v2", served: true, storage: storage === "v2", schema: schemaOf("host", "port"), subresources },
          selectableFields: [{ jsonPath: ".spec.host" }],
          additionalPrinterColumns: [{ name: "Host", type: "string", jsonPath: ".spec.host" }],
        },
      ],
    },
  });
  expect([status, body.message]).toEqual([201, undefined]);
}
const boats = (version: string) => `/apis/example.com/${version}/namespaces/default/boats`;
const boat = (version: string, name: string, spec: object) => ({
  ...{ apiVersion: `example.com/${version}`, kind: "Boat", metadata: { name }, spec },
});
const create = async (version: string, name: string, spec: object) => {
  const { status, body } = await api.call("POST", boats(version), boat(version, name, spec));
  expect([status, body.message]).toEqual([201, undefined]);
  return body;
};
const merge = { "content-type": "application/merge-patch+json" };
const ticks = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe("a definition that converts by webhook", () => {
  it("asks nobody about objects in the version that they are stored in", async () => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    expect((await api.call("GET", `${boats("v1")}/a`)).body.spec).toEqual({ place: "pier:1" });
    expect((await api.call("GET", boats("v1"))).body.items).toHaveLength(1);
    expect(asked).toEqual([]);
  });

  it("asks with a ConversionReview of the first version that it knows", async () => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    const { body } = await api.call("GET", `${boats("v2")}/a`);
    expect(body).toMatchObject({ apiVersion: "example.com/v2", spec: { host: "pier", port: "1" } });
    expect(asked).toHaveLength(1);
    expect([asked[0]?.target.url, asked[0]?.timeoutMs]).toEqual(["https://hook.example.com/convert?timeout=30s", 30_000]);
    expect(asked[0]?.review).toMatchObject({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "ConversionReview",
      request: { desiredAPIVersion: "example.com/v2", objects: [{ apiVersion: "example.com/v1", metadata: { name: "a" } }] },
    });
  });

  it("has a hundred objects converted by one call, and none of them again for the next list", async () => {
    await define();
    for (let index = 0; index < 100; index++) await create("v1", `b${index}`, { place: `pier:${index}` });
    const { body } = await api.call("GET", boats("v2"));
    expect(body.items.every((item: Boat) => item.spec.host === "pier")).toBe(true);
    expect(body.items).toHaveLength(100);
    expect(asked.map(({ review }) => review.request.objects.length)).toEqual([100]);
    await create("v1", "later", { place: "quay:1" });
    expect((await api.call("GET", boats("v2"))).body.items).toHaveLength(101);
    expect(asked.map(({ review }) => review.request.objects.length)).toEqual([100, 1]);
  });

  it("converts what is on a page only", async () => {
    await define();
    for (let index = 0; index < 5; index++) await create("v1", `b${index}`, { place: `pier:${index}` });
    const { body } = await api.call("GET", `${boats("v2")}?limit=2`);
    expect(body.items.map((item: Boat) => item.spec.port)).toEqual(["0", "1"]);
    expect(asked.map(({ review }) => review.request.objects.length)).toEqual([2]);
  });

  it("stores in the storage version what is written through another, and answers with what is stored", async () => {
    await define();
    const made = await create("v2", "a", { host: "pier", port: "1" });
    expect(made).toMatchObject({ apiVersion: "example.com/v2", spec: { host: "pier", port: "1" } });
    const [stored] = api.cluster.mirror.list({ group: "example.com", resource: "boats" });
    expect(stored?.object).toMatchObject({ apiVersion: "example.com/v1", spec: { place: "pier:1" } });
    const patched = await api.call("PATCH", `${boats("v2")}/a`, { spec: { port: "2" } }, merge);
    expect(patched.body.spec).toEqual({ host: "pier", port: "2" });
    expect((await api.call("GET", `${boats("v1")}/a`)).body.spec).toEqual({ place: "pier:2" });
    const dry = await api.call("PATCH", `${boats("v2")}/a?dryRun=All`, { spec: { port: "3" } }, merge);
    expect(dry.body.spec).toEqual({ host: "pier", port: "3" });
    const applied = await api.call("PATCH", `${boats("v2")}/b?fieldManager=m`, boat("v2", "b", { host: "quay", port: "1" }), {
      "content-type": "application/apply-patch+yaml",
    });
    expect([applied.status, applied.body.spec]).toEqual([201, { host: "quay", port: "1" }]);
    const replaced = { ...patched.body, spec: { host: "mole", port: "9" } };
    expect((await api.call("PUT", `${boats("v2")}/a`, replaced)).body.spec).toEqual({ host: "mole", port: "9" });
    expect((await api.call("DELETE", `${boats("v2")}/a`)).body.status).toBe("Success");
  });

  it("is stored in the storage version by the next write, though that changes nothing", async () => {
    await define("v1");
    await create("v1", "a", { place: "pier:1" });
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boats.example.com";
    const { body: definition } = await api.call("GET", path);
    for (const version of definition.spec.versions) version.storage = version.name === "v2";
    expect((await api.call("PUT", path, definition)).status).toBe(200);
    const { body: before } = await api.call("GET", `${boats("v1")}/a`);
    const { body: after } = await api.call("PUT", `${boats("v1")}/a`, before);
    expect(after.spec).toEqual(before.spec);
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
    const [stored] = api.cluster.mirror.list({ group: "example.com", resource: "boats" });
    expect(stored?.object).toMatchObject({ apiVersion: "example.com/v2", spec: { host: "pier", port: "1" } });
    const { body: again } = await api.call("PUT", `${boats("v1")}/a`, after);
    expect(again.metadata.resourceVersion).toBe(after.metadata.resourceVersion);
  });

  it("has status, scale, tables and selectors of the version that is asked", async () => {
    await define();
    await create("v1", "a", { place: "pier:1", berths: 2 });
    await create("v1", "b", { place: "quay:1" });
    const status = await api.call("PATCH", `${boats("v2")}/a/status`, { spec: { host: "no" }, status: { berths: 1 } }, merge);
    expect(status.body).toMatchObject({ metadata: { generation: 1 }, spec: { host: "pier" }, status: { berths: 1 } });
    expect((await api.call("GET", `${boats("v2")}/a/scale`)).body).toMatchObject({ spec: { replicas: 2 }, status: { replicas: 1 } });
    expect((await api.call("PATCH", `${boats("v2")}/a/scale`, { spec: { replicas: 5 } }, merge)).body.spec).toEqual({ replicas: 5 });
    expect((await api.call("GET", `${boats("v1")}/a`)).body.spec).toEqual({ place: "pier:1", berths: 5 });
    const accept = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const table = JSON.parse((await api.call("GET", boats("v2"), undefined, accept)).text);
    expect(table.rows.map(({ cells }: { cells: string[] }) => cells)).toEqual([
      ["a", "pier"],
      ["b", "quay"],
    ]);
    const selected = await api.call("GET", `${boats("v2")}?fieldSelector=spec.host%3Dquay`);
    expect(selected.body.items.map((item: Boat) => item.metadata.name)).toEqual(["b"]);
  });

  it("is watched in the order of its changes, whatever a conversion takes", async () => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    let release = (): void => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    const all = await api.watch(`${boats("v2")}?watch=true`);
    const some = await api.watch(`${boats("v2")}?watch=true&fieldSelector=spec.host%3Dpier`);
    await create("v1", "b", { place: "quay:1" });
    await api.call("PATCH", `${boats("v1")}/a`, { spec: { place: "quay:2" } }, merge);
    await ticks();
    expect(all.lines).toEqual([]);
    release();
    await ticks();
    const seen = ({ type, object }: { type: string; object: Record<string, unknown> }) => {
      const shown = object as unknown as Boat;
      return [type, shown.metadata.name, shown.apiVersion, shown.spec.host];
    };
    expect(all.lines.map(seen)).toEqual([
      ["ADDED", "a", "example.com/v2", "pier"],
      ["ADDED", "b", "example.com/v2", "quay"],
      ["MODIFIED", "a", "example.com/v2", "quay"],
    ]);
    expect(some.lines.map(seen)).toEqual([
      ["ADDED", "a", "example.com/v2", "pier"],
      ["DELETED", "a", "example.com/v2", "pier"],
    ]);
    // Both watches were shown the same conversions.
    expect(asked.map(({ review }) => review.request.objects.length)).toEqual([1, 1, 1]);
    all.stop();
    some.stop();
  });

  it("ends a watch that cannot go on with the reason", async () => {
    await define();
    const watch = await api.watch(`${boats("v2")}?watch=true`);
    respond = () => ({ result: { status: "Failure", message: "no wind" } });
    await create("v1", "a", { place: "pier:1" });
    await watch.ended;
    expect(watch.lines).toMatchObject([
      { type: "ERROR", object: { code: 500, message: "conversion webhook for example.com/v1, Kind=Boat failed: no wind" } },
    ]);
  });

  it("lets a webhook change labels and annotations, and no other metadata", async () => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    respond = (_review, converted) => {
      for (const { metadata } of converted) Object.assign(metadata, { labels: { a: "b" }, generation: 77, finalizers: ["x/y"] });
      return { convertedObjects: converted, result: { status: "Success" } };
    };
    const { body } = await api.call("GET", `${boats("v2")}/a`);
    expect([body.metadata.labels, body.metadata.generation, body.metadata.finalizers]).toEqual([{ a: "b" }, 1, undefined]);
  });

  const first = (change: (boat: Boat) => void): Respond => {
    return (review, converted) => {
      converted.forEach(change);
      return agree(review, converted);
    };
  };
  const named = "conversion webhook for example.com/v1, Kind=Boat";
  it.each<[string, Respond, string]>([
    ["fails", () => ({ result: { status: "Failure" } }), `${named} failed: response.result.status was 'Failure', not 'Success'`],
    ["answers to another", (_r, c) => ({ uid: "x", convertedObjects: c, result: { status: "Success" } }), 'got "x"'],
    ["leaves objects out", () => ({ convertedObjects: [], result: { status: "Success" } }), `${named} returned 0 objects, expected 1`],
    [
      "makes another version",
      first((one) => Object.assign(one, { apiVersion: "example.com/v3" })),
      `${named} returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)`,
    ],
    [
      "makes another kind",
      first((one) => Object.assign(one, { kind: "Ship" })),
      `${named} returned invalid object at index 0: invalid kind (expected Boat, received Ship)`,
    ],
    [
      "renames",
      first(({ metadata }) => Object.assign(metadata, { name: "z" })),
      `${named} returned invalid object: must have the same name: a != z`,
    ],
    [
      "labels with numbers",
      first(({ metadata }) => Object.assign(metadata, { labels: { a: 1 } })),
      `${named} returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object`,
    ],
  ])("refuses the answer of a webhook that %s", async (_what, answer, message) => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    respond = answer;
    const refused = await api.call("GET", `${boats("v2")}/a`);
    expect([refused.status, refused.body.reason, refused.body.message]).toEqual([500, undefined, expect.stringContaining(message)]);
    expect((await api.call("GET", boats("v2"))).status).toBe(500);
    expect((await api.call("POST", boats("v2"), boat("v2", "b", { host: "quay" }))).status).toBe(500);
    respond = agree;
    expect((await api.call("GET", boats("v2"))).body.items).toHaveLength(1);
  });

  it("tells managers of another version what they lost", async () => {
    await define();
    await create("v1", "a", { place: "pier:1", berths: 2 });
    const { body } = await api.call("PATCH", `${boats("v2")}/a?fieldManager=other`, { spec: { port: "2" } }, merge);
    const owned = body.metadata.managedFields.map(({ manager, apiVersion, fieldsV1 }: Record<string, string>) => [
      manager,
      apiVersion,
      fieldsV1,
    ]);
    expect(owned).toHaveLength(2);
    expect(owned).toContainEqual(["test", "example.com/v1", { "f:spec": { ".": {}, "f:berths": {} } }]);
    expect(owned).toContainEqual(["other", "example.com/v2", { "f:spec": { "f:port": {} } }]);
  });

  it("shows admission webhooks the version that their rules name", async () => {
    await define();
    const rules = [{ apiGroups: ["example.com"], apiVersions: ["v1"], operations: ["*"], resources: ["boats"] }];
    const hook = { name: "h.example.com", admissionReviewVersions: ["v1"], sideEffects: "None", rules };
    const clientConfig = { url: "https://hook.example.com/admit" };
    const path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    await api.call("POST", path, { metadata: { name: "h" }, webhooks: [{ ...hook, clientConfig, failurePolicy: "Ignore" }] });
    const policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
    const validations = [{ expression: "object.spec.place != 'mole:1'", message: "not on the mole" }];
    await api.call("POST", policies, {
      metadata: { name: "p" },
      spec: { matchConstraints: { resourceRules: rules }, validations },
    });
    await api.call("POST", `${policies.replace("policies", "policybindings")}`, {
      metadata: { name: "p" },
      spec: { policyName: "p", validationActions: ["Deny"] },
    });
    expect((await api.call("POST", boats("v2"), boat("v2", "a", { host: "mole", port: "1" }))).body.message).toContain("not on the mole");
  });

  it("is asked once about an object of a request, however many admission webhooks and policies look at it, and again when it has changed", async () => {
    await define();
    await create("v1", "a", { place: "pier:1" });
    const isConversion = ({ target }: (typeof asked)[number]): boolean => target.url.includes("/convert");
    const conversionsOfPatch = async (port: string): Promise<number> => {
      asked.length = 0;
      expect((await api.call("PATCH", `${boats("v2")}/a`, { spec: { port } }, merge)).status).toBe(200);
      return asked.filter(isConversion).length;
    };
    const without = await conversionsOfPatch("2");
    const rules = [{ apiGroups: ["example.com"], apiVersions: ["v1"], operations: ["*"], resources: ["boats"] }];
    const hook = { admissionReviewVersions: ["v1"], sideEffects: "None", rules, clientConfig: { url: "https://hook.example.com/admit" } };
    const webhooks = ["h1", "h2", "h3"].map((name) => ({ ...hook, name: `${name}.example.com` }));
    const admission = "/apis/admissionregistration.k8s.io/v1";
    for (const kind of ["mutating", "validating"])
      await api.call("POST", `${admission}/${kind}webhookconfigurations`, { metadata: { name: "h" }, webhooks });
    await api.call("POST", `${admission}/validatingadmissionpolicies`, {
      metadata: { name: "p" },
      spec: { matchConstraints: { resourceRules: rules }, validations: [{ expression: "oldObject.spec.place.startsWith('pier')" }] },
    });
    await api.call("POST", `${admission}/validatingadmissionpolicybindings`, {
      metadata: { name: "p" },
      spec: { policyName: "p", validationActions: ["Deny"] },
    });
    // What was there before, the object, and the object of the generation that validation is shown.
    expect(await conversionsOfPatch("3")).toBe(without + 3);
    const shown: unknown[] = [];
    admit = ({ object }) => {
      shown.push(object.spec.place);
      const patch = JSON.stringify([{ op: "replace", path: "/spec/place", value: "pier:9" }]);
      return { allowed: true, ...(shown.length === 2 && { patchType: "JSONPatch", patch: Buffer.from(patch).toString("base64") }) };
    };
    // And what the second webhook made of it, there and back.
    expect(await conversionsOfPatch("4")).toBe(without + 5);
    expect(shown).toEqual(["pier:4", "pier:4", "pier:9", "pier:9", "pier:9", "pier:9"]);
  });

  it("is remembered for one write, though the request deletes a whole collection", async () => {
    await define();
    const [definition, other] = ["v1", "v2"].map((version) => api.cluster.resources.find("example.com", version, "boats"));
    if (!definition || !other) throw new Error("the boats are not served");
    const context: AdmissionContext = { user: { username: "somebody", groups: [] }, dryRun: false, warn: () => {} };
    const deleteShown = async (name: string): Promise<WeakRef<object>> => {
      const place = { served: definition, definition, schema: undefined, subresource: "", namespace: "default", name, context };
      const attributes: AdmissionAttributes = { ...place, operation: "DELETE", oldObject: boat("v1", name, { place: "pier:1" }) };
      const { oldObject: shown = attributes.oldObject } = await inVersionOf(api.cluster, attributes, other);
      expect(shown).toMatchObject({ apiVersion: "example.com/v2", spec: { host: "pier" } });
      expect((await inVersionOf(api.cluster, attributes, other)).oldObject).toBe(shown);
      return new WeakRef(shown);
    };
    const shown = [await deleteShown("a"), await deleteShown("b")];
    await ticks();
    collectGarbage();
    expect(shown.map((each) => each.deref())).toEqual([undefined, undefined]);
    // The request goes on.
    expect(context.dryRun).toBe(false);
  });
});
