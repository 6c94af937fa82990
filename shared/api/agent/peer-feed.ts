import type { PoolPeer } from "./ports.ts";
import type { PeerNews } from "./protocol.ts";

/** The peers of one pool with a memory of what changed when, so that an agent is told the difference to what it knows. */
export interface PeerFeed {
  update(peers: readonly PoolPeer[]): void;
  hasNews(mark: string): boolean;
  /** What is new since `mark`; everything, when the mark is another feed's. */
  news(nodeName: string, mark: string): PeerNews;
}

/** @param epoch unique to this feed: marks of another server process begin with another one. */
export function createPeerFeed(epoch: string): PeerFeed {
  let known: readonly PoolPeer[] | undefined;
  let version = 0;
  const entries = new Map<string, { readonly peer: PoolPeer; readonly text: string; readonly version: number }>();
  const gone = new Map<string, number>();
  const markNow = (): string => `${epoch}.${version}`;

  /** undefined: not one of ours. */
  const versionOf = (mark: string): number | undefined => {
    const told = mark.startsWith(`${epoch}.`) ? Number(mark.slice(epoch.length + 1)) : Number.NaN;
    return Number.isInteger(told) && told <= version ? told : undefined;
  };

  return {
    update(peers) {
      if (peers === known) return;
      known = peers;
      const next = version + 1;
      const current = new Set(peers.map(({ podCidr }) => podCidr));
      for (const podCidr of [...entries.keys()].filter((one) => !current.has(one))) {
        entries.delete(podCidr);
        gone.set(podCidr, next);
        version = next;
      }
      for (const peer of peers) {
        const text = JSON.stringify([peer.nodeNames, peer.internalIps]);
        if (entries.get(peer.podCidr)?.text === text) continue;
        entries.set(peer.podCidr, { peer, text, version: next });
        gone.delete(peer.podCidr);
        version = next;
      }
    },
    hasNews: (mark) => mark !== markNow(),
    news(nodeName, mark) {
      const since = versionOf(mark);
      const own = [...entries.values()].find(({ peer }) => peer.nodeNames.includes(nodeName))?.peer.podCidr;
      const changed = [...entries.values()].filter((entry) => entry.version > (since ?? -1) && entry.peer.podCidr !== own);
      const removed = since === undefined ? [] : [...gone].filter(([, at]) => at > since).map(([podCidr]) => podCidr);
      return {
        mark: markNow(),
        full: since === undefined,
        ...(own !== undefined && { podCidr: own }),
        peers: changed.map(({ peer }) => ({
          nodeName: peer.nodeNames[0] ?? "",
          internalIps: [...peer.internalIps],
          podCidr: peer.podCidr,
        })),
        // What is this node's own now may have been told to it as another's.
        removed: own !== undefined && since !== undefined ? [...removed, own] : removed,
      };
    },
  };
}
