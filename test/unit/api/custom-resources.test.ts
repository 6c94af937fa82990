import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const boats = "/apis/example.com/v1/namespaces/default/boats";
const merge = { "content-type": "application/merge-patch+json" };

const spec = {
  type: "object",
  required: ["seats"],
  properties: {
    seats: { type: "integer", minimum: 1 },
    colour: { type: "string", default: "red" },
    owner: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "is immutable" }] },
  },
};
const status = { type: "object", properties: { afloat: { type: "boolean" }, seats: { type: "integer" } } };
const version = (name: string, more: object = {}) => ({
  name,
  served: true,
  storage: name === "v1",
  schema: { openAPIV3Schema: { type: "object", properties: { spec, status } } },
  ...more,
});
const definition = (versions: object[] = [version("v1")], more: object = {}) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "boats.example.com" },
  spec: { group: "example.com", scope: "Namespaced", names: { plural: "boats", kind: "Boat", shortNames: ["bt"] }, versions, ...more },
});
const boat = (name: string, fields: object = { seats: 2 }, apiVersion = "example.com/v1") => ({
  apiVersion,
  kind: "Boat",
  metadata: { name },
  spec: fields,
});
const define = async (given: object): Promise<void> => {
  expect((await harness.call("POST", definitionsPath, given)).status).toBe(201);
};

