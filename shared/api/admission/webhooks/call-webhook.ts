import type { KubernetesObject } from "../../../kubernetes/object.ts";
import type { ResourceDefinition } from "../../../kubernetes/resources.ts";
import { type StatusDetails, StatusError, type StatusReason, statusCodes } from "../../../kubernetes/status-error.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { ForeignStatusError } from "../../response.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { postReview } from "./post-review.ts";
import { type ReviewStatus, readAnswer, reviewOf } from "./review.ts";

type Hook = MutatingWebhook | ValidatingWebhook;

/** `failed`: it could not be asked, so that its failure policy decides. `denied`: it said no, or may not be asked at all. */
export type WebhookOutcome =
  | { readonly kind: "allowed"; readonly patch: string }
  | { readonly kind: "denied"; readonly error: StatusError }
  | { readonly kind: "failed"; readonly reason: string };

const defaultTimeoutSeconds = 10;

/** Asks one webhook about a request, whose objects are given in the version of `resource`. Warnings go to the client, whatever the outcome. */
export async function callWebhook(
  cluster: ApiCluster,
  hook: Hook,
  attributes: AdmissionAttributes,
  resource: ResourceDefinition,
  object: KubernetesObject | undefined,
  oldObject: KubernetesObject | undefined,
  mutating: boolean,
): Promise<WebhookOutcome> {
  if (attributes.context.dryRun && hook.sideEffects !== "None" && hook.sideEffects !== "NoneOnDryRun") {
    return {
      kind: "denied",
      error: new StatusError("BadRequest", `admission webhook ${JSON.stringify(hook.name)} does not support dry run`),
    };
  }
  const version = hook.admissionReviewVersions.find((each) => each === "v1" || each === "v1beta1");
  if (version === undefined)
    return failed("could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)");
  const uid = cluster.uid();
  const review = Buffer.from(JSON.stringify(reviewOf(attributes, resource, object, oldObject, uid, version)));
  const timeoutSeconds = hook.timeoutSeconds ?? defaultTimeoutSeconds;
  const answered = await postReview(cluster, hook.clientConfig, review, timeoutSeconds);
  if (answered.kind !== "answered")
    return failed(`${answered.kind === "failed" ? "failed to call webhook" : "could not get REST client"}: ${answered.reason}`);
  const answer = readAnswer(answered.body, uid, version, mutating);
  if (typeof answer === "string") return failed(`received invalid webhook response: ${answer}`);
  for (const text of answer.warnings) attributes.context.warn(text);
  return answer.allowed ? { kind: "allowed", patch: answer.patch } : { kind: "denied", error: denial(hook.name, answer.status) };
}

const failed = (reason: string): WebhookOutcome => ({ kind: "failed", reason });

/** The 500 that a request gets when a webhook that must be asked cannot be. */
export const webhookFailure = (name: string, reason: string): StatusError => {
  const message = `failed calling webhook ${JSON.stringify(name)}: ${reason}`;
  return new StatusError("InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });
};

/** `ToStatusErr`: the webhook's own Status with a name to it, never one that looks like success. */
function denial(name: string, given: ReviewStatus | undefined): StatusError {
  const { message, reason, code, details, status: _status, ...rest } = given ?? {};
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const text = message ? `${by}: ${message}` : reason ? `${by}: ${reason}` : `${by} without explanation`;
  return new ForeignStatusError(
    {
      ...rest,
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: text,
      ...(reason && { reason }),
      ...(details && { details }),
      code: code != null && code >= 400 && code <= 599 ? code : 400,
    },
    reasonOf(reason),
    (details ?? undefined) as StatusDetails | undefined,
  );
}

const reasonOf = (reason: string | null | undefined): StatusReason =>
  reason != null && Object.hasOwn(statusCodes, reason) ? (reason as StatusReason) : "Forbidden";
