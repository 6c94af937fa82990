import { describe, expect, it } from "vitest";
import { checkPolicyTypes } from "../../../../shared/kubernetes/policies/type-check.ts";

const matchConstraints = {
  resourceRules: [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE" as const], resources: ["deployments"] }],
};
const none = { kindOf: () => undefined, typeOf: () => undefined };
const warnings = (...expressions: string[]) =>
  checkPolicyTypes({ matchConstraints, validations: expressions.map((expression) => ({ expression })) }, none);

describe("the types of a policy's expressions", () => {
  it("fit", () => {
    expect(
      warnings(
        "object.spec.replicas > 1",
        "object.metadata.labels['a'] == 'b'",
        "object.spec.template.spec.containers.all(c, c.name != 'x')",
      ),
    ).toEqual([]);
  });

  it("do not, and where", () => {
    const [first, second, ...more] = warnings("object.spec.replicas > '1'", "object.spec.maxRetries == 1", "true");
    expect(more).toEqual([]);
    expect(first?.fieldRef).toBe("spec.validations[0].expression");
    expect(first?.warning).toMatch(
      /^apps\/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '\(int, string\)'/,
    );
    expect(second?.warning).toContain("undefined field 'maxRetries'");
  });

  it("are those of message expressions and variables too", () => {
    const validations = [{ expression: "variables.n > 1", messageExpression: "'wants ' + variables.n" }];
    const [only] = checkPolicyTypes(
      { matchConstraints, variables: [{ name: "n", expression: "object.spec.replicas" }], validations },
      none,
    );
    expect(only?.fieldRef).toBe("spec.validations[0].messageExpression");
    expect(only?.warning).toContain("found no matching overload for '_+_' applied to '(string, int)'");
  });

  it("are not looked at where the rules name no kind", () => {
    const rules = [{ apiGroups: ["*"], apiVersions: ["v1"], operations: ["CREATE" as const], resources: ["deployments"] }];
    expect(checkPolicyTypes({ matchConstraints: { resourceRules: rules }, validations: [{ expression: "object.nothing" }] }, none)).toEqual(
      [],
    );
  });
});
