import { bootstrapSecretKey, parseBootstrapToken, verifyBootstrapToken } from "../auth/bootstrap-token.ts";
import { bindingProblem } from "../auth/service-account-binding.ts";
import {
  defaultIssuer,
  type IssuedToken,
  isForAudience,
  type KeptTokenRequest,
  type ServiceAccountTokenRequest,
  type TokenIssuer,
  type VerifiedToken,
} from "../auth/token.ts";
import type { UserInfo } from "../auth/user.ts";
import type { Clock } from "../clock.ts";
import { secrets } from "../kubernetes/known-resources.ts";
import type { Secret } from "../kubernetes/types.ts";
import type { ClusterRef } from "../store/store.ts";
import { type ClusterView, objectOf } from "../store/view.ts";

/** Tokens at one cluster: which are good there now, and new ones for its service accounts. */
export interface ClusterTokens {
  /** Undefined: of another cluster, for another audience, or what it was bound to is gone. */
  accept(verified: VerifiedToken, audiences?: readonly string[]): UserInfo | undefined;
  verify(token: string): Promise<VerifiedToken | undefined>;
  issue(request: Omit<ServiceAccountTokenRequest, "cluster">): Promise<IssuedToken>;
  /** For a Secret to keep. */
  issueKept(request: Omit<KeptTokenRequest, "cluster">): Promise<string>;
  /** What TokenRequest uses when it names no audience, and what this API accepts. */
  readonly audiences: readonly string[];
}

export function createClusterTokens(issuer: TokenIssuer, ref: ClusterRef, view: ClusterView, clock: Clock): ClusterTokens {
  const own = [defaultIssuer, "https://kubernetes.default.svc"];
  return {
    audiences: [defaultIssuer],
    async verify(token) {
      const bootstrap = parseBootstrapToken(token);
      if (!bootstrap) return issuer.verifyToken(token);
      const { namespace, name } = bootstrapSecretKey(bootstrap.id);
      const stored = view.get(secrets, namespace, name);
      return verifyBootstrapToken(bootstrap, stored && objectOf<Secret>(stored), ref, clock.now());
    },
    issue: (request) => issuer.issueServiceAccountToken({ ...request, cluster: ref }),
    issueKept: (request) => issuer.issueKeptToken({ ...request, cluster: ref }),
    accept(verified, audiences = own) {
      if (verified.cluster.tenant !== ref.tenant || verified.cluster.cluster !== ref.cluster) return undefined;
      if (!isForAudience(verified, audiences)) return undefined;
      if (verified.binding && bindingProblem(verified.binding, view, clock.now()) !== undefined) return undefined;
      return verified.user;
    },
  };
}
