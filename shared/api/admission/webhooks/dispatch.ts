import { deepEqual } from "../../../kubernetes/deep-equal.ts";
import { applyJsonPatch } from "../../../kubernetes/json-patch.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { isStatus, StatusError } from "../../../kubernetes/status-error.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { asRecord } from "../../field-managers.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { isExempt } from "../matching.ts";
import { callWebhook, webhookFailure } from "./call-webhook.ts";
import { type MatchedHook, matchHook, mutatingHooks, validatingHooks } from "./hooks.ts";
import { shownAs, storedFrom } from "./versions.ts";

/** What one request's mutating webhooks did, for a second round (`reinvocationPolicy: IfNeeded`). */
export class Reinvocation {
  /** Asked, willing to be asked again, and nothing changed since. */
  readonly #settled = new Set<MutatingWebhook>();
  /** To be asked again: something changed after they had their say. */
  readonly due = new Set<MutatingWebhook>();

  changed(): void {
    for (const hook of this.#settled) this.due.add(hook);
    this.#settled.clear();
  }

  asked(hook: MutatingWebhook): void {
    if (hook.reinvocationPolicy === "IfNeeded") this.#settled.add(hook);
  }
}

/**
 * MutatingAdmissionWebhook: asks the webhooks one after another; each sees what those before it made of the object.
 * In the second round only those are asked that are due. Answers whether the object changed. @throws StatusError
 */
export async function mutateByWebhooks(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation,
  again: boolean,
): Promise<boolean> {
  const hooks = mutatingHooks(cluster);
  if (hooks.length === 0 || isExempt(attributes)) return false;
  let changedAtAll = false;
  for (const hook of hooks) {
    if (again && !reinvocation.due.has(hook)) continue;
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
    reinvocation.asked(hook);
  }
  return changedAtAll;
}

/** Replaces what `attributes.object` holds by the patched object: whoever holds it sees the change. */
async function applyAnswer(
  { object, schema, subresource }: AdmissionAttributes,
  hook: string,
  patch: string,
  shown: KubernetesObject | undefined,
  toStored: (patched: KubernetesObject) => Promise<KubernetesObject>,
): Promise<boolean> {
  const internal = (why: string): StatusError =>
    new StatusError("InternalError", `Internal error occurred: ${why}`, { causes: [{ message: why }] });
  if (!object || !shown)
    throw internal(`admission webhook ${JSON.stringify(hook)} attempted to modify the object, which is not supported for this operation`);
  let patched: KubernetesObject;
  try {
    patched = await toStored(applyJsonPatch(shown, JSON.parse(patch)) as KubernetesObject);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !isStatus(error)) throw error;
    throw internal(error.message);
  }
  const before = { ...object };
  for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
  Object.assign(object, protectedFrom(asRecord(patched), asRecord(before), subresource));
  schema?.prune(asRecord(object));
  schema?.applyDefaults(asRecord(object));
  return !deepEqual(before, object);
}

const serverOwned = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "resourceVersion",
  "namespace",
];

/** What is not the webhook's to change stays: the server's part of metadata, and the status but for a request about the status, which changes nothing else. */
function protectedFrom(patched: Record<string, unknown>, before: Record<string, unknown>, subresource: string): Record<string, unknown> {
  const metadata: Record<string, unknown> = { ...asRecord(patched.metadata ?? {}) };
  const owned = asRecord(before.metadata ?? {});
  for (const field of serverOwned) {
    if (owned[field] === undefined) delete metadata[field];
    else metadata[field] = owned[field];
  }
  if (subresource === "status") return { ...before, metadata, ...("status" in patched && { status: patched.status }) };
  const { status: _status, ...rest } = patched;
  return { ...rest, ...("status" in before && { status: before.status }), metadata };
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
