import { expect, it } from "vitest";
import { openApiV2, openApiV2Bytes } from "../../../shared/kubernetes/openapi.ts";
import { only, text } from "./protobuf-fields.ts";

const document = openApiV2Bytes();
const json = JSON.parse(openApiV2()) as { paths: Record<string, object>; definitions: Record<string, object> };

it("holds every path and definition of the JSON document", () => {
  const names = (message: Buffer | undefined, field: number) => only(message, field).map((entry) => text(entry, 1));
  expect(text(document, 1)).toBe("2.0");
  expect(names(only(document, 8)[0], 2)).toEqual(Object.keys(json.paths));
  expect(names(only(document, 9)[0], 1)).toEqual(Object.keys(json.definitions));
});

it("keeps a kind's properties, references and extensions", () => {
  const deployment = only(only(document, 9)[0], 1).find((entry) => text(entry, 1) === "io.k8s.api.apps.v1.Deployment");
  const schema = only(deployment, 2)[0];
  const properties = only(only(schema, 25)[0], 1);
  expect(properties.map((property) => text(property, 1))).toEqual(["apiVersion", "kind", "metadata", "spec", "status"]);
  expect(text(only(properties[3], 2)[0], 1)).toBe("#/definitions/io.k8s.api.apps.v1.DeploymentSpec");
  const [extension] = only(schema, 31);
  expect(text(extension, 1)).toBe("x-kubernetes-group-version-kind");
  expect(text(only(extension, 2)[0], 2)).toBe('[{"group":"apps","kind":"Deployment","version":"v1"}]\n');
});
