import { objectBudget } from "../../../kubernetes/cel/meter.ts";
import { applyJsonPatch } from "../../../kubernetes/json-patch.ts";
import { PatchDoesNotApply } from "../../../kubernetes/json-patch-problem.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import type { CompiledMutations } from "../../../kubernetes/policies/compiled-mutations.ts";
import { Evaluation } from "../../../kubernetes/policies/evaluation.ts";
import { mergeConfiguration } from "../../../kubernetes/policies/merge-configuration.ts";
import { configurationOf, operationsOf, PatchProblem } from "../../../kubernetes/policies/patch-value.ts";
import { apiVersionOf, parseApiVersion, type ResourceDefinition } from "../../../kubernetes/resources.ts";
import { type KindSchema, kindSchema } from "../../../kubernetes/schema/kind-schema.ts";
import { StatusError } from "../../../kubernetes/status-error.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { asRecord } from "../../field-managers.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { replaceObject } from "../replaced-object.ts";
import { inVersionOf, shownAs, storedFrom } from "../webhooks/versions.ts";
import { bindingsOf } from "./bindings.ts";
import type { Invocation } from "./invocations.ts";
import { mostMs } from "./match-conditions.ts";

/** `failed`: the failure policy decides. */
export type MutationOutcome = { readonly kind: "done"; readonly changed: boolean } | { readonly kind: "failed"; readonly message: string };

/** Evaluates one mutation of a policy over the object as it is by now, and changes that. @throws StatusError for what no failure policy lets pass */
export async function applyMutation(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  { matched: { resource }, params }: Pick<Invocation<unknown, unknown>, "matched" | "params">,
  { variables, variablesType }: CompiledMutations,
  { patchType, expression }: CompiledMutations["mutations"][number],
): Promise<MutationOutcome> {
  if (expression.kind === "invalid") return { kind: "failed", message: expression.problem };
  const seen = await inVersionOf(cluster, attributes, resource);
  const shown = shownAs(seen, resource, seen.object);
  if (!shown) return { kind: "done", changed: false };
  const until = cluster.clock.now() + mostMs;
  const bindings = bindingsOf(cluster, seen, resource, params);
  const evaluation = new Evaluation(bindings, objectBudget, () => cluster.clock.now() > until, {
    compiled: variables,
    type: variablesType,
  });
  const result = evaluation.evaluate(expression);
  if (result.kind === "error") return { kind: "failed", message: result.message };
  const kind = kindOf(cluster, resource, shown);
  try {
    const made =
      patchType === "JSONPatch" ? patched(kind, shown, operationsOf(result.value)) : merged(kind, shown, configurationOf(result.value));
    if (!made) return { kind: "done", changed: false };
    return { kind: "done", changed: replaceObject(attributes, await storedFrom(cluster, attributes, resource, made)) };
  } catch (error) {
    if (error instanceof PatchProblem) return { kind: "failed", message: error.message };
    throw error;
  }
}

interface SeenKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: KindSchema | undefined;
  readonly isCustom: boolean;
}

/** Below a resource may stand an object of another kind. */
function kindOf({ resources }: ApiCluster, resource: ResourceDefinition, shown: KubernetesObject): SeenKind {
  const { apiVersion = apiVersionOf(resource), kind = resource.kind } = shown;
  const isOwn = kind === resource.kind && apiVersion === apiVersionOf(resource);
  const { group, version } = parseApiVersion(apiVersion);
  const schema = isOwn ? resources.schemaOf(resource) : kindSchema(group, version, kind);
  return { apiVersion, kind, schema, isCustom: isOwn && resource.custom !== undefined };
}

function merged({ apiVersion, kind, schema }: SeenKind, shown: KubernetesObject, configuration: Record<string, unknown>): KubernetesObject {
  if (!schema) {
    const { group, version } = parseApiVersion(apiVersion);
    const why = `no corresponding type for ${group}/${version}, Kind=${kind}`;
    throw new PatchProblem(`error applying patch: failed to convert patch object to typed object: ${why}`);
  }
  const object = { ...shown, apiVersion, kind };
  return mergeConfiguration(schema, asRecord(object), { ...configuration, apiVersion, kind }) as unknown as KubernetesObject;
}

/** `undefined`: a test in the patch failed, so that nothing is patched. */
function patched({ schema, isCustom }: SeenKind, shown: KubernetesObject, operations: readonly object[]): KubernetesObject | undefined {
  let object: Record<string, unknown>;
  try {
    object = asRecord(applyJsonPatch(shown, operations) as KubernetesObject);
  } catch (error) {
    if (!(error instanceof PatchDoesNotApply)) throw error;
    if (error.kind === "test failed") return undefined;
    throw new PatchProblem(`JSON Patch: ${error.detail}`);
  }
  const problem = schema && !isCustom ? decodingProblem(schema, object) : undefined;
  if (problem !== undefined)
    throw new StatusError("InternalError", `Internal error occurred: ${problem}`, { causes: [{ message: problem }] });
  return object as unknown as KubernetesObject;
}

function decodingProblem(schema: KindSchema, object: Record<string, unknown>): string | undefined {
  const problem = schema.checkTypes(object);
  if (problem !== undefined) return problem;
  const unknown = schema.unknownFields(object);
  return unknown.length > 0 ? `strict decoding error: ${unknown.join(", ")}` : undefined;
}
