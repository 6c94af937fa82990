import { labelSelectorProblems } from "../../label-selector.ts";
import { dnsSubdomainProblems, labelValueProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../field-error.ts";
import { checkDnsLabel, checkPositive, checkQualifiedName, checkSupported, invalidEach } from "./checks.ts";

const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function checkAffinity(affinity: Affinity, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const hard = "requiredDuringSchedulingIgnoredDuringExecution";
  const soft = "preferredDuringSchedulingIgnoredDuringExecution";
  if (nodeAffinity?.[hard] !== undefined) causes.push(...checkNodeSelector(nodeAffinity[hard], `${path}.nodeAffinity.${hard}`));
  nodeAffinity?.[soft]?.forEach((term, index) => {
    const at = `${path}.nodeAffinity.${soft}[${index}]`;
    causes.push(...checkWeight(term.weight, at), ...checkNodeSelectorTerm(term.preference, `${at}.preference`, true));
  });
  for (const [name, terms] of [["podAffinity", podAffinity] as const, ["podAntiAffinity", podAntiAffinity] as const]) {
    terms?.[hard]?.forEach((term, index) => {
      causes.push(...checkPodAffinityTerm(term, `${path}.${name}.${hard}[${index}]`));
    });
    terms?.[soft]?.forEach((term, index) => {
      const at = `${path}.${name}.${soft}[${index}]`;
      causes.push(...checkWeight(term.weight, at), ...checkPodAffinityTerm(term.podAffinityTerm, `${at}.podAffinityTerm`));
    });
  }
  return causes;
}

function checkWeight(weight: number, path: string): StatusCause[] {
  return weight <= 0 || weight > 100 ? [invalid(`${path}.weight`, weight, "must be in the range 1-100")] : [];
}

/** Terms of which at least one must be there. */
export function checkNodeSelector(selector: NodeSelector, path: string): StatusCause[] {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(`${path}.nodeSelectorTerms`, "must have at least one node selector term")];
  return terms.flatMap((term, index) => checkNodeSelectorTerm(term, `${path}.nodeSelectorTerms[${index}]`));
}

function checkNodeSelectorTerm(term: NodeSelectorTerm, path: string, anyValue = false): StatusCause[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement, index) =>
      checkNodeExpression(requirement, `${path}.matchExpressions[${index}]`, anyValue),
    ),
    ...(term.matchFields ?? []).flatMap((requirement, index) => checkNodeField(requirement, `${path}.matchFields[${index}]`)),
  ];
}

function checkNodeExpression({ key, operator, values = [] }: NodeSelectorRequirement, path: string, anyValue: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const at = `${path}.values`;
  switch (operator as string) {
    case "In":
    case "NotIn":
      if (values.length === 0) causes.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) causes.push(forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1) causes.push(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      causes.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  }
  causes.push(...checkQualifiedName(key, `${path}.key`));
  if (!anyValue)
    values.forEach((value, index) => {
      causes.push(...invalidEach(`${at}[${index}]`, value, labelValueProblems(value)));
    });
  return causes;
}

