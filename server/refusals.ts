import { failure } from "../shared/api/rendering.ts";
import type { ApiRequest } from "../shared/api/request-info.ts";
import type { ApiResponse } from "../shared/api/response.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";

/** What a server that ends answers on connections which are there already. */
export const refusedByApi = (request: ApiRequest): ApiResponse =>
  failure(new StatusError("ServiceUnavailable", "this server ends: ask again", { retryAfterSeconds: 1 }), request);
export const refused = (): Response => new Response("503 Service Unavailable\n", { status: 503, headers: { "retry-after": "1" } });
