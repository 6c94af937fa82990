import type { NodeChanges } from "../shared/api/agent/agent-api.ts";
import type { NodePool, PodTokenIssuer } from "../shared/api/agent/ports.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import type { PlatformNews } from "../shared/platform/news.ts";
import type { Dependencies } from "./dependencies.ts";

interface NodeChangesPorts {
  readonly pool: NodePool;
  /** This process's own. */
  readonly news: PlatformNews;
  readonly directory: RuntimeDirectory;
}

/** What is new for a node, by the marks that whoever changed something has written. */
export function createNodeChanges({ marksOf }: Dependencies, { pool, news, directory }: NodeChangesPorts): NodeChanges {
  /** By pool: its mark when this process last looked at it. */
  const seen = new Map<string, string>();
  return {
    state: (node) => marksOf(node.tenant).state(node),
    async follow(node, state) {
      const mark = state.slice(state.indexOf(".") + 1);
      if (seen.get(node.pool) !== mark) {
        seen.set(node.pool, mark);
        news.poolChanged(node.tenant, node.pool);
        news.peersChanged(node.tenant, node.pool);
      }
      const { clusters } = await pool.clustersOf(node);
      await Promise.all(clusters.map(({ id }) => directory.open({ tenant: node.tenant, cluster: id })));
    },
  };
}

export const issuePodToken = ({ tokens }: Dependencies): PodTokenIssuer => ({
  issue: ({ tenant, cluster, node, ...request }) =>
    tokens.issueServiceAccountToken({
      ...request,
      node: { name: node.name, ...(node.uid !== undefined && { uid: node.uid }) },
      cluster: { tenant, cluster },
    }),
});
