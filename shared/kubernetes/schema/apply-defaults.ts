import { cloneJson } from "../clone.ts";
import { type FieldNode, isJsonObject, type JsonObject, type SchemaNode } from "./schema-node.ts";

/** Defaults that Kubernetes sets by code (`SetDefaults_X`) for one type, in place. Must be idempotent. */
export type SetDefaults = (value: JsonObject) => void;

/** `SetDefaults` by the component's name (`io.k8s.api.core.v1.PodSpec`) or, for maps, by the Go type (`v1.ResourceList`). */
export type DefaultRules = ReadonlyMap<string, SetDefaults>;

/**
 * Makes the function that applies published defaults and `rules` to a whole object. A type's own rule runs before those of the types
 * inside it, as in Kubernetes' generated code; parts of the schema without any default are never visited.
 */
export function createDefaulter(rules: DefaultRules): (root: SchemaNode, object: JsonObject) => void {
  const plans = new Map<SchemaNode, Plan | undefined>();

  function planOf(node: SchemaNode): Plan | undefined {
    if (plans.has(node)) return plans.get(node);
    plans.set(node, undefined);
    const rule = rules.get(node.component) ?? (node.shape === "map" ? rules.get(node.goType) : undefined);
    const element = node.element === undefined ? undefined : planOf(node.element);
    const fields = [...node.fields().values()];
    const inside = fields.flatMap((field) => {
      const plan = planOf(field.node);
      return plan === undefined ? [] : [{ name: field.name, plan }];
    });
    const published = fields.filter((field) => field.default !== undefined);
    const empty = rule === undefined && element === undefined && inside.length === 0 && published.length === 0;
    const plan = empty ? undefined : { rule, element, inside, published };
    plans.set(node, plan);
    return plan;
  }

  return (root, object) => {
    const plan = planOf(root);
    if (plan !== undefined) apply(plan, object);
  };
}

interface Plan {
  readonly rule: SetDefaults | undefined;
  readonly element: Plan | undefined;
  readonly inside: readonly { readonly name: string; readonly plan: Plan }[];
  readonly published: readonly FieldNode[];
}

function apply(plan: Plan, value: unknown): void {
  if (Array.isArray(value)) {
    if (plan.element !== undefined) for (const item of value) apply(plan.element, item);
    return;
  }
  if (!isJsonObject(value)) return;
  plan.rule?.(value);
  for (const field of plan.published) value[field.name] ??= cloneJson(field.default);
  for (const { name, plan: inner } of plan.inside) {
    const child = value[name];
    if (child !== undefined && child !== null) apply(inner, child);
  }
  if (plan.element !== undefined) for (const key in value) apply(plan.element, value[key]);
}
