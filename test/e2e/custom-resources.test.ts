import { afterAll, beforeAll, expect, it } from "vitest";
import type { CustomResourceDefinition } from "../../shared/kubernetes/types.ts";
import { yamlOf } from "./manifests.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const definition: CustomResourceDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "crontabs.stable.example.com" },
  spec: {
    group: "stable.example.com",
    scope: "Namespaced",
    names: { plural: "crontabs", singular: "crontab", kind: "CronTab", shortNames: ["ct"], categories: ["all"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                description: "What is wanted.",
                properties: {
                  schedule: { type: "string", description: "When." },
                  image: { type: "string", default: "busybox" },
                  replicas: { type: "integer", minimum: 0 },
                },
                "x-kubernetes-validations": [{ rule: "!has(self.replicas) || self.replicas != 7", message: "seven is unlucky" }],
              },
              status: { type: "object", properties: { replicas: { type: "integer" } } },
            },
          },
        },
        selectableFields: [{ jsonPath: ".spec.image" }],
        additionalPrinterColumns: [
          { name: "Schedule", type: "string", jsonPath: ".spec.schedule" },
          { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
        ],
        subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
      },
    ],
  },
};
const cronTab = (name: string, spec: object) => ({ apiVersion: "stable.example.com/v1", kind: "CronTab", metadata: { name }, spec });

describeWith([needs.kubectl], "kubectl and a custom resource", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ nodes: 0 });
  });
  afterAll(() => server?.stop());
  const out = async (args: string | readonly string[], stdin?: string): Promise<string> =>
    (await server.kubectl(args, stdin === undefined ? {} : { stdin })).stdout.trim();

  it("go together from its definition to its end", async () => {
    await out("create -f -", yamlOf(definition));
    expect(await out("create -f -", yamlOf(cronTab("a", { schedule: "daily", replicas: 2 })))).toBe("crontab.stable.example.com/a created");
    expect(await out("wait --for=condition=Established crd/crontabs.stable.example.com --timeout=10s")).toContain("condition met");
    expect(await out("get ct")).toMatch(/^NAME +SCHEDULE +REPLICAS\na +daily +2$/);
    expect(await out("get all -o name")).toContain("crontab.stable.example.com/a");
    expect(await out("get ct --field-selector spec.image=busybox -o name")).toBe("crontab.stable.example.com/a");
    expect(await out("explain crontab.spec.schedule")).toContain("When.");
    expect(await out("scale ct a --replicas=5")).toBe("crontab.stable.example.com/a scaled");
    expect(await out("apply -f -", yamlOf(cronTab("a", { schedule: "hourly", replicas: 5 })))).toContain("configured");
    expect(await out("apply --server-side --force-conflicts -f -", yamlOf(cronTab("a", { schedule: "weekly" })))).toContain(
      "serverside-applied",
    );
    expect(await out("get ct a -o jsonpath={.spec}")).toBe('{"image":"busybox","replicas":5,"schedule":"weekly"}');
    const refused = await server.kubectl("apply -f -", { stdin: yamlOf(cronTab("b", { schedule: "x", replicas: 7 })), mayFail: true });
    expect(refused.stderr).toContain('The CronTab "b" is invalid: spec: Invalid value: "object": seven is unlucky');
    const unknown = await server.kubectl("apply -f -", { stdin: yamlOf(cronTab("b", { when: "x" })), mayFail: true });
    expect(unknown.stderr).toContain('unknown field "spec.when"');
    await out("delete crd crontabs.stable.example.com --timeout=30s");
    expect((await server.kubectl("get ct", { mayFail: true })).code).toBe(1);
  });
});