describe("a custom resource", () => {
  it("is there as soon as its definition is, in discovery and OpenAPI too", async () => {
    expect((await harness.call("GET", boats)).status).toBe(404);
    const aggregated = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };
    const before = await harness.call("GET", "/apis", undefined, aggregated);
    await define(definition());
    const list = await harness.call("GET", boats);
    expect(list.body).toMatchObject({ kind: "BoatList", apiVersion: "example.com/v1", items: [] });
    const after = await harness.call("GET", "/apis");
    expect((await harness.call("GET", "/apis", undefined, aggregated)).headers.etag).not.toBe(before.headers.etag);
    expect(after.body.groups.at(-1)).toMatchObject({ name: "example.com", preferredVersion: { version: "v1" } });
    expect((await harness.call("GET", "/apis/example.com/v1")).body.resources[0]).toMatchObject({ name: "boats", shortNames: ["bt"] });
    expect(
      JSON.parse((await harness.call("GET", "/apis", undefined, aggregated)).text).items.at(-1).versions[0].resources[0].resource,
    ).toBe("boats");
    const index = JSON.parse((await harness.call("GET", "/openapi/v3")).text);
    expect(index.paths["apis/example.com/v1"].serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/example.com\/v1\?hash=[0-9A-F]{128}$/);
    const document = JSON.parse((await harness.call("GET", "/openapi/v3/apis/example.com/v1")).text);
    expect(document.components.schemas["com.example.v1.Boat"].properties.spec.properties.colour.default).toBe("red");
    const old = JSON.parse((await harness.call("GET", "/openapi/v2")).text);
    expect(old.definitions["com.example.v1.Boat"].properties.spec.required).toEqual(["seats"]);
    expect(old.definitions["com.example.v1.Boat"].properties.spec.properties.colour).toEqual({ type: "string", default: "red" });
    expect(old.paths["/apis/example.com/v1/namespaces/{namespace}/boats/{name}"].patch.consumes).not.toContain(
      "application/strategic-merge-patch+json",
    );
  });

  it("is not there in another cluster", async () => {
    const other = await createHarness();
    await define(definition());
    expect((await other.call("GET", boats)).status).toBe(404);
    await other.close();
  });

  it("is pruned, defaulted and validated", async () => {
    await define(definition());
    const made = await harness.call("POST", boats, boat("a", { seats: 2, sails: 3 }));
    expect(made.body.spec).toEqual({ seats: 2, colour: "red" });
    expect(made.headers.warning).toBe('299 - "unknown field \\"spec.sails\\""');
    const strict = await harness.call("POST", `${boats}?fieldValidation=Strict`, boat("b", { seats: 2, sails: 3 }));
    expect(strict.body.message).toBe('Boat in version "v1" cannot be handled as a Boat: strict decoding error: unknown field "spec.sails"');
    const bad = await harness.call("POST", boats, boat("b", { seats: "two" }));
    expect(bad.body.details.causes[0]).toEqual({
      reason: "FieldValueTypeInvalid",
      field: "spec.seats",
      message: 'Invalid value: "string": spec.seats in body must be of type integer: "string"',
    });
  });

  it("keeps what a rule says may not change, and counts generations", async () => {
    await define(definition([version("v1", { subresources: { status: {} } })]));
    await harness.call("POST", boats, boat("a", { seats: 2, owner: "me" }));
    const refused = await harness.call("PATCH", `${boats}/a`, { spec: { owner: "you" } }, merge);
    expect(refused.body.message).toBe('Boat.example.com "a" is invalid: spec.owner: Invalid value: "string": is immutable');
    expect((await harness.call("PATCH", `${boats}/a`, { spec: { seats: 3 } }, merge)).body.metadata.generation).toBe(2);
    const through = await harness.call("PATCH", `${boats}/a/status`, { metadata: { labels: { a: "b" } }, status: { afloat: true } }, merge);
    expect(through.body).toMatchObject({ metadata: { generation: 2 }, status: { afloat: true } });
    expect(through.body.metadata.labels).toBeUndefined();
  });

  it("has a Scale where it says what counts", async () => {
    const scale = { specReplicasPath: ".spec.seats", statusReplicasPath: ".status.seats" };
    await define(definition([version("v1", { subresources: { scale, status: {} } })]));
    await harness.call("POST", boats, boat("a"));
    expect((await harness.call("GET", `${boats}/a/scale`)).body.spec).toEqual({ replicas: 2 });
    await harness.call("PATCH", `${boats}/a/scale`, { spec: { replicas: 7 } }, merge);
    expect((await harness.call("GET", `${boats}/a`)).body.spec.seats).toBe(7);
  });

  it("is shown in each version, with the defaults that its schema has by now", async () => {
    const later = {
      ...version("v2"),
      deprecated: true,
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: { spec: { type: "object", properties: { seats: { type: "integer" }, flag: { type: "string", default: "none" } } } },
        },
      },
    };
    await define(definition([version("v1"), later]));
    await harness.call("POST", boats, boat("a", { seats: 2, colour: "blue" }));
    const other = await harness.call("GET", boats.replace("/v1/", "/v2/"));
    expect(other.body.items[0]).toMatchObject({ apiVersion: "example.com/v2", spec: { seats: 2, flag: "none" } });
    expect(other.body.items[0].spec.colour).toBeUndefined();
    expect(other.headers.warning).toContain("example.com/v2 Boat is deprecated");
    expect((await harness.call("GET", `${boats}/a`)).body.spec).toEqual({ seats: 2, colour: "blue" });
  });

  it("is not converted where only a webhook could, and none can be called", async () => {
    const conversion = {
      strategy: "Webhook",
      webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "https://example.com/convert" } },
    };
    await define(definition([version("v1"), version("v2")], { conversion }));
    await harness.call("POST", boats, boat("a"));
    expect((await harness.call("GET", `${boats}/a`)).status).toBe(200);
    const other = await harness.call("GET", `${boats.replace("/v1/", "/v2/")}/a`);
    expect([other.status, other.body.message]).toEqual([
      500,
      expect.stringContaining("conversion webhook for example.com/v1, Kind=Boat failed"),
    ]);
  });

  it("is watched and selected by its own fields", async () => {
    await define(definition([version("v1", { selectableFields: [{ jsonPath: ".spec.colour" }] })]));
    const watch = await harness.watch(`${boats}?watch=true&fieldSelector=spec.colour%3Dblue`);
    await harness.call("POST", boats, boat("a"));
    await harness.call("POST", boats, boat("b", { seats: 1, colour: "blue" }));
    await harness.call("PATCH", `${boats}/b`, { spec: { colour: "red" } }, merge);
    expect(watch.lines.map(({ type, object }) => [type, (object.metadata as { name: string }).name])).toEqual([
      ["ADDED", "b"],
      ["DELETED", "b"],
    ]);
    watch.stop();
    expect((await harness.call("GET", `${boats}?fieldSelector=spec.colour%3Dred`)).body.items).toHaveLength(2);
    expect((await harness.call("GET", `${boats}?fieldSelector=spec.seats%3D1`)).body.message).toBe("field label not supported: spec.seats");
  });

  it("is owned field by field, list elements by their keys", async () => {
    const crew = {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", required: ["name"], properties: { name: { type: "string" }, job: { type: "string" } } },
    };
    const schema = { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { crew } } } } };
    await define(definition([version("v1", { schema })]));
    const apply = (manager: string, members: object[]) =>
      harness.call("PATCH", `${boats}/a?fieldManager=${manager}`, boat("a", { crew: members }), {
        "content-type": "application/apply-patch+yaml",
      });
    expect((await apply("one", [{ name: "ann", job: "cook" }])).status).toBe(201);
    expect((await apply("two", [{ name: "bob", job: "mate" }])).body.spec.crew).toHaveLength(2);
    const conflict = await apply("two", [{ name: "ann", job: "mate" }]);
    expect(conflict.body.details.causes[0].field).toBe('.spec.crew[name="ann"].job');
    expect((await apply("one", [])).body.spec.crew).toEqual([{ name: "bob", job: "mate" }]);
    const unreadable = await apply("one", [{ job: "cook" }, { name: "ann", wage: 1 }]);
    expect(unreadable.body).toMatchObject({ status: "Failure", code: 500 });
    expect(unreadable.body).not.toHaveProperty("reason");
    expect(unreadable.body.message).toBe(
      'failed to create typed patch object (/a; example.com/v1, Kind=Boat): .spec.crew: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
    );
    expect((await apply("one", [{ name: "ann", wage: 1 }])).body.message).toContain(
      '.spec.crew[name="ann"].wage: field not declared in schema',
    );
  });
});

