import type { StatusCause } from "../../status-error.ts";
import type { Binding, LocalSubjectAccessReview, SelfSubjectAccessReview, SubjectAccessReview } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";

const minimumTokenSeconds = 600;
const maximumTokenSeconds = 2 ** 32;
const nothing = { go: "null" };

export function validateTokenRequest({ spec }: { spec?: { expirationSeconds?: number } }): StatusCause[] {
  const seconds = spec?.expirationSeconds ?? 0;
  const path = "spec.expirationSeconds";
  if (seconds < minimumTokenSeconds) return [invalid(path, seconds, "may not specify a duration less than 10 minutes")];
  return seconds > maximumTokenSeconds ? [invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")] : [];
}

export function validateSubjectAccessReview({ spec }: SubjectAccessReview): StatusCause[] {
  const anonymous = (spec?.user ?? "") === "" && (spec?.groups ?? []).length === 0;
  return [
    ...checkAttributes(spec),
    ...(anonymous ? [invalid("spec.user", spec?.user ?? "", "at least one of user or group must be specified")] : []),
  ];
}

export function validateSelfSubjectAccessReview({ spec }: SelfSubjectAccessReview): StatusCause[] {
  return checkAttributes(spec);
}

export function validateLocalSubjectAccessReview(review: LocalSubjectAccessReview): StatusCause[] {
  const causes = validateSubjectAccessReview(review);
  const attributes = review.spec?.resourceAttributes;
  if (attributes !== undefined && (attributes.namespace ?? "") !== (review.metadata?.namespace ?? "")) {
    causes.push(invalid("spec.resourceAttributes.namespace", attributes.namespace ?? "", "must match metadata.namespace"));
  }
  if (review.spec?.nonResourceAttributes !== undefined)
    causes.push(invalid("spec.nonResourceAttributes", nothing, "disallowed on this kind of request"));
  return causes;
}

interface AttributesSpec {
  readonly resourceAttributes?: object;
  readonly nonResourceAttributes?: object;
}

function checkAttributes(spec: AttributesSpec | undefined): StatusCause[] {
  const resource = spec?.resourceAttributes !== undefined;
  const other = spec?.nonResourceAttributes !== undefined;
  if (resource && other)
    return [invalid("spec.nonResourceAttributes", nothing, "cannot be specified in combination with resourceAttributes")];
  if (resource || other) return [];
  return [invalid("spec.resourceAttributes", nothing, "exactly one of nonResourceAttributes or resourceAttributes must be specified")];
}

export function validateBinding({ target }: Binding): StatusCause[] {
  const { kind = "", name = "" } = target ?? {};
  const causes: StatusCause[] = kind === "" || kind === "Node" ? [] : [notSupported("target.kind", kind, ["Node", "<empty>"])];
  return name === "" ? [...causes, required("target.name")] : causes;
}
