import { approvalProblems } from "../../custom/api-approval.ts";
import { defaultProblems } from "../../custom/default-problems.ts";
import { readFieldPath } from "../../custom/field-path.ts";
import { allSchemaProblems } from "../../custom/rule-costs.ts";
import { mostRuleWork, ruleWork } from "../../custom/rule-work.ts";
import { structuralProblems } from "../../custom/structural-problems.ts";
import { deepEqual } from "../../deep-equal.ts";
import { dns1035LabelProblems, dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
  SelectableField,
} from "../../types.ts";
import { duplicate, forbidden, invalid, required, tooMany } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { checkImmutable, checkOneOf, goLiteral } from "./checks.ts";
import { checkClientConfig } from "./webhook-client.ts";

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/** `ValidateCustomResourceDefinition`. `live`: what it takes the place of. */
export function validateDefinition(definition: CustomResourceDefinition, live?: CustomResourceDefinition): StatusCause[] {
  const { spec, metadata, status } = definition;
  const { group, names, scope } = spec;
  const versions = spec.versions ?? [];
  const work = ruleWork(versions);
  if (work > mostRuleWork) {
    const text = `x-kubernetes-validations of all versions have ${work} characters together, this server compiles ${mostRuleWork} at most`;
    return [forbidden("spec.versions", text)];
  }
  // One version, as it is known inside Kubernetes, has no schema of its own but the definition has.
  const alike = versions.length === 1;
  const causes: StatusCause[] = [];
  if (live === undefined && metadata.name !== `${names?.plural}.${group}`) {
    causes.push(invalid("metadata.name", metadata.name ?? "", 'must be spec.names.plural+"."+spec.group'));
  }
  causes.push(...checkGroup(group), ...checkOneOf(scope, ["Cluster", "Namespaced"], "spec.scope"));
  versions.forEach((version, index) => {
    if (version.schema?.openAPIV3Schema === undefined)
      causes.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
  });
  versions.forEach((version, index) => {
    causes.push(...joined(`spec.versions[${index}].name`, version.name, dns1035LabelProblems(version.name)));
    causes.push(...checkDeprecation(version, `spec.versions[${index}]`));
    causes.push(...checkVersion(version, alike ? "spec" : `spec.versions[${index}]`, alike ? "validation" : "schema", live));
  });
  const [first] = versions;
  if (first) causes.push(...joined("spec.version", first.name, dns1035LabelProblems(first.name)));
  const listed = {
    go: versions.length === 0 ? `[]apiextensions.CustomResourceDefinitionVersion${spec.versions ? "{}" : "(nil)"}` : goLiteral(versions),
  };
  if (new Set(versions.map((version) => version.name)).size < versions.length)
    causes.push(invalid("spec.versions", listed, "must contain unique version names"));
  if (versions.filter((version) => version.storage).length !== 1) {
    causes.push(invalid("spec.versions", listed, "must have exactly one version marked as storage version"));
  }
  causes.push(
    ...checkNames(names ?? { kind: "", plural: "" }),
    ...checkConversion(spec),
    ...checkStoredVersions(status?.storedVersions ?? [], versions),
  );
  causes.push(...approvalProblems(definition, live));
  if (spec.preserveUnknownFields === true) {
    const text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    causes.push(invalid("spec.preserveUnknownFields", true, text));
  }
  return causes;
}

export function validateDefinitionUpdate(next: CustomResourceDefinition, live: CustomResourceDefinition): StatusCause[] {
  const established =
    live.status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True") === true;
  return [
    ...validateDefinition(next, live),
    ...(established ? checkImmutable(next.spec.scope, live.spec.scope, "spec.scope") : []),
    ...(established ? checkImmutable(next.spec.names.kind, live.spec.names.kind, "spec.names.kind") : []),
    ...checkImmutable(next.spec.group, live.spec.group, "spec.group"),
    ...checkImmutable(next.spec.names.plural, live.spec.names.plural, "spec.names.plural"),
  ];
}

function joined(path: string, value: string, problems: readonly string[], before = ""): StatusCause[] {
  return problems.length === 0 ? [] : [invalid(path, value, before + problems.join(","))];
}

function checkGroup(group: string): StatusCause[] {
  if (group === "") return [required("spec.group")];
  const problems = dnsSubdomainProblems(group);
  if (problems.length > 0) return joined("spec.group", group, problems);
  return group.includes(".") ? [] : [invalid("spec.group", group, "should be a domain with at least one dot")];
}

