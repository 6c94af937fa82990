import type { CelType } from "../cel/type.ts";
import { findResource, parseApiVersion } from "../resources.ts";
import { kindSchema } from "../schema/kind-schema.ts";
import type { ExpressionWarning, RuleWithOperations, ValidatingAdmissionPolicySpec } from "../types.ts";
import { compilePolicy } from "./compiled-policy.ts";
import type { AdmissionExpression } from "./expression.ts";
import { typeOfNode } from "./node-type.ts";

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** What else a cluster serves: its custom resources. */
export interface CustomTypes {
  kindOf(group: string, version: string, resource: string): string | undefined;
  typeOf(group: string, version: string, kind: string): CelType | undefined;
}

const mostTypes = 10;

/**
 * What the expressions of a policy would get wrong about the kinds that its rules name (apiserver `validating/typechecking.go`): a help for
 * who writes them, without effect on requests. Rules with wildcards name no kind.
 */
export function checkPolicyTypes(spec: ValidatingAdmissionPolicySpec, custom: CustomTypes): ExpressionWarning[] {
  const typeOf = ({ group, version, kind }: GroupVersionKind): CelType | undefined => {
    const schema = kindSchema(group, version, kind);
    return schema ? typeOfNode(schema.node) : custom.typeOf(group, version, kind);
  };
  const params = spec.paramKind && typeOf({ ...parseApiVersion(spec.paramKind.apiVersion ?? ""), kind: spec.paramKind.kind ?? "" });
  const checked = kindsOf(spec, custom).flatMap((kind) => {
    const object = typeOf(kind);
    if (!object) return [];
    const { paramKind, ...rest } = spec;
    const known = params && paramKind ? { ...rest, paramKind } : rest;
    return [{ kind, policy: compilePolicy(known, { object, ...(params && { params }) }) }];
  });
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expressionOf: (policy: ReturnType<typeof compilePolicy>) => AdmissionExpression | undefined): void => {
    const problems = checked.flatMap(({ kind, policy }) => {
      const expression = expressionOf(policy);
      return expression?.kind === "invalid" ? [`${kind.group}/${kind.version}, Kind=${kind.kind}: ${expression.problem}\n`] : [];
    });
    if (problems.length > 0) warnings.push({ fieldRef, warning: problems.join("\n") });
  };
  for (const index of (spec.validations ?? []).keys()) {
    check(`spec.validations[${index}].expression`, ({ validations }) => validations[index]?.expression);
    check(`spec.validations[${index}].messageExpression`, ({ validations }) => validations[index]?.message);
  }
  return warnings;
}

/** Each kind once, in order of group, version and kind. */
function kindsOf({ matchConstraints }: ValidatingAdmissionPolicySpec, custom: CustomTypes): GroupVersionKind[] {
  const found = new Map<string, GroupVersionKind>();
  for (const rule of matchConstraints?.resourceRules ?? []) {
    for (const kind of kindsOfRule(rule, custom)) found.set(`${kind.group}\u0000${kind.version}\u0000${kind.kind}`, kind);
  }
  return [...found]
    .slice(0, mostTypes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, kind]) => kind);
}

function kindsOfRule({ apiGroups = [], apiVersions = [], resources = [] }: RuleWithOperations, custom: CustomTypes): GroupVersionKind[] {
  if ([...apiGroups, ...apiVersions].some((name) => name.includes("*"))) return [];
  const plain = resources.filter((resource) => !/[*/]/.test(resource));
  return [...apiGroups].sort().flatMap((group) =>
    [...apiVersions].sort().flatMap((version) =>
      [...plain].sort().flatMap((resource) => {
        const kind = findResource(group, version, resource)?.kind ?? custom.kindOf(group, version, resource);
        return kind === undefined ? [] : [{ group, version, kind }];
      }),
    ),
  );
}
