import type { KubernetesObject } from "../../../kubernetes/object.ts";
import type { ResourceDefinition } from "../../../kubernetes/resources.ts";
import { type StatusDetails, StatusError, type StatusReason, statusCodes } from "../../../kubernetes/status-error.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { ForeignStatusError } from "../../response.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import type { WebhookTarget } from "./caller.ts";
import { type ReviewStatus, readAnswer, reviewOf } from "./review.ts";
import { endpointOf } from "./service-endpoint.ts";

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
  const url = urlOf(hook, timeoutSeconds);
  if (url === undefined) return failed("could not get REST client: webhook configuration must have either service or URL");
  let answered: { readonly status: number; readonly body: Buffer };
  try {
    if (!cluster.webhooks) throw new Error("this host does not call webhooks");
    answered = await cluster.webhooks.call(targetOf(cluster, hook, url), review, timeoutSeconds * 1000);
  } catch (error) {
    return failed(`failed to call webhook: Post ${JSON.stringify(url)}: ${error instanceof Error ? error.message : "no answer"}`);
  }
  if (answered.status < 200 || answered.status > 299) return failed(`failed to call webhook: ${describeStatus(answered)}`);
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

function urlOf({ clientConfig: { url, service } }: Hook, timeoutSeconds: number): string | undefined {
  const base = service
    ? `https://${service.name}.${service.namespace}.svc:${service.port ?? 443}${service.path ? withSlash(service.path) : "/"}`
    : url;
  if (base === undefined || !URL.canParse(base)) return undefined;
  const parsed = new URL(base);
  parsed.searchParams.set("timeout", `${timeoutSeconds}s`);
  const port = service && parsed.port === "" ? ":443" : parsed.port === "" ? "" : `:${parsed.port}`;
  return `${parsed.protocol}//${parsed.hostname}${port}${parsed.pathname}${parsed.search}`;
}

const withSlash = (path: string): string => (path.startsWith("/") ? path : `/${path}`);

function targetOf(cluster: ApiCluster, { clientConfig: { caBundle, service } }: Hook, url: string): WebhookTarget {
  return {
    url,
    ...(caBundle && { caBundle: Buffer.from(caBundle, "base64").toString("utf8") }),
    ...(service && { connectTo: endpointOf(cluster, service.namespace, service.name, service.port ?? 443) }),
  };
}

/** What client-go says about an answer that is no success: the Status in it, or words for its code. */
function describeStatus({ status, body }: { readonly status: number; readonly body: Buffer }): string {
  const text = body.toString("utf8").trim();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "kind" in value && value.kind === "Status" && "message" in value)
      return String(value.message);
  } catch {
    // Not a Status: told by its code.
  }
  if (status === 404) return "the server could not find the requested resource";
  if (status >= 500) return `an error on the server (${JSON.stringify(text.slice(0, 1024))}) has prevented the request from succeeding`;
  return `the server rejected our request for an unknown reason (HTTP ${status})`;
}

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
