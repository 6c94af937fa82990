import type { PeerNews, PodPeer } from "../shared/api/agent/protocol.ts";

/** What the server has told of the pool's other machines. */
export interface PeerState {
  /** For the next call; empty before the first. */
  readonly mark: string;
  take(news: PeerNews): readonly PodPeer[];
}

export function createPeerState(): PeerState {
  const peers = new Map<string, PodPeer>();
  let mark = "";
  return {
    get mark() {
      return mark;
    },
    take(news) {
      if (news.full) peers.clear();
      for (const podCidr of news.removed) peers.delete(podCidr);
      for (const peer of news.peers) peers.set(peer.podCidr, peer);
      mark = news.mark;
      return [...peers.values()];
    },
  };
}