describe("a definition", () => {
  it("may have a field called `object`, which is written like any other", async () => {
    const schema = {
      openAPIV3Schema: { type: "object", properties: { object: { type: "object", properties: { colour: { type: "string" } } } } },
    };
    await define(definition([version("v1", { schema })]));
    const given = { apiVersion: "example.com/v1", kind: "Boat", metadata: { name: "one" }, object: { colour: "red" } };
    await harness.call("POST", boats, given);
    const replaced = await harness.call("PUT", `${boats}/one`, {
      ...(await harness.call("GET", `${boats}/one`)).body,
      object: { colour: "blue" },
    });
    expect([replaced.status, replaced.body.object]).toEqual([200, { colour: "blue" }]);
    const patched = await harness.call("PATCH", `${boats}/one`, { object: { colour: "green" } }, merge);
    expect([patched.status, patched.body.object]).toEqual([200, { colour: "green" }]);
  });

  it("whose names are taken is not served until they are free", async () => {
    await define(definition());
    const other = definition([version("v1")], { names: { plural: "ships", kind: "Boat" } });
    await define({ ...other, metadata: { name: "ships.example.com" } });
    expect((await harness.call("GET", boats.replace("boats", "ships"))).status).toBe(404);
  });

  it("remembers the versions that objects may be stored in", async () => {
    await define(definition([version("v1"), version("v2")]));
    const versions = [version("v1", { storage: false }), version("v2", { storage: true })];
    const changed = await harness.call("PATCH", `${definitionsPath}/boats.example.com`, { spec: { versions } }, merge);
    expect(changed.body.status.storedVersions).toEqual(["v1", "v2"]);
  });

  it("that is deleted takes no new objects and waits for those it has", async () => {
    await define(definition());
    await harness.call("POST", boats, boat("a"));
    const deleted = await harness.call("DELETE", `${definitionsPath}/boats.example.com`);
    expect(deleted.body.metadata.finalizers).toEqual(["customresourcecleanup.apiextensions.k8s.io"]);
    const refused = await harness.call("POST", boats, boat("b"));
    expect([refused.status, refused.body.message]).toEqual([405, "create not allowed while custom resource definition is terminating"]);
    expect((await harness.call("GET", `${boats}/a`)).status).toBe(200);
  });

  it("of a protected group needs a sign of approval", async () => {
    const given = { ...definition([version("v1")], { group: "boats.k8s.io" }), metadata: { name: "boats.boats.k8s.io" } };
    const refused = await harness.call("POST", definitionsPath, given);
    expect(refused.body.details.causes[0]).toMatchObject({
      reason: "FieldValueRequired",
      field: "metadata.annotations[api-approved.kubernetes.io]",
    });
    const annotations = { "api-approved.kubernetes.io": "unapproved, a test" };
    expect((await harness.call("POST", definitionsPath, { ...given, metadata: { ...given.metadata, annotations } })).status).toBe(201);
  });
});
