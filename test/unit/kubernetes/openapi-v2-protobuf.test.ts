import { expect, it } from "vitest";
import { openApiV2, openApiV2Bytes } from "../../../shared/kubernetes/openapi.ts";

type Field = { readonly number: number; readonly value: Buffer };

/** The fields of one message; scalars as the bytes of their varint. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const start = at;
    const length = (tag & 7) === 2 ? varint() : 0;
    const from = (tag & 7) === 2 ? at : start;
    if ((tag & 7) === 0) varint();
    at = (tag & 7) === 2 ? at + length : at;
    fields.push({ number: tag >>> 3, value: message.subarray(from, at) });
  }
  return fields;
}

const only = (message: Buffer | undefined, number: number): Buffer[] =>
  message ? fieldsOf(message).flatMap((field) => (field.number === number ? field.value : [])) : [];
const text = (message: Buffer | undefined, number: number) => only(message, number)[0]?.toString();

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
