import { applyJsonPatch } from "../../../kubernetes/json-patch.ts";
import { PatchDoesNotApply } from "../../../kubernetes/json-patch-problem.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { isStatus, StatusError } from "../../../kubernetes/status-error.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { isExempt } from "../matching.ts";
import type { Reinvocation } from "../reinvocation.ts";
import { replaceObject } from "../replaced-object.ts";
import { callWebhook, webhookFailure } from "./call-webhook.ts";
import { type MatchedHook, matchHook, mutatingHooks, validatingHooks } from "./hooks.ts";
import { shownAs, storedFrom } from "./versions.ts";

/**
 * MutatingAdmissionWebhook: asks the webhooks one after another; each sees what those before it made of the object.
 * In the second round only those are asked that are due. Answers whether the object changed. @throws StatusError
 */
export async function mutateByWebhooks(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation<MutatingWebhook>,
  again: boolean,
): Promise<boolean> {
  const hooks = mutatingHooks(cluster);
  if (hooks.length === 0 || isExempt(attributes)) return false;
  if (again) reinvocation.begin(attributes.object);
  let changedAtAll = false;
  for (const hook of hooks) {
    if (again && !reinvocation.isDue(hook)) continue;
    const matched = await matchHook(cluster, hook, attributes);
    if (!matched) continue;
    const { seen } = matched;
    const shown = shownAs(seen, matched.resource, seen.object);
    const outcome = await callWebhook(
      cluster,
      hook,
      attributes,
      matched.resource,
      shown,
      shownAs(seen, matched.resource, seen.oldObject),
      true,
    );
    if (outcome.kind === "denied") throw outcome.error;
    if (outcome.kind === "failed") {
      if (hook.failurePolicy !== "Ignore") throw webhookFailure(hook.name, outcome.reason);
      cluster.log.warn("webhook failed, request admitted", { webhook: hook.name, reason: outcome.reason });
    } else if (outcome.patch !== "") {
      const changed = await applyAnswer(attributes, hook.name, outcome.patch, shown, (patched) =>
        storedFrom(cluster, attributes, matched.resource, patched),
      );
      if (changed) reinvocation.changed();
      changedAtAll ||= changed;
    }
    if (hook.reinvocationPolicy === "IfNeeded") reinvocation.asked(hook);
  }
  reinvocation.end(attributes.object);
  return changedAtAll;
}

async function applyAnswer(
  attributes: AdmissionAttributes,
  hook: string,
  patch: string,
  shown: KubernetesObject | undefined,
  toStored: (patched: KubernetesObject) => Promise<KubernetesObject>,
): Promise<boolean> {
  const internal = (why: string): StatusError =>
    new StatusError("InternalError", `Internal error occurred: ${why}`, { causes: [{ message: why }] });
  if (!attributes.object || !shown)
    throw internal(`admission webhook ${JSON.stringify(hook)} attempted to modify the object, which is not supported for this operation`);
  let patched: KubernetesObject;
  try {
    patched = await toStored(applyJsonPatch(shown, JSON.parse(patch)) as KubernetesObject);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !isStatus(error)) throw error;
    throw internal(error instanceof PatchDoesNotApply ? error.detail : error.message);
  }
  return replaceObject(attributes, patched);
}

/** ValidatingAdmissionWebhook: asks all webhooks at once; the first refusal in their order counts. @throws StatusError */
export async function validateByWebhooks(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  const hooks = validatingHooks(cluster);
  if (hooks.length === 0 || isExempt(attributes)) return;
  const matches: (MatchedHook & { readonly hook: ValidatingWebhook })[] = [];
  for (const hook of hooks) {
    const matched = await matchHook(cluster, hook, attributes);
    if (matched) matches.push({ hook, ...matched });
  }
  const outcomes = await Promise.all(
    matches.map(async ({ hook, resource, seen }) => {
      const [object, oldObject] = [shownAs(seen, resource, seen.object), shownAs(seen, resource, seen.oldObject)];
      return { hook, outcome: await callWebhook(cluster, hook, attributes, resource, object, oldObject, false) };
    }),
  );
  for (const { hook, outcome } of outcomes) {
    if (outcome.kind === "denied") throw outcome.error;
    if (outcome.kind !== "failed") continue;
    if (hook.failurePolicy !== "Ignore") throw webhookFailure(hook.name, outcome.reason);
    cluster.log.warn("webhook failed, request admitted", { webhook: hook.name, reason: outcome.reason });
  }
}
