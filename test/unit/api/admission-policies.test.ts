import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { UserInfo } from "../../../shared/auth/user.ts";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const registration = "/apis/admissionregistration.k8s.io/v1";
const base = "/api/v1/namespaces/default";
const mergePatch = { "content-type": "application/merge-patch+json" };
const made: string[] = [];
beforeEach(async () => {
  for (const path of made.splice(0)) await api.call("DELETE", path);
});

const matchConstraints = {
  resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] }],
};
const post = async (kind: "policies" | "policybindings", name: string, spec: object) => {
  const path = `${registration}/validatingadmission${kind}`;
  const answer = await api.call("POST", path, { metadata: { name }, spec });
  if (answer.status === 201) made.push(`${path}/${name}`);
  return answer;
};
async function policy(spec: object, binding: object = {}): Promise<void> {
  const madePolicy = await post("policies", "p", { matchConstraints, ...spec });
  expect(madePolicy.body.message).toBeUndefined();
  const madeBinding = await post("policybindings", "b", { policyName: "p", validationActions: ["Deny"], ...binding });
  expect(madeBinding.body.message).toBeUndefined();
}
let count = 0;
const configMap = (data: Record<string, string>, user?: UserInfo) =>
  api.call("POST", `${base}/configmaps`, { metadata: { name: `m${count++}` }, data }, {}, user);

describe("validating admission policies", () => {
  it("refuse what an expression is false for, in Kubernetes' words", async () => {
    await policy({ validations: [{ expression: "object.data.size != 'big'" }] });
    expect((await configMap({ size: "small" })).status).toBe(201);
    const { status, body } = await configMap({ size: "big" });
    const message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.data.size != 'big'";
    expect([status, body.reason, body.message]).toEqual([422, "Invalid", `configmaps "${body.details.name}" is forbidden: ${message}`]);
    expect(body.details.causes).toEqual([{ message }]);
  });

  it("say what the message expression says, and with which reason", async () => {
    await policy({
      variables: [{ name: "size", expression: "object.data.size" }],
      validations: [{ expression: "variables.size != 'big'", messageExpression: "'not ' + variables.size", reason: "Forbidden" }],
    });
    const { status, body } = await configMap({ size: "big" });
    expect([status, body.reason, body.message.split("denied request: ")[1]]).toEqual([403, "Forbidden", "not big"]);
  });

  it("see the old object, the request, the namespace and the user", async () => {
    await policy({
      validations: [
        { expression: "request.operation == 'CREATE' || object.data.a == oldObject.data.a", message: "a stays" },
        { expression: "namespaceObject.metadata.name == 'default'", message: "namespace" },
        { expression: "request.userInfo.username == 'admin'", message: "user" },
        { expression: "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()", message: "authorizer" },
        { expression: "authorizer.requestResource.check('delete').allowed()", message: "request resource" },
      ],
    });
    const { status, body } = await configMap({ a: "1" });
    expect([status, body.message]).toEqual([201, undefined]);
    const changed = await api.call("PATCH", `${base}/configmaps/${body.metadata.name}`, { data: { a: "2" } }, mergePatch);
    expect(changed.body.message).toContain("denied request: a stays");
  });

  it("warn where their binding says so", async () => {
    await policy({ validations: [{ expression: "false", message: "hm" }] }, { validationActions: ["Warn", "Audit"] });
    const { status, headers } = await configMap({});
    expect([status, headers.warning]).toEqual([201, `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': hm"`]);
  });

  it("fail closed or open when an expression cannot be evaluated", async () => {
    await policy({ validations: [{ expression: "object.data.absent == 'x'" }] });
    expect((await configMap({ a: "b" })).body.message).toContain(
      "denied request: expression 'object.data.absent == 'x'' resulted in error: no such key: absent",
    );
    await api.call("PATCH", `${registration}/validatingadmissionpolicies/p`, { spec: { failurePolicy: "Ignore" } }, mergePatch);
    expect((await configMap({ a: "b" })).status).toBe(201);
  });

  it("are skipped where a match condition is false", async () => {
    await policy({ matchConditions: [{ name: "big", expression: "object.data.size == 'big'" }], validations: [{ expression: "false" }] });
    expect((await configMap({ size: "small" })).status).toBe(201);
    expect((await configMap({ size: "big" })).status).toBe(422);
  });

  it("evaluate with each of their parameters", async () => {
    await api.call("POST", `${base}/configmaps`, { metadata: { name: "limits", labels: { use: "limits" } }, data: { most: "2" } });
    const spec = {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      validations: [{ expression: "size(object.data) <= int(params.data.most)" }],
    };
    await policy(spec, { paramRef: { name: "limits", namespace: "default", parameterNotFoundAction: "Deny" } });
    expect((await configMap({ a: "1", b: "2" })).status).toBe(201);
    expect((await configMap({ a: "1", b: "2", c: "3" })).status).toBe(422);
    const ref = { selector: { matchLabels: { use: "nothing" } }, parameterNotFoundAction: "Deny" };
    const path = `${registration}/validatingadmissionpolicybindings/b`;
    await api.call("PATCH", path, { spec: { paramRef: { name: null, namespace: null, ...ref } } }, mergePatch);
    expect((await configMap({})).body.message).toContain(
      "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
    );
    await api.call("PATCH", path, { spec: { paramRef: { parameterNotFoundAction: "Allow" } } }, mergePatch);
    expect((await configMap({ a: "1", b: "2", c: "3" })).status).toBe(201);
  });

  it("whose kind of parameters is not served refuse what they match", async () => {
    const spec = { paramKind: { apiVersion: "example.com/v1", kind: "Nothing" }, validations: [{ expression: "true" }] };
    await policy(spec, { paramRef: { name: "x", parameterNotFoundAction: "Allow" } });
    expect((await configMap({})).body.message).toContain(
      "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Nothing'",
    );
  });

  it("do not apply where their binding's own rules do not match", async () => {
    const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "elsewhere" } } };
    await policy({ validations: [{ expression: "false" }] }, { matchResources });
    expect((await configMap({})).status).toBe(201);
  });

  it("cost no more than a budget", async () => {
    const nested = "[0,1,2,3,4,5,6,7,8,9]";
    const all = ["a", "b", "c", "d", "e", "f"].reduceRight(
      (inner, name) => `${nested}.all(${name}, ${inner})`,
      "size(string(a)) > 0 && object.data.size() < 100",
    );
    await policy({ validations: [{ expression: all }] });
    expect((await configMap({ a: "b" })).body.message).toMatch(/cost limit exceeded|running out of cost budget/);
  });
});

