import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openApiIndex, openApiV2, openApiV3 } from "../../../shared/kubernetes/openapi.ts";
import { apiVersionOf, builtinResources } from "../../../shared/kubernetes/resources.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly "x-kubernetes-action"?: string;
  readonly "x-kubernetes-group-version-kind"?: object;
}
interface Document {
  readonly openapi?: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown> };
  readonly definitions: Record<string, { readonly properties?: Record<string, object> }>;
}

const documentAt = (path: string) => JSON.parse(openApiV3(path) ?? "null") as Document;
const apps = documentAt("apis/apps/v1");
const core = documentAt("api/v1");
const v2 = JSON.parse(openApiV2()) as Document;
const methods = new Set(["delete", "get", "head", "options", "patch", "post", "put"]);

function operations(document: Document): Operation[] {
  return Object.values(document.paths).flatMap((item) =>
    Object.entries(item).flatMap(([method, operation]) => (methods.has(method) ? operation : [])),
  );
}

function references(text: string): string[] {
  return [...text.matchAll(/"\$ref":"#\/(?:components\/schemas|definitions)\/([^"]+)"/g)].map(([, name]) => name ?? "");
}

describe("OpenAPI v3", () => {
  it("lists every group version with the hash of its document", () => {
    const { paths } = JSON.parse(openApiIndex()) as { paths: Record<string, { serverRelativeURL: string }> };
    const served = new Set(builtinResources().map((resource) => `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`));
    expect(Object.keys(paths)).toEqual(expect.arrayContaining([...served]));
    const hash = createHash("sha512")
      .update(openApiV3("apis/apps/v1") ?? "")
      .digest("hex")
      .toUpperCase();
    expect(paths["apis/apps/v1"]).toEqual({ serverRelativeURL: `/openapi/v3/apis/apps/v1?hash=${hash}` });
  });

  it("has no document for what is not served", () => {
    expect(openApiV3("apis/apps/v1beta1")).toBeUndefined();
    expect(openApiV3("apis/nope")).toBeUndefined();
    expect(openApiV3("")).toBeUndefined();
  });

  it("holds the components that its paths reach, and no others", () => {
    const text = openApiV3("apis/apps/v1") ?? "";
    const names = Object.keys(apps.components.schemas);
    expect(new Set(references(text))).toEqual(new Set(names));
    expect(names).toContain("io.k8s.api.core.v1.PodSpec");
    expect(names).not.toContain("io.k8s.api.core.v1.Node");
  });

  it("says kind and action of each operation", () => {
    expect(apps.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.patch).toMatchObject({
      operationId: "patchAppsV1NamespacedDeployment",
      "x-kubernetes-action": "patch",
      "x-kubernetes-group-version-kind": { group: "apps", version: "v1", kind: "Deployment" },
    });
    expect(apps.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]?.get).toMatchObject({
      operationId: "readAppsV1NamespacedDeploymentScale",
      "x-kubernetes-group-version-kind": { group: "autoscaling", version: "v1", kind: "Scale" },
    });
    expect(core.paths["/api/v1/namespaces/{namespace}/pods/{name}/exec"]?.post).toMatchObject({
      operationId: "connectCoreV1PostNamespacedPodExec",
      "x-kubernetes-action": "connect",
    });
  });

  it("offers dry run and field validation wherever something is written", () => {
    const offered = operations(apps).filter((operation) => ["post", "put", "patch"].includes(operation["x-kubernetes-action"] ?? ""));
    expect(offered.length).toBeGreaterThan(20);
    for (const { parameters } of offered) {
      expect(parameters?.map(({ name }) => name)).toEqual(expect.arrayContaining(["dryRun", "fieldValidation"]));
    }
  });

  it("gives every operation an id of its own", () => {
    const ids = operations(core).map(({ operationId }) => operationId);
    expect(ids.length).toBeGreaterThan(200);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("OpenAPI v2", () => {
  it("has the operations of every group version", () => {
    const total = Object.keys((JSON.parse(openApiIndex()) as { paths: object }).paths)
      .map((path) => operations(documentAt(path)).length)
      .reduce((sum, count) => sum + count, 0);
    expect(operations(v2)).toHaveLength(total);
  });

  it("resolves every reference", () => {
    const names = new Set(references(openApiV2()));
    expect([...names].filter((name) => !(name in v2.definitions))).toEqual([]);
    expect(names.size).toBeGreaterThan(400);
  });

  it("writes a reference in place of a union of one, and drops defaults", () => {
    const port = v2.definitions["io.k8s.api.core.v1.ServicePort"]?.properties;
    expect(port?.protocol).toEqual({ type: "string", enum: ["SCTP", "TCP", "UDP"] });
    expect(port?.targetPort).toEqual({ $ref: "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString" });
    expect(v2.definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]).toEqual({ type: "string", format: "int-or-string" });
    expect(v2.definitions["io.k8s.api.core.v1.PodSpec"]?.properties?.containers).toEqual({
      type: "array",
      items: { $ref: "#/definitions/io.k8s.api.core.v1.Container" },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      "x-kubernetes-patch-merge-key": "name",
      "x-kubernetes-patch-strategy": "merge",
    });
  });
});
