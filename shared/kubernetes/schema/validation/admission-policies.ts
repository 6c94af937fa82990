import { boolType, nullType, stringType } from "../../cel/type.ts";
import { deepEqual } from "../../deep-equal.ts";
import { labelSelectorProblems } from "../../label-selector.ts";
import { dns1035LabelProblems, dnsSubdomainProblems, pathSegmentProblems } from "../../names.ts";
import { type CompiledVariable, compileVariables } from "../../policies/compiled-policy.ts";
import { variablesOf } from "../../policies/environment.ts";
import { type AdmissionExpression, compileAdmissionExpression } from "../../policies/expression.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  MatchCondition,
  MatchResources,
  MutatingAdmissionPolicySpec,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicyBindingSpec,
  Validation,
  Variable,
} from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required, tooMany } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { checkQualifiedName, checkSupported, invalidEach } from "./checks.ts";
import { checkConditions } from "./conditions.ts";
import { checkRule } from "./server-objects.ts";

/** What is wrong with the place of a warning is told by where it is missing alone: it is not read as a JSON path here. */
export function validateAdmissionPolicyStatus({ status }: ValidatingAdmissionPolicy): StatusCause[] {
  const warnings = (status?.typeChecking?.expressionWarnings ?? []).flatMap(({ warning = "", fieldRef = "" }, index) => {
    const path = `status.typeChecking.expressionWarnings[${index}]`;
    return [...(warning === "" ? [required(`${path}.warning`)] : []), ...(fieldRef.trim() === "" ? [required(`${path}.fieldRef`)] : [])];
  });
  return [...warnings, ...checkConditions(status?.conditions, "status.conditions")];
}

const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
/** Reserved by the language (cel-go `isCELIdentifier`). */
const reservedNames: ReadonlySet<string> = new Set([
  ...["as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "package", "namespace"],
  ...["null", "return", "true", "var", "void", "while"],
]);
const mostAuditAnnotations = 20;
const mostConditions = 64;
const longestValueExpression = 5 * 1024;

/** pkg/apis/admissionregistration/validation `ValidateValidatingAdmissionPolicy`. Expressions that stay as they are are not looked at again where `live` has them. */
export function validateAdmissionPolicy(
  { metadata, spec = {} }: ValidatingAdmissionPolicy,
  live?: ValidatingAdmissionPolicy,
): StatusCause[] {
  const { paramKind, matchConditions = [], variables = [], validations = [], auditAnnotations = [] } = spec;
  const hasParams = paramKind !== undefined;
  const causes = checkScope(spec);
  if (!deepEqual(matchConditions, live?.spec?.matchConditions ?? []))
    causes.push(...checkMatchConditions(matchConditions, hasParams, "spec.matchConditions"));
  const environment = variablesOf({ hasParams, hasAuthorizer: true });
  const compiled = compileVariables(variables, environment);
  causes.push(...checkVariables(variables, compiled.variables));
  const withoutAuthorizer = variablesOf({ hasParams, hasAuthorizer: false });
  if (variables.length > 0) for (const known of [environment, withoutAuthorizer]) known.set("variables", compiled.variablesType);
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const text = "validations or auditAnnotations must contain at least one item";
    return [...causes, required("spec.validations", text), required("spec.auditAnnotations", text)];
  }
  validations.forEach((validation, index) => {
    causes.push(...checkValidation(validation, environment, withoutAuthorizer, `spec.validations[${index}]`));
  });
  if (auditAnnotations.length > mostAuditAnnotations)
    causes.push(invalid("spec.auditAnnotations", { go: "[]" }, `must not have more than ${mostAuditAnnotations} auditAnnotations`));
  auditAnnotations.forEach(({ key, valueExpression }, index) => {
    const path = `spec.auditAnnotations[${index}]`;
    if ((metadata.name ?? "") === "") causes.push(invalid(`${path}.key`, key, "requires metadata.name be non-empty"));
    else causes.push(...checkQualifiedName(`${metadata.name}/${key}`, `${path}.key`));
    const text = valueExpression.trim();
    if (text === "") causes.push(required(`${path}.valueExpression`, "valueExpression is not specified"));
    else if (text.length > longestValueExpression)
      causes.push(required(`${path}.valueExpression`, `must not exceed ${longestValueExpression} bytes in length`));
    else {
      const expression = compileAdmissionExpression(text, environment, stringType, nullType);
      causes.push(...problemsOf(expression, valueExpression, `${path}.valueExpression`));
    }
    if (auditAnnotations.findIndex((other) => other.key === key) < index) causes.push(duplicate(`${path}.key`, key));
  });
  return causes;
}