function checkNames(names: CustomResourceDefinitionNames): StatusCause[] {
  const causes: StatusCause[] = [];
  const fields = ["plural", "singular", "kind", "listKind"] as const;
  for (const field of fields) if ((names[field] ?? "") === "") causes.push(required(`spec.names.${field}`));
  for (const field of fields) {
    const value = names[field] ?? "";
    const mixed = field === "kind" || field === "listKind";
    const before = mixed ? "may have mixed case, but should otherwise match: " : "";
    if (value !== "")
      causes.push(...joined(`spec.names.${field}`, value, dns1035LabelProblems(mixed ? value.toLowerCase() : value), before));
  }
  const lists = [["shortNames", names.shortNames ?? []] as const, ["categories", names.categories ?? []] as const];
  const [short, categories] = lists.map(([field, list]) =>
    list.flatMap((name, index) => joined(`spec.names.${field}[${index}]`, name, dns1035LabelProblems(name))),
  );
  causes.push(...(short ?? []));
  if (names.kind !== "" && names.kind === names.listKind)
    causes.push(invalid("spec.names.listKind", names.listKind, "kind and listKind may not be the same"));
  return [...causes, ...(categories ?? [])];
}

function checkVersion(
  version: CustomResourceDefinitionVersion,
  path: string,
  schemaField: string,
  live: CustomResourceDefinition | undefined,
): StatusCause[] {
  const schema = version.schema?.openAPIV3Schema;
  const at = `${path}.${schemaField}.openAPIV3Schema`;
  const before = live?.spec.versions?.find(({ name }) => name === version.name)?.schema?.openAPIV3Schema;
  const causes: StatusCause[] = [];
  if (schema !== undefined) causes.push(...checkSchema(schema, at, version.subresources?.status !== undefined, deepEqual(schema, before)));
  causes.push(...checkScale(version, `${path}.subresources`));
  const columns = version.additionalPrinterColumns ?? [];
  causes.push(...columns.flatMap((column, index) => checkColumn(column, `${path}.additionalPrinterColumns[${index}]`)));
  if (schema !== undefined) causes.push(...checkSelectableFields(version.selectableFields ?? [], schema, `${path}.selectableFields`));
  return causes;
}

function checkDeprecation({ deprecated, deprecationWarning }: CustomResourceDefinitionVersion, path: string): StatusCause[] {
  if (deprecationWarning === undefined) return [];
  const problems: string[] = [];
  if (deprecated !== true) problems.push("can only be set for deprecated versions");
  else {
    if (Buffer.byteLength(deprecationWarning) > 256) problems.push("must be <= 256 characters long");
    if (deprecationWarning === "") problems.push("must not be an empty string");
    const odd = deprecationWarning.search(/[^\P{C}]/u);
    if (odd >= 0) problems.push(`must only contain printable UTF-8 characters; non-printable character found at index ${odd}`);
  }
  return problems.map((problem) => invalid(`${path}.deprecationWarning`, deprecationWarning, problem));
}

const rootFields = new Set(
  "description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields x-kubernetes-validations".split(
    " ",
  ),
);
const rootFieldsText =
  "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";

/** `unchanged`: it was stored like that before. */
function checkSchema(schema: JSONSchemaProps, path: string, hasStatus: boolean, unchanged: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  if (hasStatus) {
    const type = schema.type ?? "";
    const rest = Object.keys(schema).some((field) => !rootFields.has(field));
    if (type !== "" && type !== "object")
      causes.push(
        invalid(
          `${path}.type`,
          type,
          'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
        ),
      );
    else if (rest)
      causes.push(
        invalid(
          path,
          { go: goLiteral(schema) },
          `only ${rootFieldsText} fields are allowed at the root of the schema if the status subresource is enabled`,
        ),
      );
  }
  if (schema.nullable === true) causes.push(forbidden(`${path}.nullable`, "nullable cannot be true at the root"));
  const structure = structuralProblems(schema, path);
  const defaults = structure.length === 0 ? defaultProblems({ ...schema, "x-kubernetes-embedded-resource": true }, path) : [];
  causes.push(...structure, ...defaults, ...allSchemaProblems(schema, path, structure.length + defaults.length === 0, unchanged));
  return causes;
}

const maxSelectableFields = 8;

