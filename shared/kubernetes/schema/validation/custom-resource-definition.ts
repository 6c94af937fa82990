import { approvalProblems } from "../../custom/api-approval.ts";
import { dns1035LabelProblems, dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from "../../types.ts";
import { forbidden, invalid, required } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { checkImmutable, checkOneOf, goLiteral } from "./checks.ts";

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/** `ValidateCustomResourceDefinition`, without the cost and the compilation of CEL rules. */
export function validateDefinition(definition: CustomResourceDefinition, live?: CustomResourceDefinition): StatusCause[] {
  const { spec, metadata, status } = definition;
  const { group, names, scope } = spec;
  const versions = spec.versions ?? [];
  const causes: StatusCause[] = [];
  if (metadata.name !== `${names?.plural}.${group}`) {
    causes.push(invalid("metadata.name", metadata.name ?? "", 'must be spec.names.plural+"."+spec.group'));
  }
  causes.push(...checkGroup(group), ...checkOneOf(scope, ["Cluster", "Namespaced"], "spec.scope"));
  versions.forEach((version, index) => {
    if (version.schema?.openAPIV3Schema === undefined)
      causes.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
  });
  versions.forEach((version, index) => {
    causes.push(...joined(`spec.versions[${index}].name`, version.name, dns1035LabelProblems(version.name)));
    causes.push(
      ...checkVersion(version, versions.length === 1 ? "spec" : `spec.versions[${index}]`, versions.length === 1 ? "validation" : "schema"),
    );
  });
  const listed = { go: goLiteral(versions) };
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

function checkVersion(version: CustomResourceDefinitionVersion, path: string, schemaField: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (version.deprecationWarning !== undefined && version.deprecated !== true) {
    causes.push(invalid(`${path}.deprecationWarning`, version.deprecationWarning, "can only be set for deprecated versions"));
  }
  const schema = version.schema?.openAPIV3Schema;
  const at = `${path}.${schemaField}.openAPIV3Schema`;
  if (schema?.nullable === true) causes.push(forbidden(`${at}.nullable`, "nullable cannot be true at the root"));
  if (schema !== undefined) causes.push(...checkStructure(schema, "root", at));
  causes.push(...checkScale(version, `${path}.subresources`));
  const columns = version.additionalPrinterColumns ?? [];
  return [...causes, ...columns.flatMap((column, index) => checkColumn(column, `${path}.additionalPrinterColumns[${index}]`))];
}

const emptyType = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

/** What makes a schema structural (KEP-1693, `validateStructuralInvariants`). */
function checkStructure(schema: JSONSchemaProps, level: keyof typeof emptyType, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { type = "", items, additionalProperties } = schema;
  if (type === "array" && items === undefined) causes.push(required(`${path}.items`, "must be specified"));
  if (isSchema(items)) causes.push(...checkStructure(items, "item", `${path}.items`));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    causes.push(...checkStructure(property, "field", `${path}.properties[${name}]`));
  if (additionalProperties !== undefined && level === "root")
    causes.push(forbidden(`${path}.additionalProperties`, "must not be used at the root"));
  if (isSchema(additionalProperties)) causes.push(...checkStructure(additionalProperties, "field", `${path}.additionalProperties`));
  if (additionalProperties !== undefined && Object.keys(schema.properties ?? {}).length > 0) {
    causes.push(forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
  }
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const preserves = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const objectText = "must be object if x-kubernetes-embedded-resource is true";
  if (embedded && type !== "object")
    causes.push(type === "" ? required(`${path}.type`, objectText) : invalid(`${path}.type`, type, objectText));
  else if (type === "" && schema["x-kubernetes-int-or-string"] !== true && !preserves)
    causes.push(required(`${path}.type`, emptyType[level]));
  if (level === "root" && type !== "" && type !== "object") causes.push(invalid(`${path}.type`, type, "must be object at the root"));
  if (embedded && !preserves && Object.keys(schema.properties ?? {}).length === 0) {
    causes.push(
      required(
        `${path}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  }
  return causes;
}

function isSchema(value: unknown): value is JSONSchemaProps {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
      : [invalid(`${path}.scale.labelSelectorPath`, selector, "should be a json path under either .spec or .status")]),
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
  if (webhook?.clientConfig === undefined) causes.push(required(`${path}.webhookClientConfig`, "required when strategy is set to Webhook"));
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) causes.push(required(`${path}.conversionReviewVersions`));
  else if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    causes.push(invalid(`${path}.conversionReviewVersions`, { go: goStringList(versions) }, "must include at least one of v1, v1beta1"));
  }
  return causes;
}

function checkStoredVersions(stored: readonly string[], versions: readonly CustomResourceDefinitionVersion[]): StatusCause[] {
  const path = "status.storedVersions";
  const value = { go: goStringList(stored) };
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
