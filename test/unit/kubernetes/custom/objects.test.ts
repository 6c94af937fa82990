import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { createCustomKind } from "../../../../shared/kubernetes/custom/custom-kind.ts";
import { kindSchema } from "../../../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../../../shared/kubernetes/schema/schema-node.ts";
import type { JSONSchemaProps } from "../../../../shared/kubernetes/types.ts";

const json = z.record(z.string(), z.unknown());

/** What apiextensions-apiserver 1.33 itself made of each object under one schema (`objects.json`); with `old`, of a change of it. */
const recorded = z
  .object({
    schema: json,
    cases: z.array(
      z.object({ object: json, old: json.optional(), unknown: z.array(z.string()), result: json, problems: z.array(z.string()) }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL("objects.json", import.meta.url), "utf8")));

const metadata = kindSchema("", "v1", "ConfigMap")?.node.fields().get("metadata")?.node;
if (metadata === undefined) throw new Error("ConfigMap has metadata");
const schema = recorded.schema as JSONSchemaProps;
const kind = createCustomKind({ schema, namespaced: false, scale: undefined, metadata, deadline: () => () => false });

/** The recorded validators were not the ones that look at resourceVersion. */
const numbered = (object: JsonObject): JsonObject => ({ ...object, metadata: { ...(object.metadata as object), resourceVersion: "1" } });

test("the recording holds what it is for", () => {
  expect(recorded.cases.length).toBeGreaterThan(80);
  expect(recorded.cases.filter(({ old }) => old !== undefined).length).toBeGreaterThan(5);
  expect(recorded.cases.filter(({ problems }) => problems.length > 0).length).toBeGreaterThan(40);
});

test.each(recorded.cases.map((one) => [JSON.stringify(one.object.spec).slice(0, 100), one] as const))("%s", (_, one) => {
  const object = structuredClone(one.object);
  const unknown = kind.unknownFields(object).map((text) => text.replace(/^unknown field "(.*)"$/, "$1"));
  expect(unknown.filter((path) => !path.startsWith("metadata."))).toEqual(one.unknown);
  kind.prune(object);
  kind.applyDefaults(object);
  expect(object).toEqual(one.result);
  const causes = one.old ? kind.validateUpdate(numbered(object), numbered(one.old)) : kind.validateCreate(object);
  expect(causes.map(({ field, message }) => `${field}: ${message}`).sort()).toEqual(one.problems);
});
