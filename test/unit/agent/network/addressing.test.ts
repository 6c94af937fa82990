import { describe, expect, it } from "vitest";
import {
  bridgeNameOf,
  derivePodCidr,
  loopbackAddressOf,
  nodeAddressOf,
  podRange,
  tableNameOf,
} from "../../../../agent/network/addressing.ts";
import { parseIpv4, parseIpv4Range, rangeContains, rangeOfInterface, rangesOverlap } from "../../../../shared/kubernetes/ipv4.ts";

const within = (range: string, address: string): boolean => {
  const parsed = parseIpv4Range(range);
  return parsed !== undefined && rangeContains(parsed, address);
};
const names = Array.from({ length: 500 }, (_, index) => `node-${index}`);

describe("derivePodCidr", () => {
  it("gives a node the same /24 of the pod range each time", () => {
    for (const name of names) {
      const cidr = derivePodCidr(name);
      expect(cidr).toMatch(/\.0\/24$/);
      expect(within(podRange, cidr.replace("/24", ""))).toBe(true);
      expect(derivePodCidr(name)).toBe(cidr);
    }
  });

  it("spreads nodes over the range", () => {
    expect(new Set(names.map((name) => derivePodCidr(name))).size).toBeGreaterThan(480);
  });

  it("evades the machine's own networks", () => {
    const first = derivePodCidr("n");
    const second = derivePodCidr("n", [first.replace(".0/24", ".1/24")]);
    expect(second).not.toBe(first);
    expect(derivePodCidr("n", [first, second])).not.toBe(second);
    expect(() => derivePodCidr("n", ["10.0.0.1/8"])).toThrow(/taken/);
  });
});

describe("names and addresses of a node", () => {
  it("fit the kernel's limits", () => {
    for (const name of [...names, "a".repeat(253), "node.example.org"]) {
      expect(bridgeNameOf(name).length).toBeLessThanOrEqual(15);
      expect(tableNameOf(name).length).toBeLessThanOrEqual(128);
      expect(tableNameOf(name)).toMatch(/^[A-Za-z][A-Za-z0-9_.-]+$/);
    }
    expect(tableNameOf("a/b")).not.toBe(tableNameOf("a_b"));
  });

  it("lie in the ranges that are kept for them", () => {
    for (const name of names) {
      expect(within("169.254.64.0/18", nodeAddressOf(name))).toBe(true);
      expect(within("127.64.0.0/10", loopbackAddressOf(name, "c1"))).toBe(true);
    }
    expect(loopbackAddressOf("n", "c1")).not.toBe(loopbackAddressOf("n", "c2"));
  });
});

describe("IPv4", () => {
  it.each(["1.2.3", "1.2.3.256", "1.2.3.4.5", "::1", "a.b.c.d", "010.0.0.1", "1.2.3.4\n", ""])("%j is no address", (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  it.each(["10.0.0.1/24", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::/0"])("%j is no range", (text) => {
    expect(parseIpv4Range(text)).toBeUndefined();
  });

  it("ranges overlap when they share an address", () => {
    const [wide, inside, beside] = ["10.0.0.0/8", "10.255.255.0/24", "11.0.0.0/24"].map((cidr) => parseIpv4Range(cidr));
    if (wide === undefined || inside === undefined || beside === undefined) throw new Error("not ranges");
    expect([rangesOverlap(wide, inside), rangesOverlap(inside, wide), rangesOverlap(wide, beside)]).toEqual([true, true, false]);
    expect(rangeOfInterface("10.1.2.7/24")).toEqual(parseIpv4Range("10.1.2.0/24"));
  });
});
