import type { ApiRequest } from "../shared/api/request-info.ts";
import type { ApiResponse } from "../shared/api/response.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import type { UrlEvent } from "./lambda.ts";

const bodyOf = ({ body, isBase64Encoded }: UrlEvent): Buffer => Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");

/** The request as the cluster API takes it. Lambda joins headers that come several times with commas. */
export function toApiRequest(event: UrlEvent, url: string): ApiRequest {
  return {
    method: event.requestContext.http.method,
    url,
    header: (name) => event.headers[name],
    headersFrom: (prefix) =>
      Object.entries(event.headers).flatMap(([name, value]) =>
        name.startsWith(prefix) ? value.split(/,\s*/).map((one): [string, string] => [name, one]) : [],
      ),
    body(limit) {
      const body = bodyOf(event);
      if (body.length <= limit) return Promise.resolve(body);
      return Promise.reject(new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${limit}`));
    },
  };
}

export const urlOf = ({ rawPath, rawQueryString }: UrlEvent): string => (rawQueryString === "" ? rawPath : `${rawPath}?${rawQueryString}`);

/** Where the caller reached this function. */
export const originOf = ({ headers, requestContext }: UrlEvent): string =>
  `${headers["x-forwarded-proto"] ?? "https"}://${headers.host ?? requestContext.domainName ?? "localhost"}`;

export function toWebRequest(event: UrlEvent): Request {
  const { method } = event.requestContext.http;
  const hasBody = method !== "GET" && method !== "HEAD" && event.body !== undefined;
  return new Request(`${originOf(event)}${urlOf(event)}`, { method, headers: event.headers, ...(hasBody && { body: bodyOf(event) }) });
}

export async function fromWebResponse(response: Response): Promise<ApiResponse> {
  return { status: response.status, headers: Object.fromEntries(response.headers), body: Buffer.from(await response.arrayBuffer()) };
}