/** What policies of both kinds begin with. */
export function checkScope({
  failurePolicy,
  paramKind,
  matchConstraints,
}: Pick<MutatingAdmissionPolicySpec, "failurePolicy" | "paramKind" | "matchConstraints">): StatusCause[] {
  const causes = checkSupported(failurePolicy, ["Fail", "Ignore"], "spec.failurePolicy");
  if (paramKind) causes.push(...checkParamKind(paramKind));
  if (!matchConstraints) return [...causes, required("spec.matchConstraints")];
  causes.push(...checkMatchResources(matchConstraints, "spec.matchConstraints"));
  if ((matchConstraints.resourceRules ?? []).length === 0) causes.push(required("spec.matchConstraints.resourceRules"));
  return causes;
}

export function checkVariables(variables: readonly Variable[], compiled: readonly CompiledVariable[]): StatusCause[] {
  const causes: StatusCause[] = [];
  variables.forEach(({ name, expression }, index) => {
    const path = `spec.variables[${index}]`;
    if (name.trim() === "") causes.push(required(`${path}.name`, "name is not specified"));
    else if (!identifier.test(name) || reservedNames.has(name))
      causes.push(invalid(`${path}.name`, name, "name is not a valid CEL identifier"));
    if (expression.trim() === "") causes.push(required(`${path}.expression`, "expression is not specified"));
    else causes.push(...problemsOf(compiled[index]?.expression, expression, `${path}.expression`));
  });
  return causes;
}

function checkValidation(
  { expression, message = "", messageExpression = "", reason }: Validation,
  environment: ReturnType<typeof variablesOf>,
  withoutAuthorizer: ReturnType<typeof variablesOf>,
  path: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  if (expression.trim() === "") causes.push(required(`${path}.expression`, "expression is not specified"));
  else causes.push(...problemsOf(compileAdmissionExpression(expression, environment, boolType), expression, `${path}.expression`));
  if (messageExpression !== "" && messageExpression.trim() === "")
    causes.push(invalid(`${path}.messageExpression`, messageExpression, "must be non-empty if specified"));
  else if (messageExpression !== "") {
    const compiled = compileAdmissionExpression(messageExpression, withoutAuthorizer, stringType);
    causes.push(...problemsOf(compiled, messageExpression, `${path}.messageExpression`));
  }
  if (message !== "" && message.trim() === "") causes.push(invalid(`${path}.message`, message, "message must be non-empty if specified"));
  else if (/[\n\r]/.test(message.trim())) causes.push(invalid(`${path}.message`, message, "message must not contain line breaks"));
  return [...causes, ...checkSupported(reason, ["Forbidden", "Invalid", "RequestEntityTooLarge"], `${path}.reason`)];
}

export const problemsOf = (compiled: AdmissionExpression | undefined, text: string, path: string): StatusCause[] =>
  compiled?.kind === "invalid" ? [invalid(path, text, compiled.problem)] : [];

/** Of webhooks and policies. */
export function checkMatchConditions(conditions: readonly MatchCondition[], hasParams: boolean, path: string): StatusCause[] {
  const causes = conditions.length > mostConditions ? [tooMany(path, conditions.length, mostConditions)] : [];
  const environment = variablesOf({ hasParams, hasAuthorizer: true });
  conditions.forEach(({ name, expression }, index) => {
    const at = `${path}[${index}]`;
    const text = expression.trim();
    if (text === "") causes.push(required(`${at}.expression`));
    else causes.push(...problemsOf(compileAdmissionExpression(text, environment, boolType), text, `${at}.expression`));
    if (name === "") causes.push(required(`${at}.name`));
    else causes.push(...checkQualifiedName(name, `${at}.name`));
    if (name !== "" && conditions.findIndex((other) => other.name === name) < index) causes.push(duplicate(`${at}.name`, name));
  });
  return causes;
}

