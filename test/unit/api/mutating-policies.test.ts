import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness({}, ["MutatingAdmissionPolicy"]);
});
afterAll(() => api.close());

const registration = "/apis/admissionregistration.k8s.io/v1alpha1";
const base = "/api/v1/namespaces/default";
const mergePatch = { "content-type": "application/merge-patch+json" };
const made: string[] = [];
beforeEach(async () => {
  for (const path of made.splice(0)) await api.call("DELETE", path);
});

const rulesFor = (group: string, resource: string, operations = ["CREATE", "UPDATE"]) => ({
  resourceRules: [{ apiGroups: [group], apiVersions: ["v1"], operations, resources: [resource] }],
});
const apply = (expression: string) => ({ patchType: "ApplyConfiguration", applyConfiguration: { expression } });
const patch = (expression: string) => ({ patchType: "JSONPatch", jsonPatch: { expression } });
const post = async (kind: "policies" | "policybindings", name: string, spec: object) => {
  const path = `${registration}/mutatingadmission${kind}`;
  const answer = await api.call("POST", path, { metadata: { name }, spec });
  if (answer.status === 201) made.push(`${path}/${name}`);
  return answer;
};
async function policy(mutations: object[], spec: object = {}, binding: object = {}, name = "p"): Promise<void> {
  const whole = { matchConstraints: rulesFor("", "configmaps"), reinvocationPolicy: "Never", mutations, ...spec };
  expect((await post("policies", name, whole)).body.message).toBeUndefined();
  expect((await post("policybindings", name, { policyName: name, ...binding })).body.message).toBeUndefined();
}
let count = 0;
const configMap = (data: Record<string, string> = {}, more: object = {}) =>
  api.call("POST", `${base}/configmaps`, { metadata: { name: `m${count++}`, ...more }, data });

describe("an apply configuration", () => {
  it("is merged into the object, and takes nothing away", async () => {
    await policy([apply(`Object{metadata: Object.metadata{labels: {"made": "by-policy"}}, data: {"b": object.data.a + "!"}}`)]);
    const { body } = await configMap({ a: "1" }, { labels: { own: "x" } });
    expect(body.data).toEqual({ a: "1", b: "1!" });
    expect(body.metadata.labels).toEqual({ own: "x", made: "by-policy" });
  });

  it("finds the elements of keyed lists by their keys", async () => {
    const env = `[Object.spec.template.spec.containers.env{name: "ADDED", value: "yes"}]`;
    const containers = `object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{name: c.name, env: ${env}})`;
    await policy(
      [apply(`Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: ${containers}}}}}`)],
      {
        matchConstraints: rulesFor("apps", "deployments"),
      },
    );
    const labels = { app: "a" };
    const spec = { containers: [{ name: "c", image: "i", env: [{ name: "OWN", value: "1" }] }] };
    const deployment = { metadata: { name: "d" }, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } };
    const { body } = await api.call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment);
    expect(body.spec.template.spec.containers[0]).toMatchObject({
      ...{ name: "c", image: "i" },
      env: [
        { name: "OWN", value: "1" },
        { name: "ADDED", value: "yes" },
      ],
    });
  });

  it("leaves out optional fields that have no value", async () => {
    await policy([apply(`Object{data: {?"z": object.?data.?absent, "y": "1"}, ?metadata: optional.none()}`)]);
    expect((await configMap({ a: "1" })).body.data).toEqual({ a: "1", y: "1" });
  });

  it.each([
    [`Object{spec: Object.spec{}}`, ".spec: field not declared in schema", "failed to convert patch object to typed object: "],
    [
      `Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{uid: "x"}], finalizers: [1]}}`,
      "expected string",
      "",
    ],
    [`Object{data: null}`, "expected map, got &{NULL_VALUE}", "typed object: .data: "],
    [`Object{data: {"a": null}}`, "expected string, got &value.valueUnstructured{Value:0}", ".data.a: "],
    [`Object{data: {"a": b'abc'}}`, "{Value:[]uint8{0x61, 0x62, 0x63}}", ""],
    [`Object{data: {"a": timestamp("2026-01-02T03:04:05Z")}}`, "{Value:time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)}", ""],
    [`Object{data: {1: "a"}}`, "invalid return type: *dynamic.ObjectVal", ""],
    [`Object{?data: object.metadata.name}`, "cannot initialize optional entry 'data' from non-optional value m", ""],
    [
      `Object{metadata: Object.metadata{ownerReferences: [{"uid": "x"}]}}`,
      ".metadata.ownerReferences: element 0: associative list with keys may not have non-map elements",
      "",
    ],
    [`Object{metadata: Object.wrong{}}`, `unexpected type name "Object.wrong", expected "Object.metadata"`, "type mismatch: "],
  ])("that does not fit is refused: %s", async (expression, problem, before) => {
    await policy([apply(expression)]);
    const { status, body } = await configMap();
    expect([status, body.reason]).toEqual([403, "Invalid"]);
    expect(body.message).toContain("policy 'p' with binding 'p' denied request: ");
    expect(body.message).toContain(`${before}${problem}`);
    expect(body.details.causes).toEqual([{ message: body.message }]);
  });

  it("may not set what is replaced as a whole", async () => {
    await policy([apply(`Object{spec: Object.spec{selector: {"a": "b"}}}`)], { matchConstraints: rulesFor("", "services") });
    const { body } = await api.call("POST", `${base}/services`, { metadata: { name: "s" }, spec: { ports: [{ port: 1 }] } });
    expect(body.message).toContain(
      "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
    );
  });
});

