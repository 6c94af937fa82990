import { generateKeyPairSync, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiRequest } from "../../../shared/api/request-info.ts";
import type { ApiResponse } from "../../../shared/api/response.ts";
import { createClusterSurface } from "../../../shared/api/surface.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { Secret } from "../../../shared/kubernetes/types.ts";
import { objectOf } from "../../../shared/store/view.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createHarness, type Harness } from "./harness.ts";

const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const secrets = "/api/v1/namespaces/kube-system/secrets";
const reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const secret = "0123456789abcdef";
let api: Harness;
let surface: (request: ApiRequest) => Promise<ApiResponse>;
beforeAll(async () => {
  api = await createHarness();
  surface = createClusterSurface({
    directory: {
      open: async () => api.served,
      async findSecret(clusterId, { group, resource, namespace, name }) {
        const stored = clusterId === "c" ? api.cluster.mirror.get({ group, resource }, namespace, name) : undefined;
        return stored && { cluster: { tenant: "t", cluster: "c" }, secret: objectOf<Secret>(stored) };
      },
    },
    tokens: createTokenIssuer({ signingKey, clock: systemClock, uid: randomUUID }),
    ...{ clock: systemClock, log: silentLog, requestId: randomUUID },
  });
});
afterAll(() => api.close());

async function whoAmI(token: string, root = "/clusters/c") {
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await surface({
    ...{ method: "POST", url: `${root}${reviews}`, headersFrom: () => [] },
    header: (name) => headers[name],
    body: async () => Buffer.from(JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" })),
  });
  const bytes = answer.body instanceof Buffer ? answer.body : Buffer.concat(answer.body as readonly Buffer[]);
  return { status: answer.status, text: bytes.toString(), user: JSON.parse(bytes.toString()).status?.userInfo };
}

let made = 0;
async function make(data: Record<string, string>, type = "bootstrap.kubernetes.io/token"): Promise<string> {
  const id = String(++made).padStart(6, "0");
  const stringData = { "token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true", ...data };
  expect((await api.call("POST", secrets, { metadata: { name: `bootstrap-token-${id}` }, type, stringData })).status).toBe(201);
  return `${id}.${secret}`;
}

const inAMinute = () => new Date(Date.now() + 60_000).toISOString();

describe("a bootstrap token", () => {
  it("shows its user, in the groups that it is given", async () => {
    const token = await make({ "auth-extra-groups": "system:bootstrappers:workers,system:bootstrappers:a", expiration: inAMinute() });
    expect((await whoAmI(token)).user).toEqual({
      username: `system:bootstrap:${token.slice(0, 6)}`,
      groups: ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:workers", "system:authenticated"],
    });
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
    const { body } = await api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review);
    expect(body.status).toMatchObject({ authenticated: true, user: { username: `system:bootstrap:${token.slice(0, 6)}` } });
  });

  it.each([
    ["has expired", { expiration: "2020-01-01T00:00:00Z" }],
    ["ends at a time nobody can read", { expiration: "tomorrow" }],
    ["is not for this use", { "usage-bootstrap-authentication": "false" }],
    ["asks for groups of others", { "auth-extra-groups": "system:masters" }],
    ["has another id than its name", { "token-id": "zzzzzz" }],
    ["has another secret", { "token-secret": "fedcba9876543210" }],
  ])("is refused when it %s", async (_title, data) => {
    expect((await whoAmI(await make(data as Record<string, string>))).status).toBe(401);
  });

  it("is refused when its Secret is of another type", async () => {
    expect((await whoAmI(await make({}, "Opaque"))).status).toBe(401);
  });

  it("opens nothing but the cluster of the path, and does not tell which clusters there are", async () => {
    const token = await make({});
    expect((await whoAmI(token)).status).toBe(201);
    const elsewhere = await whoAmI(token, "/clusters/none");
    const wrong = await whoAmI(`zzzzzz.${secret}`);
    expect([elsewhere.status, wrong.status, (await whoAmI(token, "")).status]).toEqual([401, 401, 401]);
    expect(elsewhere.text).toBe(wrong.text);
  });
});

describe("health and version", () => {
  const ask = async (path: string, authorization?: string): Promise<number> => {
    const header = (name: string) => (name === "authorization" ? authorization : undefined);
    return (await surface({ method: "GET", url: path, header, headersFrom: () => [], body: async () => Buffer.alloc(0) })).status;
  };

  it.each(["/version", "/healthz", "/clusters/c/livez", "/clusters/c/readyz?verbose"])(
    "are for everybody but who says a wrong name: %s",
    async (path) => {
      expect([await ask(path), await ask(path, `Bearer ${await make({})}`), await ask(path, "Bearer nonsense")]).toEqual([
        200,
        path.startsWith("/clusters") ? 200 : 401,
        401,
      ]);
    },
  );
});
