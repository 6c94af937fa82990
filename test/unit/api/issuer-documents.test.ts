import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiRequest } from "../../../shared/api/request-info.ts";
import type { ApiResponse } from "../../../shared/api/response.ts";
import { createClusterSurface } from "../../../shared/api/surface.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import { systemClock } from "../../../shared/clock.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createHarness, type Harness } from "./harness.ts";

const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const tokens = createTokenIssuer({ signingKey, clock: systemClock, uid: randomUUID });
let api: Harness;
let surface: (request: ApiRequest) => Promise<ApiResponse>;
beforeAll(async () => {
  api = await createHarness();
  surface = createClusterSurface({
    directory: { open: async () => api.served },
    tokens,
    clock: systemClock,
    log: silentLog,
    requestId: randomUUID,
  });
});
afterAll(() => api.close());

async function get(url: string, headers: Record<string, string> = {}) {
  const all: Record<string, string> = { host: "cluster.example:7443", ...headers };
  const answer = await surface({
    method: "GET",
    url,
    header: (name) => all[name],
    headersFrom: () => [],
    body: async () => Buffer.alloc(0),
  });
  const bytes = answer.body instanceof Buffer ? answer.body : Buffer.concat(answer.body as readonly Buffer[]);
  return { status: answer.status, type: answer.headers["content-type"], body: JSON.parse(bytes.toString()) };
}

describe("what an issuer of tokens publishes", () => {
  it("lets somebody with nothing but its address verify a token", async () => {
    const issued = await tokens.issueServiceAccountToken({
      cluster: { tenant: "t", cluster: "c" },
      namespace: "default",
      serviceAccount: { name: "app", uid: "1" },
      audiences: ["vault"],
      expirationSeconds: 600,
    });
    const { body } = await get("/.well-known/openid-configuration");
    expect(body).toMatchObject({
      issuer: "https://kubernetes.default.svc.cluster.local",
      jwks_uri: "https://cluster.example:7443/openid/v1/jwks",
    });
    const keys = createRemoteJWKSet(new URL(body.jwks_uri), {
      [customFetch]: async (url: string) => Response.json((await get(new URL(url).pathname)).body),
    });
    const { payload } = await jwtVerify(issued.token, keys, { issuer: body.issuer, audience: "vault" });
    expect(payload.sub).toBe("system:serviceaccount:default:app");
  });

  it("is told below a cluster's path to its users alone", async () => {
    const { token } = await tokens.issueClusterToken({
      cluster: { tenant: "t", cluster: "c" },
      username: "admin",
      groups: ["system:masters"],
      expirationSeconds: 600,
    });
    const path = "/clusters/c/.well-known/openid-configuration";
    expect((await get(path)).status).toBe(403);
    const { body } = await get(path, { authorization: `Bearer ${token}` });
    expect(body.jwks_uri).toBe("https://cluster.example:7443/clusters/c/openid/v1/jwks");
    const keys = await get("/clusters/c/openid/v1/jwks", { authorization: `Bearer ${token}` });
    expect(keys).toMatchObject({ status: 200, type: "application/jwk-set+json", body: { keys: [{ alg: "ES256", use: "sig" }] } });
  });

  it("has no address to name where the host header is none", async () => {
    expect((await get("/.well-known/openid-configuration", { host: "a/b" })).status).toBe(403);
  });
});
