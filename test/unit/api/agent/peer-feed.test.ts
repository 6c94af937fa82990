import { describe, expect, it } from "vitest";
import { createPeerState } from "../../../../agent/peer-state.ts";
import { createPeerFeed } from "../../../../shared/api/agent/peer-feed.ts";
import type { PoolPeer } from "../../../../shared/api/agent/ports.ts";

const peer = (podCidr: string, nodeName: string, address = `192.0.2.${nodeName.length}`): PoolPeer => ({
  podCidr,
  nodeNames: [nodeName],
  internalIps: [address],
});
const [a, b, c] = [peer("10.244.0.0/24", "a"), peer("10.244.1.0/24", "bb"), peer("10.244.2.0/24", "ccc")];

describe("what a node is told of its peers", () => {
  it("is everything at first, then what changed, then nothing", () => {
    const feed = createPeerFeed("e1");
    feed.update([a, b]);
    const first = feed.news("a", "");
    expect(first).toMatchObject({ full: true, podCidr: a.podCidr, peers: [{ nodeName: "bb", podCidr: b.podCidr }], removed: [] });
    expect(feed.hasNews(first.mark)).toBe(false);
    feed.update([a, c]);
    expect(feed.hasNews(first.mark)).toBe(true);
    const second = feed.news("a", first.mark);
    expect(second).toMatchObject({ full: false, peers: [{ nodeName: "ccc" }] });
    expect(second.removed).toContain(b.podCidr);
    feed.update([{ ...a }, { ...c }]);
    expect(feed.hasNews(second.mark)).toBe(false);
  });

  it("is everything again when its mark is another process's", () => {
    const [old, fresh] = [createPeerFeed("e1"), createPeerFeed("e2")];
    for (const feed of [old, fresh]) feed.update([a, b]);
    expect(fresh.hasNews(old.news("a", "").mark)).toBe(true);
    expect(fresh.news("a", old.news("a", "").mark).full).toBe(true);
    expect(fresh.news("a", "e2.99").full).toBe(true);
  });

  it("says that an address of a machine changed", () => {
    const feed = createPeerFeed("e1");
    feed.update([a, b]);
    const { mark } = feed.news("a", "");
    feed.update([a, { ...b, internalIps: ["192.0.2.99"] }]);
    expect(feed.news("a", mark).peers).toEqual([{ nodeName: "bb", podCidr: b.podCidr, internalIps: ["192.0.2.99"] }]);
  });

  it("leads, however often it is asked, to the same as being told everything", () => {
    const feed = createPeerFeed("e1");
    const state = createPeerState();
    let list: readonly unknown[] = [];
    const histories = [[a], [a, b], [a, b, c], [b, c], [peer(a.podCidr, "bb"), c], [peer(a.podCidr, "a"), peer(c.podCidr, "bb")], []];
    for (const [index, peers] of histories.entries()) {
      feed.update(peers);
      if (index % 3 === 1) continue;
      list = state.take(feed.news("a", state.mark));
      expect(list).toEqual(createPeerState().take(feed.news("a", "")));
    }
    expect(list).toEqual([]);
  });
});
