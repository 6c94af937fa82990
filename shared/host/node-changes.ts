import type { NodeChanges } from "../api/agent/agent-api-ports.ts";
import type { CredentialCheck, NodeIdentity, NodePool } from "../api/agent/ports.ts";
import type { Clock } from "../clock.ts";
import type { PlatformNews } from "../platform/news.ts";
import { RecentMap } from "../recent-map.ts";
import type { RuntimeDirectory } from "./cluster-runtime.ts";
import type { NodeMarks } from "./node-marks.ts";

interface NodeChangesPorts {
  readonly marksOf: (tenant: string) => Pick<NodeMarks, "state">;
  readonly clock: Pick<Clock, "now">;
  readonly pool: () => Pick<NodePool, "clustersOf">;
  /** This process's own. */
  readonly news: PlatformNews;
  readonly directory: RuntimeDirectory;
}

/** Nodes, pools and credentials that are remembered: whose is not is read anew. */
const kept = 10_000;
/** A node that is taken out moves its pool's mark, and who reads that forgets its credential at once. */
const credentialMs = 60_000;

interface KnownCredential {
  readonly check: Extract<CredentialCheck, { kind: "node" }>;
  /** Of the pool, as it was read before the credential was looked up; undefined: it was not. */
  readonly mark: string | undefined;
  readonly atMs: number;
}

/** What is new for a node, by the marks that whoever changed something has written. */
export function createNodeChanges({ marksOf, clock, pool, news, directory }: NodeChangesPorts) {
  /** By pool: its mark when this process last looked at it. */
  const seen = new RecentMap<string, string>(kept);
  const spoke = new RecentMap<string, number>(kept);
  const known = new RecentMap<string, KnownCredential>(kept);
  /** What was read to check a credential answers the question that follows in the same call. */
  const read = new RecentMap<string, string>(kept);
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
    /** A credential that was good is good while its pool's mark stays where it was before. */
    async authenticate(credential: string, check: () => Promise<CredentialCheck>): Promise<CredentialCheck> {
      const found = known.get(credential);
      const state = found && (await stateOf(found.check.node));
      const mark = state && poolMark(state);
      if (found && state && found.mark === mark && clock.now() - found.atMs < credentialMs) {
        read.set(keyOf(found.check.node), state);
        return found.check;
      }
      known.delete(credential);
      const checked = await check();
      if (checked.kind !== "node") return checked;
      // An answer to a question that never came, of a call about something else, is old by now.
      if (state === undefined) read.delete(keyOf(checked.node));
      else read.set(keyOf(checked.node), state);
      known.set(credential, { check: checked, mark, atMs: clock.now() });
      return checked;
    },
  };
}
