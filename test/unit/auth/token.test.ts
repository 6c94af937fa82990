import { generateKeyPairSync, randomUUID } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { bindingProblem } from "../../../shared/auth/service-account-binding.ts";
import type { SigningKeys } from "../../../shared/auth/signing-keys.ts";
import { createTokenIssuer, defaultIssuer, isForAudience, type TokenIssuerOptions } from "../../../shared/auth/token.ts";
import { pods, secrets, serviceAccounts } from "../../../shared/kubernetes/known-resources.ts";
import type { Secret } from "../../../shared/kubernetes/types.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { createFakeCluster } from "../controllers/fake-cluster.ts";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const signingKey = newKey();
const cluster = { tenant: "t1", cluster: "c1" };
const clock = createFakeClock();
const issuer = (options: Partial<TokenIssuerOptions> = {}) => createTokenIssuer({ signingKey, clock, uid: randomUUID, ...options });
const forPod = {
  cluster,
  namespace: "shop",
  serviceAccount: { name: "bot", uid: "sa-1" },
  pod: { name: "web-0", uid: "pod-1" },
  node: { name: "n1" },
  expirationSeconds: 3600,
};

describe("ServiceAccount tokens", () => {
  it("carry the claims of a Kubernetes bound token", async () => {
    const { token, expiresAtMs } = await issuer().issueServiceAccountToken(forPod);
    const nowSeconds = Math.floor(clock.now() / 1000);
    expect(expiresAtMs).toBe((nowSeconds + 3600) * 1000);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", kid: expect.any(String) });
    expect(decodeJwt(token)).toEqual({
      iss: defaultIssuer,
      aud: [defaultIssuer],
      sub: "system:serviceaccount:shop:bot",
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: nowSeconds + 3600,
      jti: expect.any(String),
      "coracle.dev": cluster,
      "kubernetes.io": {
        namespace: "shop",
        serviceaccount: { name: "bot", uid: "sa-1" },
        pod: { name: "web-0", uid: "pod-1" },
        node: { name: "n1" },
      },
    });
  });

  it("verify to the user, groups and extra that kube-apiserver gives", async () => {
    const tokens = issuer();
    const { token } = await tokens.issueServiceAccountToken({ ...forPod, audiences: ["vault"] });
    const verified = await tokens.verifyToken(token);
    expect(verified?.cluster).toEqual(cluster);
    expect(verified?.user).toEqual({
      username: "system:serviceaccount:shop:bot",
      uid: "sa-1",
      groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/credential-id": [expect.stringMatching(/^JTI=/)],
        "authentication.kubernetes.io/node-name": ["n1"],
        "authentication.kubernetes.io/pod-name": ["web-0"],
        "authentication.kubernetes.io/pod-uid": ["pod-1"],
      },
    });
    expect(verified && isForAudience(verified, [defaultIssuer])).toBe(false);
    expect(verified && isForAudience(verified, ["vault", "other"])).toBe(true);
  });

  it("end with the account and the pod they are bound to, a minute after the deletion begins", async () => {
    const { view, client, edit } = createFakeCluster();
    const account = await client.create(serviceAccounts, { metadata: { namespace: "shop", name: "bot" } });
    const pod = await client.create(pods, { metadata: { namespace: "shop", name: "web-0" } });
    const binding = {
      namespace: "shop",
      serviceAccount: { name: "bot", uid: account.object.metadata.uid ?? "" },
      pod: { name: "web-0", uid: pod.object.metadata.uid ?? "" },
      node: undefined,
      secret: undefined,
    };
    const now = clock.now();
    expect(bindingProblem(binding, view, now)).toBeUndefined();
    expect(bindingProblem({ ...binding, pod: { name: "web-0", uid: "old" } }, view, now)).toMatch("does not match claim");
    edit(pods, "shop", "web-0", (object) => {
      object.metadata.deletionTimestamp = new Date(now).toISOString();
      return undefined;
    });
    expect(bindingProblem(binding, view, now + 60_000)).toBeUndefined();
    expect(bindingProblem(binding, view, now + 61_000)).toBe("pod has been deleted");
    await client.delete(serviceAccounts, "shop", "bot");
    expect(bindingProblem(binding, view, now)).toBe("service account has been deleted");
  });
});

