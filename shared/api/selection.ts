import { type FieldRequirement, matchesFields, parseFieldSelector } from "../kubernetes/field-selector.ts";
import { type LabelRequirement, matchesLabels, parseLabelSelector } from "../kubernetes/label-selector.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { fieldValue, selectableField } from "../kubernetes/selectable-fields.ts";
import type { StoredObject } from "../store/store.ts";

/** What `labelSelector` and `fieldSelector` of a request choose. */
export interface Selection {
  /** Nothing was asked: everything matches. */
  readonly all: boolean;
  matches(stored: StoredObject): boolean;
  /** `metadata.name=x`: only that object can match. */
  readonly name: string | undefined;
  /** `metadata.namespace=x`. */
  readonly namespace: string | undefined;
  /** `spec.nodeName=x` of pods. */
  readonly nodeName: string | undefined;
}

/** Where all lie that can match among those that a path names: in this namespace ("" for what has none); `undefined`: anywhere. */
export function namespaceOf({ namespaced }: ResourceDefinition, asked: string, { namespace }: Selection): string | undefined {
  if (!namespaced) return "";
  return asked === "" ? namespace : asked;
}

const everything: Selection = { all: true, matches: () => true, name: undefined, namespace: undefined, nodeName: undefined };

/** @throws StatusError `BadRequest` for a selector that does not parse or a field that the resource cannot be selected by. */
export function parseSelection(definition: ResourceDefinition, query: URLSearchParams): Selection {
  const labelText = query.get("labelSelector") ?? "";
  const fieldText = query.get("fieldSelector") ?? "";
  if (labelText === "" && fieldText === "") return everything;
  const labels: readonly LabelRequirement[] = labelText === "" ? [] : parseLabelSelector(labelText);
  const asked: readonly FieldRequirement[] = fieldText === "" ? [] : parseFieldSelector(fieldText);
  const fields = asked.map((requirement) => ({ ...requirement, field: selectableField(definition, requirement.field) }));
  const equal = (field: string): string | undefined =>
    fields.find((requirement) => requirement.field === field && requirement.operator !== "!=")?.value;
  return {
    all: false,
    name: equal("metadata.name"),
    namespace: equal("metadata.namespace"),
    nodeName: definition.group === "" && definition.resource === "pods" ? equal("spec.nodeName") : undefined,
    matches: ({ object }) =>
      (labels.length === 0 || matchesLabels(labels, object.metadata.labels)) &&
      (fields.length === 0 || matchesFields(fields, (field) => fieldValue(definition, object, field))),
  };
}