function checkNodeField({ key, operator, values = [] }: NodeSelectorRequirement, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (operator !== "In" && operator !== "NotIn") causes.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  else if (values.length !== 1)
    causes.push(required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  if (key !== "metadata.name") return [...causes, invalid(`${path}.key`, key, "not a valid field selector key")];
  values.forEach((value, index) => {
    causes.push(...invalidEach(`${path}.values[${index}]`, value, dnsSubdomainProblems(value)));
  });
  return causes;
}

function checkPodAffinityTerm(term: PodAffinityTerm, path: string): StatusCause[] {
  const causes = [
    ...labelSelectorProblems(term.labelSelector, `${path}.labelSelector`),
    ...labelSelectorProblems(term.namespaceSelector, `${path}.namespaceSelector`),
    ...(term.namespaces ?? []).flatMap((name) => checkDnsLabel(name, `${path}.namespace`)),
    ...checkLabelKeys(term.matchLabelKeys ?? [], term.labelSelector, `${path}.matchLabelKeys`),
    ...checkLabelKeys(term.mismatchLabelKeys ?? [], term.labelSelector, `${path}.mismatchLabelKeys`),
  ];
  causes.push(...checkKeysNotSelected(term, path));
  (term.matchLabelKeys ?? []).forEach((key, index) => {
    if (term.mismatchLabelKeys?.includes(key))
      causes.push(invalid(`${path}.matchLabelKeys[${index}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys"));
  });
  if (term.topologyKey === "") causes.push(required(`${path}.topologyKey`, "can not be empty"));
  return [...causes, ...checkQualifiedName(term.topologyKey, `${path}.topologyKey`)];
}

/** Keys of `matchLabelKeys` are in the selector once, as requirements made from the pod's labels; a second one is the client's. */
function checkKeysNotSelected({ labelSelector, matchLabelKeys = [] }: PodAffinityTerm, path: string): StatusCause[] {
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  return (labelSelector?.matchExpressions ?? []).flatMap(({ key }) => {
    const again = seen.has(key) && matchLabelKeys.includes(key);
    seen.add(key);
    return again ? [invalid(`${path}[${matchLabelKeys.lastIndexOf(key)}]`, key, "exists in both matchLabelKeys and labelSelector")] : [];
  });
}

function checkLabelKeys(keys: readonly string[], selector: LabelSelector | undefined, path: string): StatusCause[] {
  if (keys.length === 0) return [];
  if (selector === undefined) return [forbidden(path, "must not be specified when labelSelector is not set")];
  return keys.flatMap((key, index) => checkQualifiedName(key, `${path}[${index}]`));
}

export function checkTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string): StatusCause[] {
  return constraints.flatMap((constraint, index) => checkSpreadConstraint(constraint, constraints.slice(index + 1), `${path}[${index}]`));
}

function checkSpreadConstraint(
  constraint: TopologySpreadConstraint,
  rest: readonly TopologySpreadConstraint[],
  path: string,
): StatusCause[] {
  const { topologyKey, whenUnsatisfiable, minDomains, labelSelector } = constraint;
  const causes = checkPositive(constraint.maxSkew, `${path}.maxSkew`);
  if (topologyKey === "") causes.push(required(`${path}.topologyKey`, "can not be empty"));
  const actions = ["DoNotSchedule", "ScheduleAnyway"];
  if (!actions.includes(whenUnsatisfiable)) causes.push(notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable, actions));
  if (rest.some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)) {
    causes.push(duplicate(`${path}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
  }
  if (minDomains !== undefined) {
    causes.push(...checkPositive(minDomains, `${path}.minDomains`));
    if (whenUnsatisfiable !== "DoNotSchedule") {
      causes.push(
        invalid(`${path}.minDomains`, minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`),
      );
    }
  }
  causes.push(...checkSupported(constraint.nodeAffinityPolicy, ["Honor", "Ignore"], `${path}.nodeAffinityPolicy`));
  causes.push(...checkSupported(constraint.nodeTaintsPolicy, ["Honor", "Ignore"], `${path}.nodeTaintsPolicy`));
  causes.push(...checkSpreadLabelKeys(constraint.matchLabelKeys ?? [], labelSelector, `${path}.matchLabelKeys`));
  return [...causes, ...labelSelectorProblems(labelSelector, `${path}.labelSelector`)];
}

function checkSpreadLabelKeys(keys: readonly string[], selector: LabelSelector | undefined, path: string): StatusCause[] {
  if (keys.length === 0) return [];
  const causes = selector === undefined ? [forbidden(path, "must not be specified when labelSelector is not set")] : [];
  const selected = new Set([
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map((expression) => expression.key),
  ]);
  keys.forEach((key, index) => {
    causes.push(...checkQualifiedName(key, `${path}[${index}]`));
    if (selected.has(key)) causes.push(invalid(`${path}[${index}]`, key, "exists in both matchLabelKeys and labelSelector"));
  });
  return causes;
}

export function checkTolerations(tolerations: readonly Toleration[], path: string): StatusCause[] {
  return tolerations.flatMap((toleration, index) => checkToleration(toleration, `${path}[${index}]`));
}

function checkToleration(toleration: Toleration, path: string): StatusCause[] {
  const { key = "", value = "", effect, tolerationSeconds } = toleration;
  const operator: string = toleration.operator ?? "";
  const causes = key === "" ? [] : checkQualifiedName(key, `${path}.key`);
  if (key === "" && operator !== "Exists") {
    causes.push(
      invalid(`${path}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"'),
    );
  }
  if (tolerationSeconds !== undefined && effect !== "NoExecute") {
    causes.push(invalid(`${path}.effect`, effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (operator === "Equal" || operator === "") {
    const problems = labelValueProblems(value);
    if (problems.length > 0) causes.push(invalid(`${path}.operator`, value, problems.join(";")));
  } else if (operator === "Exists") {
    if (value !== "") causes.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  } else causes.push(notSupported(`${path}.operator`, operator, ["Equal", "Exists"]));
  return [...causes, ...checkTaintEffect(effect, `${path}.effect`)];
}

/** Absent means every effect. */
export function checkTaintEffect(effect: string | undefined, path: string): StatusCause[] {
  return checkSupported(effect, taintEffects, path);
}
