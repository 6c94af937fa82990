import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { ClusterRef } from "../store/store.ts";
import type { SigningKeySource, SigningKeys, VerifyingKey } from "./signing-keys.ts";
import type { UserInfo } from "./user.ts";

/** What a kube-apiserver of kubeadm's names itself: `iss`, and the audience of a token that asks for none. */
export const defaultIssuer = "https://kubernetes.default.svc.cluster.local";
/** `iss` of tokens that Secrets keep (kubernetes/pkg/serviceaccount `LegacyIssuer`). */
const keptIssuer = "kubernetes/serviceaccount";

interface Named {
  readonly name: string;
  readonly uid: string;
}

/** What a ServiceAccount token is bound to, as its `kubernetes.io` claim says it (KEP-1205, KEP-4193). */
export interface ServiceAccountBinding {
  readonly namespace: string;
  readonly serviceAccount: Named;
  readonly pod: Named | undefined;
  /** A node bound by itself has a uid; that of a pod may be known by name only. */
  readonly node: { readonly name: string; readonly uid: string | undefined } | undefined;
  readonly secret: Named | undefined;
  /** Of a token without an end: the Secret that must hold this very text. */
  readonly keptIn?: { readonly name: string; readonly token: string };
}

export interface VerifiedToken {
  /** The cluster whose API the token opens; a token is worth nothing at another one. */
  readonly cluster: ClusterRef;
  readonly user: UserInfo;
  readonly audiences: readonly string[];
  /** Infinite for a token that a Secret keeps. */
  readonly expiresAtMs: number;
  /** Only of ServiceAccount tokens. The caller checks that what it names still exists: `bindingProblem`. */
  readonly binding: ServiceAccountBinding | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export interface ServiceAccountTokenRequest {
  readonly cluster: ClusterRef;
  readonly namespace: string;
  readonly serviceAccount: Named;
  readonly pod?: Named;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly secret?: Named;
  /** Empty or absent: the API server's own. */
  readonly audiences?: readonly string[];
  readonly expirationSeconds: number;
}

export interface KeptTokenRequest {
  readonly cluster: ClusterRef;
  readonly namespace: string;
  readonly serviceAccount: Named;
  readonly secretName: string;
}

export interface ClusterTokenRequest {
  readonly cluster: ClusterRef;
  readonly username: string;
  readonly groups: readonly string[];
  readonly expirationSeconds: number;
}

export interface TokenIssuer {
  /** A bound ServiceAccount token, as `TokenRequest` answers it. It does not look whether the account exists. */
  issueServiceAccountToken(request: ServiceAccountTokenRequest): Promise<IssuedToken>;
  /** For a Secret of type `kubernetes.io/service-account-token`: without an end, good as long as that Secret holds it. */
  issueKeptToken(request: KeptTokenRequest): Promise<string>;
  /** For kubeconfigs: names a user and groups of one cluster. `system:authenticated` is added when it is verified. */
  issueClusterToken(request: ClusterTokenRequest): Promise<IssuedToken>;
  /** What `verifyToken` found before, without waiting; `undefined` says nothing about the token's worth. */
  cachedToken(token: string): VerifiedToken | undefined;
  /** `undefined` for whatever is not a token of this issuer that is good now. Audiences are for the caller to check: `isForAudience`. */
  verifyToken(token: string): Promise<VerifiedToken | undefined>;
  /** The `iss` of its tokens. */
  readonly issuer: string;
  /** The public keys as a JSON Web Key Set (RFC 7517 §5), for `/openid/v1/jwks`. */
  jwks(): Promise<{ keys: JWK[] }>;
}

export interface TokenIssuerOptions {
  /** PKCS #8 PEM of an EC P-256 key, or where the keys come from that take turns. */
  readonly signingKey: string | SigningKeySource;
  readonly issuer?: string;
  readonly clock: Clock;
  /** A fresh UUID, for `jti`. */
  readonly uid: () => string;
  /** How many verified tokens are remembered. */
  readonly cacheSize?: number;
}

const named = z.object({ name: z.string(), uid: z.string() });
const serviceAccountClaim = z.object({
  namespace: z.string(),
  serviceaccount: named,
  pod: named.optional(),
  node: z.object({ name: z.string(), uid: z.string().optional() }).optional(),
  secret: named.optional(),
});
const claimsSchema = z.object({
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  iat: z.number(),
  exp: z.number(),
  jti: z.string(),
  "coracle.dev": z.object({ tenant: z.string(), cluster: z.string() }),
  "kubernetes.io": serviceAccountClaim.optional(),
  groups: z.array(z.string()).optional(),
});
type Claims = z.infer<typeof claimsSchema>;
const keptClaims = {
  namespace: "kubernetes.io/serviceaccount/namespace",
  account: "kubernetes.io/serviceaccount/service-account.name",
  uid: "kubernetes.io/serviceaccount/service-account.uid",
  secret: "kubernetes.io/serviceaccount/secret.name",
} as const;
const keptClaimsSchema = z.object({
  sub: z.string(),
  "coracle.dev": z.object({ tenant: z.string(), cluster: z.string() }),
  [keptClaims.namespace]: z.string().min(1),
  [keptClaims.account]: z.string().min(1),
  [keptClaims.uid]: z.string().min(1),
  [keptClaims.secret]: z.string().min(1),
});

const maxTokenLength = 16_384;

/** Whether a token may be used where one of `accepted` is expected. */
export function isForAudience(token: VerifiedToken, accepted: readonly string[]): boolean {
  return token.audiences.some((audience) => accepted.includes(audience));
}

export function serviceAccountUsername(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** Signs and verifies the tokens of every cluster of one installation with ES256. A cluster's name in a claim keeps them apart. */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { clock, uid } = options;
  const issuer = options.issuer ?? defaultIssuer;
  const cacheSize = options.cacheSize ?? 4096;
  const source = typeof options.signingKey === "string" ? onlyKey(options.signingKey) : options.signingKey;
  const verified = new Map<string, VerifiedToken>();
  let made: { readonly of: SigningKeys; readonly ring: Promise<KeyRing> } | undefined;

  const keyRing = (): Promise<KeyRing> => {
    const keys = source.current();
    if (made?.of !== keys) {
      // Some of them may be verified no more.
      verified.clear();
      made = { of: keys, ring: ringOf(keys) };
    }
    return made.ring;
  };
  const signed = async (token: SignJWT): Promise<string> => {
    const { kid, privateKey } = await keyRing();
    return token.setProtectedHeader({ alg: "ES256", kid }).sign(privateKey);
  };
  /** Of the key that a token names, where it is good for such tokens. */
  const keyFor = async (kid: string | undefined, isKept: boolean): Promise<KeyObject> => {
    let found = kid === undefined ? undefined : (await keyRing()).byId.get(kid);
    if (!found && kid !== undefined) {
      await source.refresh();
      found = (await keyRing()).byId.get(kid);
    }
    if (!found || (found.verifies === "kept" && !isKept)) throw new Error("no such key");
    return found.key;
  };

  async function sign(claims: JWTPayload, request: { cluster: ClusterRef; expirationSeconds: number }): Promise<IssuedToken> {
    const issuedAt = Math.floor(clock.now() / 1000);
    const expires = issuedAt + request.expirationSeconds;
    const token = await signed(
      new SignJWT({
        ...claims,
        iss: issuer,
        iat: issuedAt,
        nbf: issuedAt,
        exp: expires,
        jti: uid(),
        "coracle.dev": { tenant: request.cluster.tenant, cluster: request.cluster.cluster },
      }),
    );
    return { token, expiresAtMs: expires * 1000 };
  }

  function cachedToken(token: string): VerifiedToken | undefined {
    const known = verified.get(token);
    if (!known) return undefined;
    if (known.expiresAtMs <= clock.now()) {
      verified.delete(token);
      return undefined;
    }
    // The order of use matters only where somebody may soon have to go: every request comes by here.
    if (verified.size > cacheSize / 2) {
      verified.delete(token);
      verified.set(token, known);
    }
    return known;
  }

  return {
    cachedToken,
    issueServiceAccountToken: (request) =>
      sign(
        {
          aud: request.audiences?.length ? [...request.audiences] : [issuer],
          sub: serviceAccountUsername(request.namespace, request.serviceAccount.name),
          "kubernetes.io": {
            namespace: request.namespace,
            ...(request.node && { node: request.node }),
            ...(request.pod && { pod: request.pod }),
            ...(request.secret && { secret: request.secret }),
            serviceaccount: request.serviceAccount,
          },
        },
        request,
      ),
    async issueKeptToken({ cluster, namespace, serviceAccount, secretName }) {
      const claims = {
        iss: keptIssuer,
        sub: serviceAccountUsername(namespace, serviceAccount.name),
        [keptClaims.namespace]: namespace,
        [keptClaims.account]: serviceAccount.name,
        [keptClaims.uid]: serviceAccount.uid,
        [keptClaims.secret]: secretName,
        "coracle.dev": { tenant: cluster.tenant, cluster: cluster.cluster },
      };
      return signed(new SignJWT(claims));
    },
    issueClusterToken: (request) => sign({ aud: [issuer], sub: request.username, groups: [...request.groups] }, request),
    async verifyToken(token) {
      const known = cachedToken(token);
      if (known) return known;
      if (token.length > maxTokenLength || token.split(".").length !== 3) return undefined;
      const result = await jwtVerify(token, ({ kid }, { payload }) => keyFor(kid, issuerOf(payload) === keptIssuer), {
        algorithms: ["ES256"],
        issuer: [issuer, keptIssuer],
        currentDate: new Date(clock.now()),
      }).then(
        ({ payload }) => (payload.iss === keptIssuer ? toKept(token, payload, issuer) : toVerified(payload)),
        () => undefined,
      );
      if (!result) return undefined;
      verified.set(token, result);
      const [oldest] = verified.keys();
      if (verified.size > cacheSize && oldest !== undefined) verified.delete(oldest);
      return result;
    },
    issuer,
    jwks: async () => ({
      keys: [...(await keyRing()).byId.values()].flatMap(({ jwk, verifies }) => (verifies === "all" ? [jwk] : [])),
    }),
  };
}

interface RingKey {
  readonly key: KeyObject;
  readonly jwk: JWK;
  readonly verifies: VerifyingKey["verifies"];
}

interface KeyRing {
  readonly privateKey: KeyObject;
  /** Of the key that signs. */
  readonly kid: string;
  readonly byId: ReadonlyMap<string, RingKey>;
}

function onlyKey(signing: string): SigningKeySource {
  const keys: SigningKeys = { signing, others: [] };
  return { current: () => keys, refresh: () => Promise.resolve() };
}

async function ringOf({ signing, others }: SigningKeys): Promise<KeyRing> {
  const privateKey = createPrivateKey(signing);
  const withId = async (key: KeyObject, verifies: VerifyingKey["verifies"]): Promise<[string, RingKey]> => {
    const jwk = await exportJWK(key);
    const kid = await calculateJwkThumbprint(jwk);
    return [kid, { key, jwk: { use: "sig", ...jwk, kid, alg: "ES256" }, verifies }];
  };
  const own = await withId(createPublicKey(privateKey), "all");
  const rest = await Promise.all(others.map(({ pem, verifies }) => withId(createPublicKey(pem), verifies)));
  return { privateKey, kid: own[0], byId: new Map([own, ...rest]) };
}

/** What an unverified payload says: it decides which keys are tried, and is verified with the rest. */
function issuerOf(payload: string | Uint8Array): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(String(payload), "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null && "iss" in claims ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

function toVerified(payload: JWTPayload): VerifiedToken | undefined {
  const { data: claims } = claimsSchema.safeParse(payload);
  if (!claims) return undefined;
  const account = claims["kubernetes.io"];
  return {
    cluster: claims["coracle.dev"],
    audiences: typeof claims.aud === "string" ? [claims.aud] : claims.aud,
    expiresAtMs: claims.exp * 1000,
    user: account ? serviceAccountUser(claims, account) : namedUser(claims),
    binding: account && {
      namespace: account.namespace,
      serviceAccount: account.serviceaccount,
      pod: account.pod,
      node: account.node && { name: account.node.name, uid: account.node.uid },
      secret: account.secret,
    },
  };
}

/** kubernetes/pkg/serviceaccount `legacyValidator`, as far as the token alone tells. It names no audience: the API server is meant. */
function toKept(token: string, payload: JWTPayload, issuer: string): VerifiedToken | undefined {
  const { data: claims } = keptClaimsSchema.safeParse(payload);
  if (!claims) return undefined;
  const namespace = claims[keptClaims.namespace];
  const serviceAccount = { name: claims[keptClaims.account], uid: claims[keptClaims.uid] };
  const username = serviceAccountUsername(namespace, serviceAccount.name);
  if (claims.sub !== username) return undefined;
  return {
    cluster: claims["coracle.dev"],
    audiences: [issuer],
    expiresAtMs: Number.POSITIVE_INFINITY,
    user: { username, uid: serviceAccount.uid, groups: serviceAccountGroups(namespace) },
    binding: {
      namespace,
      serviceAccount,
      ...{ pod: undefined, node: undefined, secret: undefined },
      keptIn: { name: claims[keptClaims.secret], token },
    },
  };
}

const serviceAccountGroups = (namespace: string): string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
  "system:authenticated",
];

function namedUser(claims: Claims): UserInfo {
  const uid = createHash("sha256").update(claims.sub).digest("hex").slice(0, 32);
  return { username: claims.sub, uid, groups: [...(claims.groups ?? []), "system:authenticated"], extra: credentialId(claims) };
}

/** Groups and extra as k8s.io/apiserver/pkg/authentication/serviceaccount `UserInfo` gives them. */
function serviceAccountUser(claims: Claims, account: z.infer<typeof serviceAccountClaim>): UserInfo {
  return {
    username: claims.sub,
    uid: account.serviceaccount.uid,
    groups: serviceAccountGroups(account.namespace),
    extra: {
      ...credentialId(claims),
      ...(account.node && { "authentication.kubernetes.io/node-name": [account.node.name] }),
      ...(account.node?.uid !== undefined && { "authentication.kubernetes.io/node-uid": [account.node.uid] }),
      ...(account.pod && {
        "authentication.kubernetes.io/pod-name": [account.pod.name],
        "authentication.kubernetes.io/pod-uid": [account.pod.uid],
      }),
    },
  };
}

const credentialId = (claims: Claims) => ({ "authentication.kubernetes.io/credential-id": [`JTI=${claims.jti}`] });
