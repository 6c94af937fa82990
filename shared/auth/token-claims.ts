import { createHash } from "node:crypto";
import type { JWTPayload } from "jose";
import { z } from "zod";
import type { ClusterRef } from "../store/store.ts";
import type { KeptTokenRequest, ServiceAccountTokenRequest, VerifiedToken } from "./token.ts";
import type { UserInfo } from "./user.ts";

/** `iss` of tokens that Secrets keep (kubernetes/pkg/serviceaccount `LegacyIssuer`). */
export const keptIssuer = "kubernetes/serviceaccount";

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

function serviceAccountUsername(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

export const claimOfCluster = ({ tenant, cluster }: ClusterRef): JWTPayload => ({ "coracle.dev": { tenant, cluster } });

/** Of a bound ServiceAccount token, without those of the time. */
export function boundClaims(request: ServiceAccountTokenRequest, issuer: string): JWTPayload {
  const { namespace, serviceAccount, node, pod, secret, audiences } = request;
  return {
    aud: audiences?.length ? [...audiences] : [issuer],
    sub: serviceAccountUsername(namespace, serviceAccount.name),
    "kubernetes.io": { namespace, ...(node && { node }), ...(pod && { pod }), ...(secret && { secret }), serviceaccount: serviceAccount },
  };
}

export function claimsOfKept({ cluster, namespace, serviceAccount, secretName }: KeptTokenRequest): JWTPayload {
  return {
    iss: keptIssuer,
    sub: serviceAccountUsername(namespace, serviceAccount.name),
    [keptClaims.namespace]: namespace,
    [keptClaims.account]: serviceAccount.name,
    [keptClaims.uid]: serviceAccount.uid,
    [keptClaims.secret]: secretName,
    ...claimOfCluster(cluster),
  };
}

/** What an unverified payload says: it decides which keys are tried, and is verified with the rest. */
export function issuerOf(payload: string | Uint8Array): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(String(payload), "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null && "iss" in claims ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

/** `undefined`: they are not those of a token of this installation. */
export function toVerified(payload: JWTPayload): VerifiedToken | undefined {
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
export function toKept(token: string, payload: JWTPayload, issuer: string): VerifiedToken | undefined {
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
