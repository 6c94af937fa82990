import type { ApiResponse } from "../../shared/api/response.ts";
import type { FrontRequest } from "./front-request.ts";
import type { HostExchange } from "./host-exchange.ts";

const bodiless = new Set(["GET", "HEAD"]);

/** The request as an application of web-standard objects takes it; its signal says that whoever asked has gone. `undefined`: it cannot be one. */
export function toRequest(request: FrontRequest, exchange: HostExchange): Request | undefined {
  const gone = new AbortController();
  const { method, url } = request;
  try {
    const body = bodiless.has(method) ? undefined : request.webBody();
    const asked = new Request(`https://${request.header("host") ?? "localhost"}${url}`, {
      ...{ method, headers: request.headers(), signal: gone.signal },
      ...(body !== undefined && { body, duplex: "half" }),
    });
    request.onClosed(() => exchange.gone && gone.abort());
    return asked;
  } catch {
    return undefined;
  }
}

export async function toAnswer(response: Response): Promise<ApiResponse> {
  const cookies = response.headers.getSetCookie();
  const headers: Record<string, string> = {};
  for (const [name, value] of response.headers) if (name !== "set-cookie" && name !== "content-length") headers[name] = value;
  return {
    ...{ status: response.status, headers },
    ...(cookies.length > 0 && { cookies }),
    body: response.body ? Buffer.from(await response.arrayBuffer()) : Buffer.alloc(0),
  };
}
