import { labelSelectorProblems } from "../../label-selector.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  Binding,
  LabelSelector,
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ObjectMeta,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SubjectAccessReview,
} from "../../types.ts";
import { type GoValue, invalid, notSupported, required } from "../field-error.ts";
import { goQuote } from "../go-text.ts";

const minimumTokenSeconds = 600;
const maximumTokenSeconds = 2 ** 32;

export function validateTokenRequest({ spec }: { spec?: { expirationSeconds?: number } }): StatusCause[] {
  const seconds = spec?.expirationSeconds ?? 0;
  const path = "spec.expirationSeconds";
  if (seconds < minimumTokenSeconds) return [invalid(path, seconds, "may not specify a duration less than 10 minutes")];
  return seconds > maximumTokenSeconds ? [invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")] : [];
}

export function validateSubjectAccessReview(review: SubjectAccessReview): StatusCause[] {
  return [...checkSubject(review), ...checkMetadata(review.metadata, "must be empty")];
}

function checkSubject({ spec }: SubjectAccessReview): StatusCause[] {
  const anonymous = (spec?.user ?? "") === "" && (spec?.groups ?? []).length === 0;
  return [
    ...checkAttributes(spec),
    ...(anonymous ? [invalid("spec.user", spec?.user ?? "", "at least one of user or group must be specified")] : []),
    ...checkSelectors(spec),
  ];
}

export function validateSelfSubjectAccessReview({ spec, metadata }: SelfSubjectAccessReview): StatusCause[] {
  return [...checkAttributes(spec), ...checkSelectors(spec), ...checkMetadata(metadata, "must be empty")];
}

/** A question has no name of its own. Go prints the whole of the metadata, with addresses; here it is told by its name. */
function checkMetadata(metadata: ObjectMeta | undefined, why: string): StatusCause[] {
  const { managedFields: _m, creationTimestamp: _t, ...given } = metadata ?? {};
  const shown = { go: `v1.ObjectMeta{Name:${goQuote(given.name ?? "")}, Namespace:${goQuote(given.namespace ?? "")}}` };
  return Object.values(given).every((value) => value === undefined || value === "") ? [] : [invalid("metadata", shown, why)];
}

export function validateLocalSubjectAccessReview(review: LocalSubjectAccessReview): StatusCause[] {
  const { namespace: _, ...metadata } = review.metadata ?? {};
  const causes = [...checkSubject(review), ...checkMetadata(metadata, "must be empty except for namespace")];
  const attributes = review.spec?.resourceAttributes;
  if (attributes !== undefined && (attributes.namespace ?? "") !== (review.metadata?.namespace ?? "")) {
    causes.push(invalid("spec.resourceAttributes.namespace", attributes.namespace ?? "", "must match metadata.namespace"));
  }
  if (review.spec?.nonResourceAttributes !== undefined)
    causes.push(
      invalid("spec.nonResourceAttributes", goAttributes(review.spec.nonResourceAttributes), "disallowed on this kind of request"),
    );
  return causes;
}

interface AttributesSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

function checkAttributes(spec: AttributesSpec | undefined): StatusCause[] {
  const resource = spec?.resourceAttributes;
  const other = spec?.nonResourceAttributes;
  if (resource === undefined && other === undefined)
    return [invalid("spec.resourceAttributes", undefined, "exactly one of nonResourceAttributes or resourceAttributes must be specified")];
  if (resource === undefined || other === undefined) return [];
  return [invalid("spec.nonResourceAttributes", goAttributes(other), "cannot be specified in combination with resourceAttributes")];
}

const goAttributes = ({ path = "", verb = "" }: NonResourceAttributes): GoValue => ({
  go: `authorization.NonResourceAttributes{Path:${goQuote(path)}, Verb:${goQuote(verb)}}`,
});

/** The selectors of what is asked for: one way of putting them, not both, not neither. */
function checkSelectors(spec: AttributesSpec | undefined): StatusCause[] {
  return (["fieldSelector", "labelSelector"] as const).flatMap((field) => {
    const selector = spec?.resourceAttributes?.[field];
    if (selector === undefined) return [];
    const path = `spec.resourceAttributes.${field}`;
    const { rawSelector = "", requirements } = selector;
    const count = (requirements ?? []).length;
    if (rawSelector !== "" && count > 0)
      return [invalid(`${path}.rawSelector`, rawSelector, "may not specified at the same time as requirements")];
    if (rawSelector !== "" || count > 0) {
      if (field === "fieldSelector") return [];
      const problems = labelSelectorProblems({ matchExpressions: requirements } as LabelSelector, path);
      return problems.map((cause) => ({ ...cause, field: (cause.field ?? "").replace(".matchExpressions[", ".requirements[") }));
    }
    return [required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`)];
  });
}

export function validateBinding({ target }: Binding): StatusCause[] {
  const { kind = "", name = "" } = target ?? {};
  const causes: StatusCause[] = kind === "" || kind === "Node" ? [] : [notSupported("target.kind", kind, ["Node", "<empty>"])];
  return name === "" ? [...causes, required("target.name")] : causes;
}
