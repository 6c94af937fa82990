import type { NodeChanges } from "../shared/api/agent/agent-api.ts";
import type { CredentialCheck, NodeIdentity, NodePool, PodTokenIssuer } from "../shared/api/agent/ports.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import type { PlatformNews } from "../shared/platform/news.ts";
import type { Dependencies } from "./dependencies.ts";

interface NodeChangesPorts {
  readonly pool: () => NodePool;
  /** This process's own. */
  readonly news: PlatformNews;
  readonly directory: RuntimeDirectory;
}

/** Credentials remembered, and for how long. A node that is taken out moves its pool's mark, and who reads that forgets at once. */
const kept = 10_000;
const credentialMs = 60_000;

/** What is new for a node, by the marks that whoever changed something has written. */
export function createNodeChanges({ marksOf, clock }: Dependencies, { pool, news, directory }: NodeChangesPorts) {
  /** By pool: its mark when this process last looked at it. */
  const seen = new Map<string, string>();
  const spoke = new Map<string, number>();
  const known = new Map<string, { readonly check: CredentialCheck; readonly atMs: number }>();
  /** What was read to check a credential answers the question that follows in the same call. */
  const read = new Map<string, string>();
  const keyOf = ({ tenant, pool, nodeName }: NodeIdentity): string => `${tenant}/${pool}/${nodeName}`;
  const stateOf = async (node: NodeIdentity): Promise<string> => {
    const { word, lastSeenMs } = await marksOf(node.tenant).state(node);
    if (lastSeenMs === undefined) spoke.delete(keyOf(node));
    else spoke.set(keyOf(node), lastSeenMs);
    return word;
  };
  const poolMark = (state: string): string => state.slice(state.indexOf(".") + 1);
  const changes: NodeChanges = {
    async state(node) {
      const just = read.get(keyOf(node));
      read.delete(keyOf(node));
      return just ?? stateOf(node);
    },
    async follow(node, state) {
      const mark = poolMark(state);
      if (seen.get(node.pool) !== mark) {
        seen.set(node.pool, mark);
        news.poolChanged(node.tenant, node.pool);
        news.peersChanged(node.tenant, node.pool);
      }
      const { clusters } = await pool().clustersOf(node);
      await Promise.all(clusters.map(({ id }) => directory.open({ tenant: node.tenant, cluster: id })));
    },
  };
  return {
    changes,
    spokeBefore: (node: NodeIdentity): number | undefined => spoke.get(keyOf(node)),
    /** A credential that was good is good while its pool's mark stays where it was. */
    async authenticate(credential: string, check: () => Promise<CredentialCheck>): Promise<CredentialCheck> {
      const found = known.get(credential);
      if (found?.check.kind === "node" && clock.now() - found.atMs < credentialMs) {
        const { node } = found.check;
        const state = await stateOf(node);
        if (seen.get(node.pool) === poolMark(state)) {
          read.set(keyOf(node), state);
          return found.check;
        }
      }
      known.delete(credential);
      const checked = await check();
      if (checked.kind !== "node") return checked;
      // An answer to a question that never came, of a call about something else, is old by now.
      read.delete(keyOf(checked.node));
      known.set(credential, { check: checked, atMs: clock.now() });
      const [oldest] = known.keys();
      if (known.size > kept && oldest !== undefined) known.delete(oldest);
      return checked;
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
