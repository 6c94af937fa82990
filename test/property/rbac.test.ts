import fc from "fast-check";
import { expect, it } from "vitest";
import { type RequestAttributes, ruleAllows, uncoveredRules } from "../../shared/auth/rbac-rules.ts";
import type { PolicyRule } from "../../shared/kubernetes/types.ts";

const some = (...values: string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const verbs = some("get", "list", "delete", "*");
const rule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record({
    verbs,
    apiGroups: some("", "apps", "*"),
    resources: some("pods", "pods/log", "*/log", "deployments", "*"),
    resourceNames: fc.oneof(fc.constant<string[]>([]), some("a", "b")),
  }),
  fc.record({ verbs, nonResourceURLs: some("/healthz", "/api/*", "/api/v1", "*") }),
);
const request: fc.Arbitrary<RequestAttributes> = fc.oneof(
  fc.record({
    kind: fc.constant("resource" as const),
    verb: fc.constantFrom("get", "list", "delete"),
    group: fc.constantFrom("", "apps"),
    resource: fc.constantFrom("pods", "deployments"),
    subresource: fc.constantFrom("", "log"),
    namespace: fc.constant("n"),
    name: fc.constantFrom("", "a", "b"),
  }),
  fc.record({
    kind: fc.constant("nonResource" as const),
    verb: fc.constantFrom("get", "list", "delete"),
    path: fc.constantFrom("/healthz", "/api/v1", "/api/v2", "/metrics"),
  }),
);
const rules = fc.array(rule, { maxLength: 4 });
const allowed = (held: readonly PolicyRule[], wanted: RequestAttributes) => held.some((one) => ruleAllows(one, wanted));

it("whoever is said to hold rules may do whatever they allow", () => {
  let covered = 0;
  fc.assert(
    fc.property(
      rules,
      fc.array(rule, { minLength: 1, maxLength: 2 }),
      fc.array(request, { minLength: 5, maxLength: 20 }),
      (owned, wanted, requests) => {
        if (uncoveredRules(owned, wanted).length > 0) return true;
        covered++;
        return requests.every((one) => !allowed(wanted, one) || allowed(owned, one));
      },
    ),
    { numRuns: 3000 },
  );
  expect(covered).toBeGreaterThan(50);
});

it("everybody holds his own rules, and the superuser's rules hold all", () => {
  const all: PolicyRule[] = [
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
    { verbs: ["*"], nonResourceURLs: ["*"] },
  ];
  fc.assert(
    fc.property(rules, (held) => {
      expect(uncoveredRules(held, held)).toEqual([]);
      expect(uncoveredRules(all, held)).toEqual([]);
    }),
  );
});

it("what is uncovered and then added is covered", () => {
  fc.assert(
    fc.property(rules, rules, (owned, wanted) => {
      const missing = uncoveredRules(owned, wanted);
      expect(uncoveredRules([...owned, ...missing], wanted)).toEqual([]);
    }),
  );
});