function checkParamKind({ apiVersion = "", kind = "" }: ParamKind): StatusCause[] {
  const causes: StatusCause[] = [];
  const path = "spec.paramKind.apiVersion";
  const parts = apiVersion.split("/");
  if (apiVersion === "") causes.push(required(path));
  else if (parts.length > 2) causes.push(invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const [group, version] = parts.length === 2 ? parts : ["", apiVersion];
    if (group) causes.push(...invalidEach(path, group, joined(dnsSubdomainProblems(group))));
    if (!version) causes.push(invalid(path, apiVersion, "version must be specified"));
    else causes.push(...invalidEach(path, version, joined(dns1035LabelProblems(version))));
  }
  if (kind === "") return [...causes, required("spec.paramKind.kind")];
  const problems = joined(dns1035LabelProblems(kind.toLowerCase()));
  return [
    ...causes,
    ...invalidEach(
      "spec.paramKind.kind",
      kind,
      problems.map((problem) => `may have mixed case, but should otherwise match: ${problem}`),
    ),
  ];
}

const joined = (problems: readonly string[]): string[] => (problems.length > 0 ? [problems.join(",")] : []);

function checkMatchResources(match: MatchResources, path: string): StatusCause[] {
  const causes = [
    ...checkSupported(match.matchPolicy, ["Equivalent", "Exact"], `${path}.matchPolicy`),
    ...labelSelectorProblems(match.namespaceSelector, `${path}.namespaceSelector`),
    ...labelSelectorProblems(match.objectSelector, `${path}.objectSelector`),
  ];
  for (const field of ["resourceRules", "excludeResourceRules"] as const) {
    (match[field] ?? []).forEach((rule, index) => {
      const at = `${path}.${field}[${index}]`;
      const names = rule.resourceNames ?? [];
      names.forEach((name, position) => {
        causes.push(...invalidEach(`${at}.resourceNames[${position}]`, name, pathSegmentProblems(name)));
        if (names.indexOf(name) < position) causes.push(duplicate(`${at}.resourceNames[${position}]`, name));
      });
      causes.push(...checkRule(rule, at));
    });
  }
  return causes;
}

/** `ValidateValidatingAdmissionPolicyBinding` */
export function validatePolicyBinding({ spec = {} }: ValidatingAdmissionPolicyBinding): StatusCause[] {
  const { validationActions = [] } = spec;
  const causes = checkBound(spec);
  const path = "spec.validationActions";
  validationActions.forEach((action, index) => {
    causes.push(...checkSupported(action, ["Audit", "Deny", "Warn"], `${path}[${index}]`));
    if (validationActions.indexOf(action) < index) causes.push(duplicate(`${path}[${index}]`, action));
  });
  if (validationActions.includes("Deny") && validationActions.includes("Warn")) {
    const text =
      "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
    const value = { go: goStringList(validationActions).replace("[]string", "[]admissionregistration.ValidationAction") };
    causes.push(invalid(path, value, text));
  }
  if (validationActions.length === 0) causes.push(required(path, "at least one validation action is required"));
  return causes;
}

/** What bindings of both kinds have. */
export function checkBound({
  policyName = "",
  paramRef,
  matchResources,
}: Omit<ValidatingAdmissionPolicyBindingSpec, "validationActions">): StatusCause[] {
  const causes =
    policyName === "" ? [required("spec.policyName")] : invalidEach("spec.policyName", policyName, dnsSubdomainProblems(policyName));
  if (paramRef) causes.push(...checkParamRef(paramRef));
  if (matchResources) causes.push(...checkMatchResources(matchResources, "spec.matchResources"));
  return causes;
}

function checkParamRef({ name = "", selector, parameterNotFoundAction = "" }: ParamRef): StatusCause[] {
  const path = "spec.paramRef";
  const exclusive = "name and selector are mutually exclusive";
  const causes = name === "" ? [] : invalidEach(`${path}.name`, name, pathSegmentProblems(name));
  if (name !== "" && selector) causes.push(forbidden(`${path}.name`, exclusive));
  causes.push(...labelSelectorProblems(selector, `${path}.selector`));
  if (name !== "" && selector) causes.push(forbidden(`${path}.selector`, exclusive));
  if (name === "" && !selector) causes.push(required(path, "one of name or selector must be specified"));
  if (parameterNotFoundAction === "") causes.push(required(`${path}.parameterNotFoundAction`));
  else if (!["Allow", "Deny"].includes(parameterNotFoundAction))
    causes.push(notSupported(`${path}.parameterNotFoundAction`, parameterNotFoundAction, ["Deny", "Allow"]));
  return causes;
}
