import type { CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionNames } from "../types.ts";

export interface Acceptance {
  /** What of the wanted names the definition has. */
  readonly names: CustomResourceDefinitionNames;
  readonly condition: Pick<CustomResourceDefinitionCondition, "type" | "status" | "reason" | "message">;
}

const quoted = (name: string): string => `${JSON.stringify(name)} is already in use`;

/**
 * Which names a definition gets beside the others of its group, by what those have (apiextensions `controller/status/naming_controller.go`).
 * Names that it has already stay its own.
 */
export function acceptNames(definition: CustomResourceDefinition, taken: readonly CustomResourceDefinitionNames[]): Acceptance {
  const wanted = definition.spec.names;
  const had = definition.status?.acceptedNames ?? { kind: "", plural: "" };
  const resources = new Set(taken.flatMap(({ plural, singular = "", shortNames = [] }) => [plural, singular, ...shortNames]).filter(isSet));
  const kinds = new Set(taken.flatMap(({ kind, listKind = "" }) => [kind, listKind]).filter(isSet));
  const names: CustomResourceDefinitionNames = { ...had };
  let conflict: { readonly reason: string; readonly message: string } | undefined;

  const claim = (field: "plural" | "singular" | "kind" | "listKind", used: ReadonlySet<string>, reason: string): void => {
    const name = wanted[field] ?? "";
    if (name !== (had[field] ?? "") && used.has(name)) conflict = { reason, message: quoted(name) };
    else if (name !== "") names[field] = name;
  };
  claim("plural", resources, "PluralConflict");
  claim("singular", resources, "SingularConflict");
  const bad = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name));
  if (bad.length > 0)
    conflict = { reason: "ShortNamesConflict", message: bad.length === 1 ? bad.map(quoted).join() : `[${bad.map(quoted).join(", ")}]` };
  else if (wanted.shortNames) names.shortNames = wanted.shortNames;
  else delete names.shortNames;
  claim("kind", kinds, "KindConflict");
  claim("listKind", kinds, "ListKindConflict");
  if (wanted.categories) names.categories = wanted.categories;
  else delete names.categories;
  const accepted = { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" };
  return { names, condition: conflict ? { type: "NamesAccepted", status: "False", ...conflict } : accepted };
}

const isSet = (name: string): boolean => name !== "";

export function isConditionTrue({ status }: CustomResourceDefinition, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
}

/** Whether the names are enough to serve the definition under. */
export const isServable = ({ plural, kind, singular = "", listKind = "" }: CustomResourceDefinitionNames): boolean =>
  plural !== "" && kind !== "" && singular !== "" && listKind !== "";