it("the result of type checking is kept, also where it found nothing", async () => {
  await policy({ validations: [{ expression: "true" }] });
  const status = { observedGeneration: 1, typeChecking: {} };
  const { body } = await api.call("PATCH", `${registration}/validatingadmissionpolicies/p/status`, { status }, mergePatch);
  expect(body.status).toEqual(status);
});

describe("policies that cannot be", () => {
  const problems = async (spec: object) => {
    const { status, body } = await post("policies", "bad", { matchConstraints, ...spec });
    return [status, ...(body.details.causes as { field: string; message: string }[]).map(({ field, message }) => `${field}: ${message}`)];
  };

  it("are refused with what is wrong with their expressions", async () => {
    const [status, ...causes] = await problems({
      validations: [{ expression: "object.a ==" }, { expression: "'text'" }, { expression: "variables.x == 1" }],
    });
    expect(status).toBe(422);
    expect(causes[0]).toMatch(
      /^spec\.validations\[0\]\.expression: Invalid value: "object\.a ==": compilation failed: ERROR: <input>:1:12: Syntax error/,
    );
    expect(causes[1]).toBe("spec.validations[1].expression: Invalid value: \"'text'\": must evaluate to bool but got string");
    expect(causes[2]).toContain("undeclared reference to 'variables'");
  });

  it("are refused without rules or validations", async () => {
    expect(await problems({ matchConstraints: {} })).toEqual([
      422,
      "spec.matchConstraints.resourceRules: Required value",
      "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
      "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
    ]);
  });

  it("are refused as bindings that both deny and warn", async () => {
    const { body } = await post("policybindings", "bad", { policyName: "p", validationActions: ["Deny", "Warn"] });
    expect(body.message).toContain("must not contain both Deny and Warn (repeating the same validation failure information");
  });

  it("are refused as match conditions of webhooks too", async () => {
    const { body } = await api.call("POST", `${registration}/validatingwebhookconfigurations`, {
      metadata: { name: "w" },
      webhooks: [
        {
          name: "w.example.com",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          clientConfig: { url: "https://hook.example.com" },
          rules: matchConstraints.resourceRules,
          matchConditions: [{ name: "bad", expression: "... && [" }],
        },
      ],
    });
    expect(body.message).toContain('webhooks[0].matchConditions[0].expression: Invalid value: "... && [": compilation failed');
  });
});
