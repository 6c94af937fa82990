import { expect, it } from "vitest";
import { createAdmissionPolicyStatusController } from "../../../shared/controllers/admission-policy-status.ts";
import { customResourceDefinitions, validatingAdmissionPolicies } from "../../../shared/kubernetes/known-resources.ts";
import type { CustomResourceDefinition, ValidatingAdmissionPolicy } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

it("policies learn what their expressions get wrong about custom resources too", async () => {
  const cluster = createFakeCluster();
  const properties = { spec: { type: "object", properties: { size: { type: "integer" } } } };
  const openAPIV3Schema = { type: "object", properties };
  await cluster.client.create(customResourceDefinitions, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  } as CustomResourceDefinition);
  await cluster.client.create(validatingAdmissionPolicies, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "p", generation: 1 },
    spec: {
      matchConstraints: { resourceRules: [{ apiGroups: ["example.com"], apiVersions: ["v1"], operations: ["*"], resources: ["widgets"] }] },
      validations: [{ expression: "object.spec.size > '1'" }, { expression: "object.spec.size > 1" }],
    },
  } as ValidatingAdmissionPolicy);
  const controllers = await runControllers(cluster, createAdmissionPolicyStatusController());
  await controllers.settle();
  const status = cluster.get<ValidatingAdmissionPolicy>(validatingAdmissionPolicies, "", "p")?.status;
  expect(status?.observedGeneration).toBe(1);
  expect(status?.typeChecking?.expressionWarnings?.map(({ fieldRef }) => fieldRef)).toEqual(["spec.validations[0].expression"]);
  expect(status?.typeChecking?.expressionWarnings?.[0]?.warning).toContain("example.com/v1, Kind=Widget: compilation failed");
});