describe("tokens that Secrets keep", () => {
  const request = { cluster, namespace: "shop", serviceAccount: { name: "bot", uid: "sa-1" }, secretName: "bot-token" };

  it("carry Kubernetes' legacy claims and no end", async () => {
    expect(decodeJwt(await issuer().issueKeptToken(request))).toEqual({
      iss: "kubernetes/serviceaccount",
      sub: "system:serviceaccount:shop:bot",
      "kubernetes.io/serviceaccount/namespace": "shop",
      "kubernetes.io/serviceaccount/secret.name": "bot-token",
      "kubernetes.io/serviceaccount/service-account.name": "bot",
      "kubernetes.io/serviceaccount/service-account.uid": "sa-1",
      "coracle.dev": cluster,
    });
  });

  it("are good as long as the Secret holds the very token, is not marked and not on its way out", async () => {
    const { view, client, edit } = createFakeCluster();
    const account = await client.create(serviceAccounts, { metadata: { namespace: "shop", name: "bot" } });
    const tokens = issuer();
    const token = await tokens.issueKeptToken({ ...request, serviceAccount: { name: "bot", uid: account.object.metadata.uid ?? "" } });
    const verified = await tokens.verifyToken(token);
    const problem = () => verified?.binding && bindingProblem(verified.binding, view, clock.now());
    expect(problem()).toBe("Token has been invalidated");
    const data = { token: Buffer.from(token).toString("base64") };
    await client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { namespace: "shop", name: "bot-token" }, data } as Secret);
    expect(problem()).toBeUndefined();
    const change = (edited: (secret: Secret) => Secret) => edit<Secret>(secrets, "shop", "bot-token", edited);
    change((secret) => ({ ...secret, data: { token: "eA==" } }));
    expect(problem()).toBe("Token does not match server's copy");
    const labels = { "kubernetes.io/legacy-token-invalid-since": "2026-01-01" };
    change((secret) => ({ ...secret, data, metadata: { ...secret.metadata, labels } }));
    expect(problem()).toBe("the token has been marked invalid");
    change((secret) => ({ ...secret, metadata: { ...secret.metadata, labels: {} } }));
    expect(problem()).toBeUndefined();
    change((secret) => ({ ...secret, metadata: { ...secret.metadata, deletionTimestamp: new Date(clock.now()).toISOString() } }));
    expect(problem()).toBe("Token has been invalidated");
  });
});

describe("cluster tokens", () => {
  it("name a user and groups of one cluster", async () => {
    const tokens = issuer();
    const { token } = await tokens.issueClusterToken({ cluster, username: "admin", groups: ["system:masters"], expirationSeconds: 600 });
    const verified = await tokens.verifyToken(token);
    expect(verified?.cluster).toEqual(cluster);
    expect(verified?.user).toMatchObject({ username: "admin", groups: ["system:masters", "system:authenticated"] });
    expect(verified?.binding).toBeUndefined();
  });

  it("are found without waiting once verified, until they expire", async () => {
    const time = createFakeClock();
    const tokens = issuer({ clock: time });
    const { token } = await tokens.issueClusterToken({ cluster, username: "a", groups: [], expirationSeconds: 60 });
    expect(tokens.cachedToken(token)).toBeUndefined();
    const verified = await tokens.verifyToken(token);
    expect(tokens.cachedToken(token)).toBe(verified);
    time.advance(60_000);
    expect(tokens.cachedToken(token)).toBeUndefined();
    expect(await tokens.verifyToken(token)).toBeUndefined();
  });

  it("are forgotten least recently used first when the cache is full", async () => {
    const tokens = issuer({ cacheSize: 2 });
    const [a, b, c] = await Promise.all(
      ["a", "b", "c"].map((username) => tokens.issueClusterToken({ cluster, username, groups: [], expirationSeconds: 60 })),
    );
    await tokens.verifyToken(a?.token ?? "");
    await tokens.verifyToken(b?.token ?? "");
    tokens.cachedToken(a?.token ?? "");
    await tokens.verifyToken(c?.token ?? "");
    expect(tokens.cachedToken(a?.token ?? "")).toBeDefined();
    expect(tokens.cachedToken(b?.token ?? "")).toBeUndefined();
  });

  it("are refused when forged, unsigned, of another key, of another issuer or no tokens at all", async () => {
    const tokens = issuer();
    const request = { cluster, username: "a", groups: [], expirationSeconds: 60 };
    const { token } = await tokens.issueClusterToken(request);
    const [head = "", body = "", signature = ""] = token.split(".");
    const forged = Buffer.from(JSON.stringify({ ...decodeJwt(token), groups: ["system:masters"] })).toString("base64url");
    const unsigned = new UnsecuredJWT({ ...decodeJwt(token) }).encode();
    const foreign = await issuer({ signingKey: newKey() }).issueClusterToken(request);
    const elsewhere = await issuer({ issuer: "https://elsewhere" }).issueClusterToken(request);
    const bad = [`${head}.${forged}.${signature}`, `${head}.${body}.`, unsigned, foreign.token, elsewhere.token, "wrong", "", "a.b.c"];
    for (const text of bad) expect(await tokens.verifyToken(text)).toBeUndefined();
    expect(await tokens.verifyToken(token)).toBeDefined();
  });

  it("of a former key are good, and the key set shows both keys without their secret", async () => {
    const old = newKey();
    const { token } = await issuer({ signingKey: old }).issueClusterToken({ cluster, username: "a", groups: [], expirationSeconds: 60 });
    const both: SigningKeys = { signing: newKey(), others: [{ pem: old, verifies: "all" }] };
    const rotated = issuer({ signingKey: { current: () => both, refresh: async () => {} } });
    expect(await rotated.verifyToken(token)).toBeDefined();
    const { keys } = await rotated.jwks();
    expect(keys).toHaveLength(2);
    for (const key of keys)
      expect(key).toEqual({
        kty: "EC",
        crv: "P-256",
        use: "sig",
        alg: "ES256",
        kid: expect.any(String),
        x: expect.any(String),
        y: expect.any(String),
      });
  });
});
