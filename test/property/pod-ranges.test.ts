import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4Range, rangesOverlap } from "../../shared/kubernetes/ipv4.ts";
import { openPlatform } from "../unit/platform/fixture.ts";

const names = ["n0", "n1", "n2", "n3", "n4", "n5"];
const cidrs = [
  "10.244.0.0/24",
  "10.244.1.0/24",
  "10.244.2.0/23",
  "10.244.0.0/22",
  "10.244.1.64/26",
  "10.200.7.0/24",
  "10.0.0.0/8",
  "nonsense",
];
const wish = fc.option(fc.constantFrom(...cidrs), { nil: undefined });
const step = fc.oneof(
  fc.record({ kind: fc.constant("join" as const), name: fc.constantFrom(...names), podCidr: wish }),
  fc.record({ kind: fc.constant("report" as const), name: fc.constantFrom(...names), podCidr: wish }),
  fc.record({ kind: fc.constant("remove" as const), name: fc.constantFrom(...names), podCidr: fc.constant(undefined) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe("pod ranges", () => {
  it("are never the same on two machines, whatever joins, moves and goes at the same time, and none is lost", async () => {
    const bench = await openPlatform({ randomBytes });
    const { nodes, joinTokens, pools } = bench.platform;
    const facts = (name: string, podCidr: string | undefined) => ({
      runtime: "containerd" as const,
      addresses: [{ type: "InternalIP" as const, address: `192.0.2.${name.slice(1)}` }],
      ...(podCidr !== undefined && { podCidr }),
    });
    const run = async (pool: string, token: string, { kind, name, podCidr }: Step): Promise<void> => {
      if (kind === "join") await nodes.join(token, { name, machineId: name, ...facts(name, podCidr) });
      else if (kind === "report") await nodes.settleNetwork({ tenant: "acme", pool, nodeName: name }, facts(name, podCidr));
      else await nodes.remove("acme", pool, name).catch(() => {});
    };
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }), async (rounds) => {
        const spec = { name: `p${number++}`, size: 0, runtime: "auto" as const, labels: {}, taints: [] };
        const pool = (await pools.create("acme", spec)).value.id;
        const { token } = await joinTokens.create("acme", pool, { ttlSeconds: 600 });
        for (const round of rounds) {
          await Promise.all(round.map((one) => run(pool, token, one)));
          const { items } = await nodes.list("acme", pool, { limit: 100 });
          const held = items.flatMap(({ value }) => parseIpv4Range(value.podCidr ?? "") ?? []);
          expect(held).toHaveLength(items.length);
          held.forEach((a, index) => {
            for (const b of held.slice(index + 1)) expect(rangesOverlap(a, b)).toBe(false);
          });
          const peers = await nodes.peers("acme", pool);
          expect(peers.map(({ podCidr }) => podCidr).sort()).toEqual(items.map(({ value }) => value.podCidr).sort());
        }
      }),
      { numRuns: 40 },
    );
    await bench.dispose();
  });
});
