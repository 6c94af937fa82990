import type { PodTokenIssuer } from "../api/agent/ports.ts";
import type { TokenIssuer } from "../auth/token.ts";

/** Tokens of pods, as their node's agent asks for them. */
export const createPodTokens = (tokens: Pick<TokenIssuer, "issueServiceAccountToken">): PodTokenIssuer => ({
  issue: ({ tenant, cluster, node, ...request }) =>
    tokens.issueServiceAccountToken({
      ...request,
      node: { name: node.name, ...(node.uid !== undefined && { uid: node.uid }) },
      cluster: { tenant, cluster },
    }),
});
