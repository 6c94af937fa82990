import { afterAll, beforeAll, describe, expect } from "vitest";
import { itWith, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const policies = `
apiVersion: admissionregistration.k8s.io/v1alpha1
kind: MutatingAdmissionPolicy
metadata: { name: sidecar }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments] }]
  matchConditions:
    - { name: wanted, expression: "object.metadata.?labels.?sidecar.orValue('') == 'yes'" }
  variables:
    - { name: there, expression: "object.spec.template.spec.containers.exists(c, c.name == 'sidecar')" }
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: >-
          Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: [Object.spec.template.spec.containers{name: "sidecar", image: "busybox"}]}}}}
    - patchType: JSONPatch
      jsonPatch:
        expression: >-
          has(object.metadata.annotations)
            ? [JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/had"), value: string(variables.there)}]
            : [JSONPatch{op: "add", path: "/metadata/annotations", value: {"example.com/had": string(variables.there)}}]
---
apiVersion: admissionregistration.k8s.io/v1alpha1
kind: MutatingAdmissionPolicyBinding
metadata: { name: sidecar }
spec: { policyName: sidecar }
`;
const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { sidecar: "yes" } }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: nginx }] }
`;

interface Deployment {
  readonly metadata: { readonly annotations: Record<string, string> };
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly name: string }[] } } };
}

describe("an operator who opens the gate MutatingAdmissionPolicy", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ environment: { CORACLE_FEATURE_GATES: "MutatingAdmissionPolicy=true" } });
  });
  afterAll(() => server?.stop());

  itWith([needs.kubectl], "lets kubectl apply policies that change what is applied after them", async () => {
    const applied = await server.kubectl("apply -f -", { stdin: policies });
    expect(applied.stdout).toContain("mutatingadmissionpolicy.admissionregistration.k8s.io/sidecar created");
    await server.kubectl("apply -f -", { stdin: deployment });
    const { metadata, spec } = await server.get<Deployment>("get deployment web");
    expect(spec.template.spec.containers.map(({ name }) => name)).toEqual(["web", "sidecar"]);
    expect(metadata.annotations["example.com/had"]).toBe("true");
    const listed = await server.kubectl("get mutatingadmissionpolicies,mutatingadmissionpolicybindings");
    expect(listed.stdout).toMatch(/sidecar +2 +<unset> +\d/);
    const explained = await server.kubectl("explain mutatingadmissionpolicy.spec --api-version=admissionregistration.k8s.io/v1alpha1");
    expect(explained.stdout).toContain("reinvocationPolicy");
  });

  itWith([needs.kubectl], "lets a policy that cannot be written down be told why", async () => {
    const wrong = policies.replace("Object{spec", "Objekt{spec");
    const { stderr } = await server.kubectl("apply -f -", { stdin: wrong, mayFail: true });
    expect(stderr).toContain("undeclared reference to 'Objekt' (in container '')");
  });
});
