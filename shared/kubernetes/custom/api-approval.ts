import { invalid, required } from "../schema/field-error.ts";
import { goQuote } from "../schema/go-text.ts";
import type { StatusCause } from "../status-error.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from "../types.ts";

const annotation = "api-approved.kubernetes.io";
const conditionType = "KubernetesAPIApprovalPolicyConformant";

type State = "approved" | "bypassed" | "missing" | "invalid";

/** Groups of the Kubernetes community take no definition without a sign of its approval (KEP-1111, apiextensions `apihelpers`). */
const isProtectedGroup = (group: string): boolean => /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);

function approvalOf({ metadata }: CustomResourceDefinition): { readonly state: State; readonly reason: string } {
  const value = metadata.annotations?.[annotation];
  if (value === undefined || value === "") {
    const reason = `protected groups must have approval annotation ${goQuote(annotation)}, see https://github.com/kubernetes/enhancements/pull/1111`;
    return { state: "missing", reason };
  }
  if (value.startsWith("unapproved")) return { state: "bypassed", reason: `not approved: ${goQuote(value)}` };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]+/.test(value)) return { state: "approved", reason: `approved in ${value}` };
  const reason = `protected groups must have approval annotation ${goQuote(annotation)} with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  return { state: "invalid", reason };
}

/** `live`: what was good enough before stays so. */
export function approvalProblems(definition: CustomResourceDefinition, live?: CustomResourceDefinition): StatusCause[] {
  if (!isProtectedGroup(definition.spec.group)) return [];
  const { state, reason } = approvalOf(definition);
  if (live && approvalOf(live).state === state) return [];
  const path = `metadata.annotations[${annotation}]`;
  if (state === "missing") return [required(path, reason)];
  return state === "invalid" ? [invalid(path, definition.metadata.annotations?.[annotation] ?? "", reason)] : [];
}

export function approvalCondition(
  definition: CustomResourceDefinition,
): Pick<CustomResourceDefinitionCondition, "type" | "status" | "reason" | "message">[] {
  if (!isProtectedGroup(definition.spec.group)) return [];
  const { state, reason } = approvalOf(definition);
  const named = {
    approved: "ApprovedAnnotation",
    bypassed: "UnapprovedAnnotation",
    missing: "MissingAnnotation",
    invalid: "InvalidAnnotation",
  } as const;
  return [{ type: conditionType, status: state === "approved" ? "True" : "False", reason: named[state], message: reason }];
}
