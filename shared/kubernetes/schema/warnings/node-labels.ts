import { labelValueProblems } from "../../names.ts";
import type { NodeSelectorTerm } from "../../types.ts";

/** Labels of nodes that have successors (pkg/api/node `deprecatedNodeLabels`). */
const deprecated: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  "app.kubernetes.io/created-by": "deprecated since v1.9",
  "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
  "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
};

export function deprecatedLabelText(label: string): string | undefined {
  return Object.hasOwn(deprecated, label) ? deprecated[label] : undefined;
}

export function selectorTermWarnings(term: NodeSelectorTerm | undefined, checkValues: boolean, path: string): string[] {
  const warnings: string[] = [];
  (term?.matchExpressions ?? []).forEach(({ key, values }, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const text = deprecatedLabelText(key);
    if (text !== undefined) warnings.push(`${at}.key: ${key} is ${text}`);
    if (!checkValues) return;
    values?.forEach((value, number) => {
      for (const problem of labelValueProblems(value)) warnings.push(`${at}.values[${number}]: ${value} is invalid, ${problem}`);
    });
  });
  return warnings;
}
