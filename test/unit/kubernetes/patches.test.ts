import { describe, expect, it } from "vitest";
import { applyJsonPatch } from "../../../shared/kubernetes/json-patch.ts";
import { applyMergePatch } from "../../../shared/kubernetes/merge-patch.ts";
import { kindSchema } from "../../../shared/kubernetes/schema/kind-schema.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import { applyStrategicMergePatch } from "../../../shared/kubernetes/strategic-merge-patch.ts";

const refused = new StatusError("Invalid", "the server rejected our request due to an error in our request", {});

describe("applyJsonPatch", () => {
  const document = { data: { a: "1", b: "2" }, list: [1, 2, 3] };

  it.each([
    [
      "adds, removes and replaces",
      [
        { op: "add", path: "/data/c", value: "3" },
        { op: "remove", path: "/data/a" },
        { op: "replace", path: "/data/b", value: "9" },
      ],
      { data: { b: "9", c: "3" }, list: [1, 2, 3] },
    ],
    [
      "copies and moves",
      [
        { op: "copy", from: "/data/a", path: "/data/d" },
        { op: "move", from: "/data/a", path: "/data/e" },
      ],
      { data: { b: "2", d: "1", e: "1" }, list: [1, 2, 3] },
    ],
    [
      "inserts into lists, counts from the end, appends",
      [
        { op: "add", path: "/list/1", value: 9 },
        { op: "remove", path: "/list/-1" },
        { op: "add", path: "/list/-", value: 7 },
        { op: "replace", path: "/list/0", value: 0 },
      ],
      { data: { a: "1", b: "2" }, list: [0, 9, 2, 7] },
    ],
    ["unescapes steps", [{ op: "add", path: "/data/a~1b~0c", value: "x" }], { data: { a: "1", b: "2", "a/b~c": "x" }, list: [1, 2, 3] }],
    [
      "takes an absent value for null in a test",
      [
        { op: "test", path: "/data/z", value: null },
        { op: "test", path: "/data/a", value: "1" },
      ],
      document,
    ],
    ["sets null where no value is given", [{ op: "add", path: "/data/n" }], { data: { a: "1", b: "2", n: null }, list: [1, 2, 3] }],
    [
      "replaces and copies what is not there, as Kubernetes' library does",
      [
        { op: "replace", path: "/data/n", value: "1" },
        { op: "copy", from: "/data/zzz", path: "/data/m" },
      ],
      { data: { a: "1", b: "2", n: "1", m: null }, list: [1, 2, 3] },
    ],
    ["replaces the whole document", [{ op: "replace", path: "", value: { x: 1 } }], { x: 1 }],
    [
      "changes a copy without changing its source",
      [
        { op: "add", path: "/data/x", value: { y: 1 } },
        { op: "copy", from: "/data/x", path: "/data/z" },
        { op: "add", path: "/data/z/w", value: 2 },
      ],
      { data: { a: "1", b: "2", x: { y: 1 }, z: { y: 1, w: 2 } }, list: [1, 2, 3] },
    ],
  ])("%s", (_, patch, expected) => {
    const before = structuredClone(document);
    expect(applyJsonPatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });

  it.each([
    ["a test that fails", [{ op: "test", path: "/data/b", value: "nope" }]],
    ["the removal of what is not there", [{ op: "remove", path: "/data/zzz" }]],
    ["the removal of what every object inherits", [{ op: "remove", path: "/data/toString" }]],
    ["a replacement below what is not there", [{ op: "replace", path: "/zzz/a", value: 1 }]],
    ["a path through a scalar", [{ op: "add", path: "/data/a/b", value: 1 }]],
    ["an index beyond the list", [{ op: "add", path: "/list/4", value: 1 }]],
    ["a move into itself", [{ op: "move", from: "/data", path: "/data/x" }]],
    ["a prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }]],
    ["an operation that does not exist", [{ op: "frob", path: "/data/a" }]],
    ["an operation without path", [{ op: "remove" }]],
    [
      "copies that grow without bound",
      [
        { op: "add", path: "/data/x", value: "x".repeat(100_000) },
        ...Array.from({ length: 30 }, (_, i) => ({ op: "copy", from: "/data", path: `/data/c${i}` })),
      ],
    ],
  ])("refuses %s with what the recordings say", (_, patch) => {
    expect(() => applyJsonPatch(document, patch)).toThrow(expect.objectContaining(refused));
  });

  it("says why it cannot read a patch", () => {
    expect(() => applyJsonPatch(document, { not: "a list" })).toThrow(
      new StatusError("BadRequest", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
    );
    expect(() => applyJsonPatch(document, [1])).toThrow(
      new StatusError("BadRequest", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
    );
    expect(() => applyJsonPatch(document, [{ op: 1 }])).toThrow(
      new StatusError(
        "BadRequest",
        "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
      ),
    );
  });

  it("refuses more than 10,000 operations", () => {
    const patch = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "1" }));
    expect(() => applyJsonPatch(document, patch)).toThrow(
      new StatusError(
        "RequestEntityTooLarge",
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
      ),
    );
  });

  it("shares what no operation touched", () => {
    const patched = applyJsonPatch(document, [{ op: "add", path: "/data/c", value: "3" }]) as typeof document;
    expect(patched.list).toBe(document.list);
  });
});

describe("applyMergePatch", () => {
  it.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("of RFC 7396 appendix A: %j with %j is %j", (document, patch, expected) => {
    const before = structuredClone(document);
    expect(applyMergePatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });

  it("refuses to set a prototype", () => {
    expect(() => applyMergePatch({}, JSON.parse('{"__proto__":{"x":1}}'))).toThrow(StatusError);
  });
});

describe("applyStrategicMergePatch", () => {
  const schema = kindSchema("", "v1", "Pod")?.patch;
  const patchSpec = (original: object, patch: object) => applyStrategicMergePatch({ spec: original }, { spec: patch }, schema).spec;

  it("merges containers by name and puts what is new first", () => {
    const original = { containers: [{ name: "main", image: "web:1", env: [{ name: "A", value: "1" }] }] };
    const before = structuredClone(original);
    expect(
      patchSpec(original, {
        containers: [
          { name: "main", env: [{ name: "B", value: "2" }] },
          { name: "side", image: "s" },
        ],
      }),
    ).toEqual({
      containers: [
        {
          name: "main",
          image: "web:1",
          env: [
            { name: "B", value: "2" },
            { name: "A", value: "1" },
          ],
        },
        { name: "side", image: "s" },
      ],
    });
    expect(original).toEqual(before);
  });

  it("deletes and replaces elements by directive", () => {
    const original = { containers: [{ name: "a", env: [{ name: "A" }] }, { name: "b" }] };
    expect(patchSpec(original, { containers: [{ $patch: "delete", name: "b" }] })).toEqual({ containers: [original.containers[0]] });
    expect(patchSpec(original, { containers: [{ name: "a", env: [{ $patch: "replace" }, { name: "C" }] }] })).toEqual({
      containers: [{ name: "a", env: [{ name: "C" }] }, { name: "b" }],
    });
  });

  it("replaces and deletes objects by directive, and properties by null", () => {
    const original = { nodeSelector: { a: "1" }, securityContext: { runAsUser: 1 }, hostname: "h" };
    expect(patchSpec(original, { securityContext: { $patch: "replace", fsGroup: 2 }, hostname: null })).toEqual({
      nodeSelector: { a: "1" },
      securityContext: { fsGroup: 2 },
    });
    expect(patchSpec(original, { securityContext: { $patch: "delete" } })).toMatchObject({ securityContext: {} });
  });

  it("replaces atomic lists", () => {
    expect(patchSpec({ tolerations: [{ key: "a" }] }, { tolerations: [{ key: "b" }] })).toEqual({ tolerations: [{ key: "b" }] });
  });

  it("clears what retainKeys does not list", () => {
    const strategy = kindSchema("apps", "v1", "Deployment")?.patch;
    const live = { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } };
    expect(applyStrategicMergePatch(live, { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }, strategy)).toEqual({
      spec: { strategy: { type: "Recreate" } },
    });
    expect(() => applyStrategicMergePatch(live, { spec: { strategy: { $retainKeys: ["x"], type: "Recreate" } } }, strategy)).toThrow(
      new StatusError("BadRequest", "invalid patch format of retainKeys"),
    );
  });

  it("merges lists of scalars as sets and deletes from them", () => {
    const live = { metadata: { finalizers: ["a", "b"] } };
    expect(applyStrategicMergePatch(live, { metadata: { finalizers: ["c", "a"] } }, schema)).toEqual({
      metadata: { finalizers: ["c", "a", "b"] },
    });
    expect(applyStrategicMergePatch(live, { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } }, schema)).toEqual({
      metadata: { finalizers: ["b"] },
    });
    expect(applyStrategicMergePatch({ metadata: {} }, { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } }, schema)).toEqual({
      metadata: {},
    });
  });

  it("orders a list as setElementOrder says", () => {
    const original = { containers: [{ name: "a" }, { name: "b" }, { name: "c" }] };
    const patch = { "$setElementOrder/containers": [{ name: "c" }, { name: "a" }], containers: [{ name: "c", image: "x" }] };
    expect(patchSpec(original, patch)).toEqual({ containers: [{ name: "b" }, { name: "c", image: "x" }, { name: "a" }] });
    expect(patchSpec(original, { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] })).toEqual({
      containers: [{ name: "b" }, { name: "a" }, { name: "c" }],
    });
    expect(() => patchSpec(original, { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "b" }] })).toThrow(
      /^The order in patch list:/,
    );
  });

  it("drops nulls and directives from what is new", () => {
    expect(
      patchSpec(
        {},
        { securityContext: { runAsUser: null, fsGroup: 1 }, containers: [{ name: "a", env: [{ name: "X", $patch: "delete" }] }] },
      ),
    ).toEqual({
      securityContext: { fsGroup: 1 },
      containers: [{ name: "a", env: [] }],
    });
  });

  it("refuses what it cannot understand", () => {
    const original = { containers: [{ name: "a" }] };
    expect(() => patchSpec(original, { containers: [{ image: "x" }] })).toThrow(
      "map: map[image:x] does not contain declared merge key: name",
    );
    expect(() => patchSpec(original, { containers: ["x"] })).toThrow(/^list element types are not identical/);
    expect(() => patchSpec(original, { containers: [[]] })).toThrow(refused);
    expect(() => patchSpec({ securityContext: {} }, { securityContext: { $patch: "frob" } })).toThrow(
      "unknown patch type: frob in map: map[$patch:frob]",
    );
  });
});

it("a JSON patch that copies a value makes two of it", () => {
  const patched = applyJsonPatch({ a: { x: [1] } }, [{ op: "copy", from: "/a", path: "/b" }]) as Record<string, { x: number[] }>;
  expect(patched.b).toEqual({ x: [1] });
  expect(patched.b).not.toBe(patched.a);
  expect(patched.b?.x).not.toBe(patched.a?.x);
});
