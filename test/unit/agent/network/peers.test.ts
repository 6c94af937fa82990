import { describe, expect, it } from "vitest";
import { overlayDeviceOf, overlayIdOf } from "../../../../agent/network/overlay.ts";
import { type PeerSituation, planPeers } from "../../../../agent/network/peers.ts";

const here: PeerSituation = {
  podCidr: "10.244.0.0/24",
  networks: ["127.0.0.1/8", "192.0.2.1/24", "169.254.70.1/32"],
  directRoutes: false,
  overlay: true,
};
const peer = (podCidr: string, ...internalIps: string[]) => ({ nodeName: `node-${podCidr}`, podCidr, internalIps });
const near = peer("10.244.1.0/24", "192.0.2.2");
const far = peer("10.244.2.0/24", "198.51.100.3");

describe("the way to other machines' pods", () => {
  it("is wrapped, since the network between machines need not know the addresses of pods", () => {
    expect(planPeers([far, near], here)).toEqual({
      ranges: ["10.244.1.0/24", "10.244.2.0/24"],
      routes: [
        { kind: "overlay", podCidr: "10.244.1.0/24", gateway: "10.244.1.0", mac: "0a:58:c0:00:02:02", endpoint: "192.0.2.2" },
        { kind: "overlay", podCidr: "10.244.2.0/24", gateway: "10.244.2.0", mac: "0a:58:c6:33:64:03", endpoint: "198.51.100.3" },
      ],
      unreachable: [],
    });
  });

  it("is a plain route to machines of the same segment when that is asked for, and is wrapped to the others", () => {
    expect(planPeers([near, far], { ...here, directRoutes: true }).routes).toMatchObject([
      { kind: "direct", podCidr: "10.244.1.0/24", via: "192.0.2.2" },
      { kind: "overlay", podCidr: "10.244.2.0/24" },
    ]);
  });

  it("is a plain route where nothing can be wrapped, and says whom it does not reach", () => {
    const plan = planPeers([near, far], { ...here, overlay: false });
    expect(plan.routes).toEqual([{ kind: "direct", podCidr: "10.244.1.0/24", via: "192.0.2.2" }]);
    expect(plan.ranges).toEqual(["10.244.1.0/24"]);
    expect(plan.unreachable).toMatchObject([{ podCidr: "10.244.2.0/24" }]);
  });

  it("needs no route to the pods of another agent of the same machine", () => {
    expect(planPeers([peer("10.244.1.0/24", "192.0.2.1")], here)).toEqual({ ranges: ["10.244.1.0/24"], routes: [], unreachable: [] });
  });

  it.each([
    ["this machine's network", [peer("192.0.2.0/25", "192.0.2.2")]],
    ["this node's pods", [peer("10.244.0.0/26", "192.0.2.2")]],
    ["the address of a machine", [peer("198.51.100.0/24", "198.51.100.3")]],
    ["no range", [peer("10.244.1.7/24", "192.0.2.2")]],
    ["an address of IPv6 alone", [peer("10.244.1.0/24", "2001:db8::2")]],
    ["a link-local address", [peer("10.244.1.0/24", "169.254.9.9")]],
  ])("is not taken to a peer that names %s", (_, peers) => {
    const plan = planPeers(peers, here);
    expect([plan.ranges, plan.routes, plan.unreachable.length]).toEqual([[], [], 1]);
  });

  it("never leads to two machines for one address, whatever is told", () => {
    const plan = planPeers([peer("10.244.4.0/22", "192.0.2.4"), peer("10.244.5.0/24", "192.0.2.5")], here);
    expect(plan.ranges).toEqual(["10.244.4.0/22"]);
    expect(plan.unreachable).toHaveLength(1);
  });

  it("has a device and an identifier that follow from the pool, within what the kernel takes", () => {
    for (const pool of ["pl_1", "pl_2", "a-long-name-of-a-pool"]) {
      expect(overlayDeviceOf(pool)).toMatch(/^crv-[0-9a-f]{8}$/);
      expect(overlayIdOf(pool)).toBeGreaterThan(4096);
      expect(overlayIdOf(pool)).toBeLessThan(2 ** 24);
    }
    expect(overlayIdOf("pl_1")).not.toBe(overlayIdOf("pl_2"));
  });
});