function checkSelectableFields(fields: readonly SelectableField[], schema: JSONSchemaProps, path: string): StatusCause[] {
  const seen = new Set<string>();
  const causes = fields.flatMap(({ jsonPath }, index): StatusCause[] => {
    const at = `${path}[${index}].jsonPath`;
    if (jsonPath === "") return [required(at)];
    const found = readFieldPath(jsonPath, schema, false);
    if ("problem" in found) return [invalid(at, jsonPath, `is an invalid path: ${found.problem}`)];
    const own: StatusCause[] = [];
    if (found.path.split(".")[0] === "metadata") own.push(invalid(at, jsonPath, "must not point to fields in metadata"));
    if (!["string", "boolean", "integer"].includes(found.schema?.type ?? "")) {
      const text = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
      own.push(invalid(at, jsonPath, text));
    }
    if (seen.has(found.path)) own.push(duplicate(at, jsonPath));
    seen.add(found.path);
    return own;
  });
  return seen.size > maxSelectableFields ? [...causes, tooMany(path, seen.size, maxSelectableFields)] : causes;
}

function checkColumn({ name, type, format = "", jsonPath }: CustomResourceColumnDefinition, path: string): StatusCause[] {
  const causes: StatusCause[] = name === "" ? [required(`${path}.name`)] : [];
  const types = `must be one of ${columnTypes.join(",")}`;
  if (type === "") causes.push(required(`${path}.type`, types));
  else if (!columnTypes.includes(type)) causes.push(invalid(`${path}.type`, type, types));
  if (format !== "" && !columnFormats.includes(format))
    causes.push(invalid(`${path}.format`, format, `must be one of ${columnFormats.join(",")}`));
  if (jsonPath === "") causes.push(required(`${path}.JSONPath`));
  else if (!jsonPath.startsWith(".")) causes.push(invalid(`${path}.JSONPath`, jsonPath, "must be a simple json path starting with ."));
  return causes;
}

function checkScale({ subresources }: CustomResourceDefinitionVersion, path: string): StatusCause[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const check = (field: string, value: string, root: string): StatusCause[] => {
    const at = `${path}.scale.${field}`;
    if (value === "") return [required(at)];
    if (!value.startsWith(".")) return [invalid(at, value, "must be a simple json path starting with .")];
    return value.startsWith(`.${root}.`) ? [] : [invalid(at, value, `should be a json path under .${root}`)];
  };
  const selector = scale.labelSelectorPath ?? "";
  return [
    ...check("specReplicasPath", scale.specReplicasPath, "spec"),
    ...check("statusReplicasPath", scale.statusReplicasPath, "status"),
    ...(selector === "" || /^\.(?:spec|status)\./.test(selector)
      ? []
      : [
          invalid(
            `${path}.scale.labelSelectorPath`,
            selector,
            selector.startsWith(".") ? "should be a json path under either .spec or .status" : "must be a simple json path starting with .",
          ),
        ]),
  ];
}

function checkConversion({ conversion }: CustomResourceDefinition["spec"]): StatusCause[] {
  const path = "spec.conversion";
  const causes = checkOneOf(conversion?.strategy, ["None", "Webhook"], `${path}.strategy`);
  const webhook = conversion?.webhook;
  if (conversion?.strategy !== "Webhook") {
    if (webhook !== undefined)
      causes.push(forbidden(`${path}.webhookClientConfig`, "should not be set when strategy is not set to Webhook"));
    return causes;
  }
  const client = webhook?.clientConfig;
  if (client === undefined) causes.push(required(`${path}.webhookClientConfig`, "required when strategy is set to Webhook"));
  else causes.push(...checkClientConfig(client, `${path}.webhookClientConfig`));
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) causes.push(required(`${path}.conversionReviewVersions`));
  else if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    causes.push(invalid(`${path}.conversionReviewVersions`, { go: goStringList(versions) }, "must include at least one of v1, v1beta1"));
  }
  return causes;
}

function checkStoredVersions(stored: readonly string[], versions: readonly CustomResourceDefinitionVersion[]): StatusCause[] {
  const path = "status.storedVersions";
  const value = { go: goStringList(stored.length === 0 ? undefined : stored) };
  if (stored.length === 0) return [invalid(path, value, "must have at least one stored version")];
  const missing = versions.filter((version) => version.storage && !stored.includes(version.name));
  const gone = stored.map((name, index) => ({ name, index })).filter(({ name }) => !versions.some((version) => version.name === name));
  return [
    ...missing.map((version) => invalid(path, value, `must have the storage version ${version.name}`)),
    ...gone.map(({ name, index }) => {
      const kept = `must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
      return invalid(`${path}[${index}]`, name, `missing from spec.versions; ${name} was previously a storage version, and ${kept}`);
    }),
  ];
}
