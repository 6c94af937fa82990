import { cloneJson } from "../clone.ts";
import { deepEqual } from "../deep-equal.ts";
import { invalid } from "../schema/field-error.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps } from "../types.ts";
import { embeddedProblems } from "./embedded-objects.ts";
import { goValue } from "./go-value.ts";
import { visitUnknown } from "./prune-value.ts";
import { createRuleValidator } from "./rules.ts";
import { schemaOf } from "./structural-problems.ts";
import { validateValue } from "./validate-value.ts";

/** A default is a value of its own schema (apiextensions `schema/defaulting/validation.go`); `path` is that of the schema. */
export function defaultProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  const causes = schema.default === undefined ? [] : ownProblems(schema, schema.default, `${path}.default`);
  const items = schemaOf(schema.items);
  if (items) causes.push(...defaultProblems(items, `${path}.items`));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    causes.push(...defaultProblems(property, `${path}.properties[${name}]`));
  return causes;
}

function ownProblems(schema: JSONSchemaProps, value: unknown, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const pruned: unknown = cloneJson(value);
  const onUnknown = (_: string, holder: Record<string, unknown>, key: string): void => {
    delete holder[key];
  };
  visitUnknown(schema, pruned, onUnknown, "", schema["x-kubernetes-embedded-resource"] === true);
  if (!deepEqual(pruned, value)) causes.push(invalid(path, goValue(value), "must not have unknown fields"));
  const embedded = embeddedProblems(schema, value, path);
  if (embedded.length > 0) return [...causes, ...embedded];
  const values = validateValue(schema, value, "").map((cause) => ({
    ...cause,
    field: cause.field === undefined || cause.field === "<nil>" ? path : `${path}.${cause.field}`,
  }));
  if (values.length > 0) return [...causes, ...values];
  return [...causes, ...(createRuleValidator(schema, false)?.(value, { old: value, expired: () => false, path }) ?? [])];
}
