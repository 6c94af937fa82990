import type { WebhookClientConfig } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { WebhookTarget } from "./caller.ts";
import { endpointOf } from "./service-endpoint.ts";

/** With why there is no answer, in client-go's words. */
export type Posted =
  | { readonly kind: "answered"; readonly body: Buffer }
  | { readonly kind: "failed" | "unconfigured"; readonly reason: string };

/** Sends a review to where a configuration says. */
export async function postReview(
  cluster: ApiCluster,
  config: WebhookClientConfig,
  review: Buffer,
  timeoutSeconds: number,
): Promise<Posted> {
  const url = urlOf(config, timeoutSeconds);
  if (url === undefined) return { kind: "unconfigured", reason: "webhook configuration must have either service or URL" };
  let answered: { readonly status: number; readonly body: Buffer };
  try {
    if (!cluster.webhooks) throw new Error("this host does not call webhooks");
    answered = await cluster.webhooks.call(targetOf(cluster, config, url), review, timeoutSeconds * 1000);
  } catch (error) {
    return failed(`Post ${JSON.stringify(url)}: ${error instanceof Error ? error.message : "no answer"}`);
  }
  if (answered.status < 200 || answered.status > 299) return failed(describeStatus(answered));
  return { kind: "answered", body: answered.body };
}

const failed = (reason: string): Posted => ({ kind: "failed", reason });

function urlOf({ url, service }: WebhookClientConfig, timeoutSeconds: number): string | undefined {
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

function targetOf(cluster: ApiCluster, { caBundle, service }: WebhookClientConfig, url: string): WebhookTarget {
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
  if (status >= 500) return `an error on the server (${JSON.stringify(text.slice(0, 1024))}) has prevented the request from succeeding`;
  return texts[status] ?? `the server responded with the status code ${status} but did not return more information`;
}

/** apimachinery `NewGenericServerResponse`. */
const texts: Readonly<Record<number, string>> = {
  400: "the server rejected our request for an unknown reason",
  401: "the server has asked for the client to provide credentials",
  404: "the server could not find the requested resource",
  405: "the server does not allow this method on the requested resource",
  406: "the server was unable to respond with a content type that the client supports",
  409: "the server reported a conflict",
  415: "the server was unable to respond with a content type that the client supports",
  422: "the server rejected our request due to an error in our request",
  429: "the server has received too many requests and has asked us to try again later",
};