it("nothing moves an object to another namespace", async () => {
  await policy([apply(`Object{metadata: Object.metadata{namespace: "elsewhere"}}`)]);
  const { status, body } = await configMap();
  expect([status, body.message]).toEqual([400, "the namespace of the provided object does not match the namespace sent on the request"]);
});

describe("a JSON patch", () => {
  it("is applied operation by operation, over what expressions and variables say", async () => {
    await policy(
      [
        patch(`[
          JSONPatch{op: "test", path: "/data/a", value: "1"},
          JSONPatch{op: "add", path: "/metadata/labels", value: {}},
          JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/x"), value: variables.label},
          JSONPatch{op: "copy", from: "/data/a", path: "/data/b"},
          JSONPatch{op: "remove", path: "/data/a"}]`),
      ],
      { variables: [{ name: "label", expression: "object.metadata.name" }] },
    );
    const { body } = await configMap({ a: "1" });
    expect([body.message, body.data, body.metadata.labels]).toEqual([undefined, { b: "1" }, { "example.com/x": body.metadata.name }]);
  });

  it("whose test fails changes nothing and refuses nothing", async () => {
    await policy([patch(`[JSONPatch{op: "test", path: "/data/a", value: "2"}, JSONPatch{op: "remove", path: "/data/a"}]`)]);
    expect((await configMap({ a: "1" })).body.data).toEqual({ a: "1" });
  });

  it("puts objects in, as they are written", async () => {
    await policy([
      patch(`[JSONPatch{op: "add", path: "/metadata", value: Object.metadata{name: object.metadata.name, labels: {"n": "v"}}}]`),
    ]);
    expect((await configMap()).body.metadata.labels).toEqual({ n: "v" });
  });

  it("that does not apply is told why", async () => {
    await policy([patch(`[JSONPatch{op: "remove", path: "/data/absent"}]`)]);
    expect((await configMap({ a: "1" })).body.message).toBe(
      "policy 'p' with binding 'p' denied request: JSON Patch: error in remove for path: '/data/absent': Unable to remove nonexistent key: absent: missing value",
    );
  });

  it("to an object that cannot be read is an internal error, whatever the failure policy", async () => {
    await policy([patch(`[JSONPatch{op: "add", path: "/nothing", value: 1}]`)], { failurePolicy: "Ignore" });
    const { status, body } = await configMap();
    expect([status, body.message]).toEqual([500, `Internal error occurred: strict decoding error: unknown field "nothing"`]);
  });
});

