import { describe, expect, it } from "vitest";
import { openApiV3, openApiV3Bytes } from "../../../shared/kubernetes/openapi.ts";
import { fieldsOf, only, text } from "./protobuf-fields.ts";

const json = openApiV3("apis/apps/v1") ?? "";
const document = openApiV3Bytes(json);
const { paths, components } = JSON.parse(json) as { paths: Record<string, object>; components: { schemas: Record<string, object> } };
const schemas = only(only(document, 5)[0], 1)[0];
const schemaNamed = (name: string) =>
  only(
    only(
      only(schemas, 1).find((entry) => text(entry, 1) === name),
      2,
    )[0],
    1,
  )[0];
const property = (schema: Buffer | undefined, name: string) =>
  only(
    only(only(schema, 31)[0], 1).find((entry) => text(entry, 1) === name),
    2,
  )[0];

describe("an OpenAPI v3 document as protocol buffers", () => {
  it("holds every path and schema of the JSON document", () => {
    expect(text(document, 1)).toBe("3.0.0");
    expect(only(only(document, 4)[0], 1).map((entry) => text(entry, 1))).toEqual(Object.keys(paths));
    expect(only(schemas, 1).map((entry) => text(entry, 1))).toEqual(Object.keys(components.schemas));
  });

  it("keeps types, references, defaults, enums and extensions", () => {
    const deployment = schemaNamed("io.k8s.api.apps.v1.Deployment");
    const spec = only(property(deployment, "spec"), 1)[0];
    expect(text(only(only(spec, 26)[0], 2)[0], 1)).toBe("#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec");
    expect(only(spec, 33)).toHaveLength(1);
    expect(text(only(deployment, 36)[0], 1)).toBe("x-kubernetes-group-version-kind");
    const port = schemaNamed("io.k8s.api.core.v1.ContainerPort");
    const protocol = only(property(port, "protocol"), 1)[0];
    expect([text(protocol, 25), text(only(protocol, 33)[0], 3)]).toEqual(["string", "TCP"]);
    expect(only(protocol, 24).map((one) => text(one, 2))).toEqual(['"SCTP"\n', '"TCP"\n', '"UDP"\n']);
    const containerPort = only(property(port, "containerPort"), 1)[0];
    expect(only(only(containerPort, 33)[0], 1)[0]).toEqual(Buffer.alloc(8));
  });

  it("keeps operations with their parameters, bodies and answers", () => {
    const item = only(
      only(only(document, 4)[0], 1).find((entry) => text(entry, 1) === "/apis/apps/v1/namespaces/{namespace}/deployments"),
      2,
    )[0];
    const post = only(item, 6)[0];
    expect(text(post, 5)).toBe("createAppsV1NamespacedDeployment");
    const body = only(only(post, 7)[0], 1)[0];
    expect(only(body, 3)[0]).toEqual(Buffer.from([1]));
    expect(only(only(body, 2)[0], 1).map((entry) => text(entry, 1))).toContain("*/*");
    expect(only(only(post, 8)[0], 2).map((entry) => text(entry, 1))).toEqual(["200", "201", "202", "401"]);
    expect(fieldsOf(only(only(item, 13)[0], 1)[0] ?? Buffer.alloc(0)).map(({ number }) => number)).toEqual([1, 2, 4, 10]);
  });
});
