import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { acceptNames } from "../../../../shared/kubernetes/custom/accepted-names.ts";
import { compareVersions } from "../../../../shared/kubernetes/custom/version-order.ts";
import { validateDefinition } from "../../../../shared/kubernetes/schema/validation/custom-resource-definition.ts";
import type { CustomResourceDefinition } from "../../../../shared/kubernetes/types.ts";

/** What apiextensions-apiserver 1.33 itself said of each definition (`definitions.json`). */
const recorded = z
  .object({ cases: z.array(z.object({ definition: z.record(z.string(), z.unknown()), problems: z.array(z.string()) })) })
  .parse(JSON.parse(readFileSync(new URL("definitions.json", import.meta.url), "utf8")));

test("the recording holds what it is for", () => {
  expect(recorded.cases.length).toBeGreaterThan(75);
  expect(recorded.cases.filter(({ problems }) => problems.length > 0).length).toBeGreaterThan(60);
});

test.each(recorded.cases.map((one) => [JSON.stringify(one.definition.spec).slice(90, 320), one] as const))(
  "%s",
  (_, { definition, problems }) => {
    const given = structuredClone(definition) as unknown as CustomResourceDefinition;
    given.status = { storedVersions: given.spec.versions.filter(({ storage }) => storage).map(({ name }) => name) };
    expect(
      validateDefinition(given)
        .map(({ field, message }) => `${field}: ${message}`)
        .sort(),
    ).toEqual(problems);
  },
);

test("versions are preferred as Kubernetes prefers them", () => {
  const given = ["v1", "foo10", "v10", "v3beta1", "v11alpha2", "foo1", "v11beta2", "v2", "v12alpha1", "v10beta3"];
  const order = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"];
  expect(given.sort(compareVersions)).toEqual(order);
});

describe("names of definitions", () => {
  const definition = (status?: CustomResourceDefinition["status"]): CustomResourceDefinition => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "boats.example.com" },
    spec: {
      group: "example.com",
      scope: "Cluster",
      names: { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList", shortNames: ["bt"] },
      versions: [],
    },
    ...(status && { status }),
  });

  test("that are free are accepted", () => {
    const { names, condition } = acceptNames(definition(), []);
    expect(names).toEqual({ plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList", shortNames: ["bt"] });
    expect(condition).toMatchObject({ status: "True", reason: "NoConflicts" });
  });

  test("that another has are not, and the rest is", () => {
    const { names, condition } = acceptNames(definition(), [{ plural: "ships", singular: "ship", kind: "Ship", shortNames: ["bt"] }]);
    expect(names).toEqual({ plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" });
    expect(condition).toMatchObject({ status: "False", reason: "ShortNamesConflict", message: '"bt" is already in use' });
  });

  test("that it has stay its own", () => {
    const had = { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList", shortNames: ["bt"] };
    expect(acceptNames(definition({ acceptedNames: had }), [had]).condition.status).toBe("True");
  });
});