describe("mutating policies", () => {
  const append = (letter: string) =>
    apply(`Object{data: {"log": (has(object.data) && has(object.data.log) ? object.data.log : "") + "${letter}"}}`);

  it("come by name, each over what those before it made", async () => {
    await policy([append("c"), append("d")], {}, {}, "p2");
    await policy([append("a"), append("b")], {}, {}, "p1");
    expect((await configMap()).body.data.log).toBe("abcd");
  });

  it("see a change that came after them when they want to", async () => {
    await policy([append("a")], { reinvocationPolicy: "IfNeeded" }, {}, "p1");
    await policy([append("b")], {}, {}, "p2");
    expect((await configMap()).body.data.log).toBe("aba");
  });

  it("are skipped where a match condition is false, and for deletions", async () => {
    await policy([append("a")], { matchConditions: [{ name: "big", expression: "'big' in object.data" }] });
    expect((await configMap({ small: "1" })).body.data.log).toBeUndefined();
    const { body } = await configMap({ big: "1" });
    expect(body.data.log).toBe("a");
    expect((await api.call("DELETE", `${base}/configmaps/${body.metadata.name}`)).status).toBe(200);
  });

  it("work with each of their parameters", async () => {
    for (const name of ["x", "y"])
      await api.call("POST", `${base}/secrets`, { metadata: { name, labels: { use: "param" } }, stringData: { key: name } });
    const paramRef = { selector: { matchLabels: { use: "param" } }, parameterNotFoundAction: "Deny" };
    await policy(
      [apply("Object{data: {params.metadata.name: 'here'}}")],
      { paramKind: { apiVersion: "v1", kind: "Secret" } },
      { paramRef },
    );
    expect((await configMap()).body.data).toEqual({ x: "here", y: "here" });
    const path = `${registration}/mutatingadmissionpolicybindings/p`;
    await api.call("PATCH", path, { spec: { paramRef: { selector: { matchLabels: { use: "other" } } } } }, mergePatch);
    const { status, body } = await configMap();
    const message =
      "policy 'p' with binding 'p' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    expect([status, body.reason, body.message]).toEqual([403, "Forbidden", message]);
    await api.call("PATCH", path, { spec: { paramRef: { parameterNotFoundAction: "Allow" } } }, mergePatch);
    expect((await configMap()).status).toBe(201);
  });

  it("that fail refuse the request, or let it pass with what else they did", async () => {
    await policy([apply("Object{data: {'a': object.data.absent}}"), append("b")]);
    const { status, body } = await configMap({ x: "1" });
    const message =
      "policy 'p' with binding 'p' denied request: expression 'Object{data: {'a': object.data.absent}}' resulted in error: no such key: absent";
    expect([status, body.reason, body.message]).toEqual([403, "Invalid", message]);
    await api.call("PATCH", `${registration}/mutatingadmissionpolicies/p`, { spec: { failurePolicy: "Ignore" } }, mergePatch);
    expect((await configMap({ x: "1" })).body.data).toEqual({ x: "1", log: "b" });
  });

  it("may cost no more than a budget", async () => {
    const nested = ["a", "b", "c", "d", "e", "f"].reduceRight(
      (inner, name) => `[0,1,2,3,4,5,6,7,8,9].all(${name}, ${inner})`,
      "size(string(a)) > 0",
    );
    await policy([apply(`Object{data: {"a": ${nested} ? "1" : "2"}}`)]);
    expect((await configMap()).body.message).toMatch(/cost limit exceeded|running out of cost budget/);
  });

  it("change custom objects, and what is written through subresources", async () => {
    const schema = { type: "object", properties: { spec: { type: "object", properties: { size: { type: "integer" } } } } };
    const definition = {
      metadata: { name: "things.example.com" },
      spec: {
        ...{ group: "example.com", scope: "Namespaced", names: { plural: "things", kind: "Thing" } },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    };
    await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    await policy([apply("Object{spec: Object.spec{size: object.spec.size + 1}}")], { matchConstraints: rulesFor("example.com", "things") });
    const thing = { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t" }, spec: { size: 1 } };
    expect((await api.call("POST", "/apis/example.com/v1/namespaces/default/things", thing)).body.spec).toEqual({ size: 2 });
  });

  it("are not changed by each other", async () => {
    await policy([apply(`Object{metadata: Object.metadata{labels: {"a": "b"}}}`)], {
      matchConstraints: rulesFor("admissionregistration.k8s.io", "*"),
    });
    const { body } = await api.call("GET", `${registration}/mutatingadmissionpolicies/p`);
    expect(body.metadata.labels).toBeUndefined();
  });
});

describe("mutating policies that cannot be", () => {
  const problems = async (spec: object) => {
    const whole = { matchConstraints: rulesFor("", "configmaps"), reinvocationPolicy: "Never", ...spec };
    const { status, body } = await post("policies", "bad", whole);
    return [status, ...(body.details.causes as { field: string; message: string }[]).map(({ field, message }) => `${field}: ${message}`)];
  };

  it.each([
    [{}, "spec.mutations: Required value: mutations must contain at least one item"],
    [{ mutations: [{ patchType: "" }] }, "spec.mutations[0].patchType: Required value"],
    [
      { mutations: [{ patchType: "X" }] },
      `spec.mutations[0].patchType: Unsupported value: "X": supported values: "ApplyConfiguration", "JSONPatch"`,
    ],
    [
      { mutations: [{ patchType: "JSONPatch" }] },
      "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
    ],
    [{ mutations: [patch(" ")] }, "spec.mutations[0].jsonPatch.expression: Required value"],
    [
      { mutations: [{ ...patch("[JSONPatch{}]"), applyConfiguration: { expression: "x" } }] },
      `spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch`,
    ],
    [
      { mutations: [apply("1")] },
      `spec.mutations[0].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int`,
    ],
    [
      { mutations: [patch("[]")] },
      `spec.mutations[0].jsonPatch.expression: Invalid value: "[]": must evaluate to list(JSONPatch) but got list(dyn)`,
    ],
    [{ mutations: [apply("Object{}")], reinvocationPolicy: "" }, "spec.reinvocationPolicy: Required value"],
    [
      { mutations: [apply("Object{}")], matchConstraints: rulesFor("", "configmaps", ["DELETE"]) },
      `spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"`,
    ],
  ])("%j", async (spec, problem) => {
    expect(await problems(spec)).toEqual([422, problem]);
  });

  it("do not compile, in the words of the language", async () => {
    const [, first] = await problems({ mutations: [patch(`[JSONPatch{op: 1, path: "/a"}]`)] });
    expect(first).toContain("compilation failed: ERROR: <input>:1:14: expected type of field 'op' is 'string' but provided type is 'int'");
    const [, second] = await problems({ mutations: [apply("Invalid{}")] });
    expect(second).toContain("ERROR: <input>:1:8: undeclared reference to 'Invalid' (in container '')");
  });
});

describe("whose parameters a user may not read", () => {
  const user = { username: "alice", groups: ["system:authenticated"] };
  const rules = [{ apiGroups: ["admissionregistration.k8s.io"], resources: ["*"], verbs: ["*"] }];
  const roles = "/apis/rbac.authorization.k8s.io/v1";
  const subjects = [{ kind: "User", name: "alice", apiGroup: "rbac.authorization.k8s.io" }];
  const allow = async (name: string, more: object[]) => {
    await api.call("POST", `${roles}/clusterroles`, { metadata: { name }, rules: more });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
    await api.call("POST", `${roles}/clusterrolebindings`, { metadata: { name }, roleRef, subjects });
  };
  const group = "admissionregistration.k8s.io";
  const paramKind = { apiVersion: "v1", kind: "Secret" };
  const spec = { matchConstraints: rulesFor("", "configmaps"), reinvocationPolicy: "Never", mutations: [apply("Object{}")], paramKind };
  const send = (kind: string, name: string, body: object) =>
    api.call("POST", `${registration}/mutatingadmission${kind}`, { metadata: { name }, spec: body }, {}, user);

  it("he writes no policy and no binding over", async () => {
    await allow("policies", rules);
    const who = "&{alice  [system:authenticated] map[]}";
    const policyText = `MutatingAdmissionPolicy.${group} "over" is invalid: spec.paramKind: Forbidden: user ${who} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)`;
    expect((await send("policies", "over", spec)).body.message).toBe(policyText);
    const paramRef = { name: "s", namespace: "default" };
    const bindingText = `MutatingAdmissionPolicyBinding.${group} "over" is invalid: spec.paramRef: Forbidden: unable to get policy over to determine minimum required permissions and user ${who} does not have "get" permission for all groups, versions and resources`;
    expect((await send("policybindings", "over", { policyName: "over", paramRef })).body.message).toBe(bindingText);
    await allow("secrets", [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }]);
    expect((await send("policies", "over", spec)).status).toBe(201);
    expect((await send("policybindings", "over", { policyName: "over", paramRef })).status).toBe(201);
    const all = { policyName: "over", paramRef: { selector: {} } };
    expect((await send("policybindings", "all", all)).body.message).toBe(
      `MutatingAdmissionPolicyBinding.${group} "all" is invalid: spec.paramRef: Forbidden: user list does not have "${who}" permission on the object referenced by paramRef`,
    );
    for (const kind of ["policies", "policybindings"]) await api.call("DELETE", `${registration}/mutatingadmission${kind}/over`);
  });
});

describe("the kinds", () => {
  it("are served, with defaults, columns and a published schema", async () => {
    await policy([apply("Object{}")]);
    const { body } = await api.call("GET", `${registration}/mutatingadmissionpolicies/p`);
    expect(body).toMatchObject({
      apiVersion: "admissionregistration.k8s.io/v1alpha1",
      kind: "MutatingAdmissionPolicy",
      metadata: { generation: 1 },
    });
    expect(body.spec).toMatchObject({ failurePolicy: "Fail", matchConstraints: { matchPolicy: "Equivalent", namespaceSelector: {} } });
    const table = await api.call("GET", `${registration}/mutatingadmissionpolicies`, undefined, {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    });
    expect(JSON.parse(table.text).rows[0].cells.slice(0, 3)).toEqual(["p", 1, "<unset>"]);
    expect((await api.call("GET", "/apis/admissionregistration.k8s.io")).body.versions).toHaveLength(2);
    expect((await api.call("GET", "/openapi/v3/apis/admissionregistration.k8s.io/v1alpha1")).text).toContain(
      ".v1alpha1.MutatingAdmissionPolicy",
    );
    expect((await api.call("GET", "/openapi/v2")).text).toContain(".v1alpha1.MutatingAdmissionPolicy");
  });

  it("are not there, and do nothing, where the gate is closed", async () => {
    const closed = await createHarness();
    expect((await closed.call("GET", registration)).status).toBe(404);
    expect((await closed.call("GET", `${registration}/mutatingadmissionpolicies`)).status).toBe(404);
    expect((await closed.call("GET", "/openapi/v2")).text).not.toContain("v1alpha1.MutatingAdmission");
    await closed.close();
  });
});
