import type { KeyObject } from "node:crypto";
import { type JWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../clock.ts";
import { RecentMap } from "../recent-map.ts";
import type { ClusterRef } from "../store/store.ts";
import { type KeyRing, onlyKey, ringOf } from "./key-ring.ts";
import type { SigningKeySource, SigningKeys } from "./signing-keys.ts";
import { boundClaims, claimOfCluster, claimsOfKept, issuerOf, keptIssuer, toKept, toVerified } from "./token-claims.ts";
import type { UserInfo } from "./user.ts";

/** What a kube-apiserver of kubeadm's names itself: `iss`, and the audience of a token that asks for none. */
export const defaultIssuer = "https://kubernetes.default.svc.cluster.local";
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

const maxTokenLength = 16_384;

/** Whether a token may be used where one of `accepted` is expected. */
export function isForAudience(token: VerifiedToken, accepted: readonly string[]): boolean {
  return token.audiences.some((audience) => accepted.includes(audience));
}

/** Signs and verifies the tokens of every cluster of one installation with ES256. A cluster's name in a claim keeps them apart. */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { clock, uid } = options;
  const issuer = options.issuer ?? defaultIssuer;
  const cacheSize = options.cacheSize ?? 4096;
  const source = typeof options.signingKey === "string" ? onlyKey(options.signingKey) : options.signingKey;
  const verified = new RecentMap<string, VerifiedToken>(cacheSize);
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
        ...claimOfCluster(request.cluster),
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
      verified.set(token, known);
    }
    return known;
  }

  return {
    cachedToken,
    issueServiceAccountToken: (request) => sign(boundClaims(request, issuer), request),
    issueKeptToken: (request) => signed(new SignJWT(claimsOfKept(request))),
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
      return result;
    },
    issuer,
    jwks: async () => ({
      keys: [...(await keyRing()).byId.values()].flatMap(({ jwk, verifies }) => (verifies === "all" ? [jwk] : [])),
    }),
  };
}
