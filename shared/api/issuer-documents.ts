import type { TokenIssuer } from "../auth/token.ts";
import { onlyJson, takesJson } from "./negotiation.ts";
import { failure } from "./rendering.ts";
import type { ApiRequest } from "./request-info.ts";
import { type ApiResponse, json } from "./response.ts";

const configurationPath = "/.well-known/openid-configuration";
const keysPath = "/openid/v1/jwks";
const hostName = /^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/i;

export const isIssuerPath = (path: string): boolean => path === keysPath || path === configurationPath;

/**
 * What others verify service account tokens with (KEP-1393, OpenID Connect Discovery 1.0): the issuer's name and its public keys. They are the same
 * for every cluster and say nothing of any, so whoever asks at the root gets them. `base`: the path below which the cluster was asked.
 */
export async function issuerDocument(
  path: string,
  base: string,
  request: ApiRequest,
  tokens: Pick<TokenIssuer, "issuer" | "jwks">,
): Promise<ApiResponse | undefined> {
  if (request.method !== "GET") return undefined;
  if (path === keysPath) return published("application/jwk-set+json", await tokens.jwks());
  const host = request.header("host") ?? "";
  if (path !== configurationPath || !hostName.test(host)) return undefined;
  if (!takesJson(request.header("accept"))) return failure(onlyJson(), request);
  return published("application/json", {
    issuer: tokens.issuer,
    jwks_uri: `https://${host}${base}${keysPath}`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
}

const published = (type: string, value: object): ApiResponse =>
  json(200, Buffer.from(JSON.stringify(value)), { "content-type": type, "cache-control": "public, max-age=3600" });
