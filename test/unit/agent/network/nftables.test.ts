import { describe, expect, it } from "vitest";
import type { ClusterNetwork } from "../../../../agent/network/network-state.ts";
import { type RulesetInput, rulesetOf } from "../../../../agent/network/nftables.ts";
import type { NftSet, Ruleset } from "../../../../agent/network/ruleset.ts";
import { clusterOf, endpointOf, podOf, serviceOf, sliceOf } from "./cluster-fixture.ts";

const input = (clusters: readonly ClusterNetwork[], change: Partial<RulesetInput> = {}): RulesetInput => ({
  table: "t",
  state: { clusters },
  place: { nodeName: "here", zone: undefined },
  podCidr: "10.128.0.0/24",
  nonMasqueradeCidrs: ["10.128.0.0/9"],
  peerRanges: ["10.244.7.0/24"],
  apiTarget: undefined,
  masqueradeWithinBridge: false,
  ...change,
});

/** What a lookup of a packet in a map leads to: the rules behind `goto`, one level deep, or the verdict itself. */
function follow(ruleset: Ruleset, map: string, key: string): string | undefined {
  const verdict = elementsOf(ruleset.sets.get(map)).get(key);
  const chain = verdict?.startsWith("goto ") === true ? ruleset.chains.get(verdict.slice(5)) : undefined;
  return chain === undefined ? verdict : chain.rules.join("; ");
}
const elementsOf = (set: NftSet | undefined): ReadonlyMap<string, string> =>
  set === undefined || set.elements === "dynamic" ? new Map() : set.elements;
const rulesOf = (ruleset: Ruleset, chain: string): string => (ruleset.chains.get(chain)?.rules ?? []).join("; ");

const two = [endpointOf("10.128.0.2"), endpointOf("10.128.5.2")];
const web = (spec: Parameters<typeof serviceOf>[1] = {}) =>
  clusterOf("c1", [serviceOf("web", spec)], [sliceOf("web", two)], [podOf("10.128.0.2")]);

describe("cluster IPs", () => {
  it("lead to one of the endpoints, each as likely as the other", () => {
    expect(follow(rulesetOf(input([web()])), "cluster-c1-services", "10.96.0.5 . tcp . 80")).toBe(
      "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.128.0.2 . 8080, 1 : 10.128.5.2 . 8080 }",
    );
  });

  it("lead to the one endpoint without a draw", () => {
    const one = clusterOf("c1", [serviceOf("web", {})], [sliceOf("web", two.slice(0, 1))]);
    expect(follow(rulesetOf(input([one])), "cluster-c1-services", "10.96.0.5 . tcp . 80")).toBe("meta l4proto tcp dnat to 10.128.0.2:8080");
  });

  it.each(["UDP", "SCTP"] as const)("carry %s", (protocol) => {
    const slice = sliceOf("web", two, { ports: [{ name: "", port: 53, protocol }] });
    const cluster = clusterOf("c1", [serviceOf("web", { ports: [{ port: 53, protocol }] })], [slice]);
    const lower = protocol.toLowerCase();
    expect(follow(rulesetOf(input([cluster])), "cluster-c1-services", `10.96.0.5 . ${lower} . 53`)).toContain(`meta l4proto ${lower} dnat`);
  });

  it("of two clusters that are the same are told apart by the pod that asks", () => {
    const other = clusterOf("c2", [serviceOf("web", {})], [sliceOf("web", [endpointOf("10.128.0.9")])], [podOf("10.128.0.8")]);
    const ruleset = rulesetOf(input([web(), other]));
    expect(rulesOf(ruleset, "nat-prerouting")).toMatch(/^ip saddr vmap @pods/);
    expect(elementsOf(ruleset.sets.get("pods"))).toEqual(
      new Map([
        ["10.128.0.2", "goto cluster-c1"],
        ["10.128.0.8", "goto cluster-c2"],
      ]),
    );
    expect(rulesOf(ruleset, "cluster-c1")).toContain("@cluster-c1-services");
    expect(follow(ruleset, "cluster-c2-services", "10.96.0.5 . tcp . 80")).toContain("10.128.0.9");
  });

  it("are open to the machine itself only where one cluster alone uses the address", () => {
    const key = "10.96.0.5 . tcp . 80";
    const other = clusterOf("c2", [serviceOf("web", {})], []);
    expect(follow(rulesetOf(input([web()])), "host-services", key)).toContain("dnat");
    expect(follow(rulesetOf(input([web(), other])), "host-services", key)).toBeUndefined();
    expect(rulesOf(rulesetOf(input([web()])), "nat-output")).toMatch(/@host-ips jump mark-for-masquerade/);
  });

  it("without endpoints are refused, also on ports that the service does not have", () => {
    const ruleset = rulesetOf(input([clusterOf("c1", [serviceOf("web", {})], [])]));
    expect(follow(ruleset, "cluster-c1-services", "10.96.0.5 . tcp . 80")).toBeUndefined();
    expect(follow(ruleset, "cluster-c1-unserved", "10.96.0.5 . tcp . 80")).toMatch(/reject/);
    expect(elementsOf(ruleset.sets.get("cluster-c1-ips")).has("10.96.0.5")).toBe(true);
    expect(rulesOf(ruleset, "cluster-c1-check")).toContain("ip daddr @cluster-c1-ips goto refuse");
  });

  it("with policy Local and endpoints elsewhere are dropped", () => {
    expect(
      follow(
        rulesetOf(input([clusterOf("c1", [serviceOf("web", { internalTrafficPolicy: "Local" })], [sliceOf("web", two.slice(1))])])),
        "cluster-c1-unserved",
        "10.96.0.5 . tcp . 80",
      ),
    ).toBe("drop");
  });
});

describe("session affinity", () => {
  it("asks first which endpoint served the client within the time-out", () => {
    const ruleset = rulesetOf(input([web({ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } })]));
    const rules = follow(ruleset, "cluster-c1-services", "10.96.0.5 . tcp . 80")?.split("; ") ?? [];
    expect(rules.slice(0, 2).every((rule) => /^ip saddr @affinity-\S+-60 goto endpoint-/.test(rule))).toBe(true);
    expect(rules[2]).toMatch(/^numgen random mod 2 vmap/);
    const sets = [...ruleset.sets].filter(([name]) => name.startsWith("affinity-"));
    expect(sets).toHaveLength(2);
    expect(sets.every(([, { type, elements }]) => type.includes("timeout 60s") && elements === "dynamic")).toBe(true);
    const endpoint = [...ruleset.chains].find(([name]) => name.startsWith("endpoint-"))?.[1].rules;
    expect(endpoint?.[0]).toMatch(/^update @affinity-\S+ { ip saddr }$/);
  });
});

describe("addresses for outsiders", () => {
  const open = { type: "NodePort" as const, externalIPs: ["192.0.2.1"], ports: [{ port: 80, nodePort: 30080 }] };

  it("take the node's place as the client, so that the reply comes back this way", () => {
    const ruleset = rulesetOf(input([web(open)]));
    for (const [map, key] of [
      ["outside-node-ports", "tcp . 30080"],
      ["cluster-c1-node-ports", "tcp . 30080"],
      ["outside-services", "192.0.2.1 . tcp . 80"],
      ["cluster-c1-services", "192.0.2.1 . tcp . 80"],
    ] as const) {
      expect(follow(ruleset, map, key)).toMatch(/^jump mark-for-masquerade; goto /);
    }
  });

  it("with policy Local keep the client's address and stay on this node", () => {
    const here = [sliceOf("web", [endpointOf("10.128.0.2", {}, "here"), endpointOf("10.128.5.2")])];
    const ruleset = rulesetOf(input([clusterOf("c1", [serviceOf("web", { ...open, externalTrafficPolicy: "Local" })], here)]));
    const rules = follow(ruleset, "outside-node-ports", "tcp . 30080")?.split("; ") ?? [];
    expect(rules[0]).toBe("fib saddr type local jump mark-for-masquerade");
    const last = rules.at(-1)?.replace("goto ", "") ?? "";
    expect(rulesOf(ruleset, last)).toBe("meta l4proto tcp dnat to 10.128.0.2:8080");
    expect(follow(ruleset, "cluster-c1-node-ports", "tcp . 30080")).not.toContain("mark-for-masquerade");
  });

  it("without endpoints are refused, with policy Local and endpoints elsewhere dropped", () => {
    const none = rulesetOf(input([clusterOf("c1", [serviceOf("web", open)], [])]));
    expect(follow(none, "outside-node-ports-unserved", "tcp . 30080")).toMatch(/reject/);
    const local = clusterOf("c1", [serviceOf("web", { ...open, externalTrafficPolicy: "Local" })], [sliceOf("web", two)]);
    const elsewhere = rulesetOf(input([local]));
    expect(follow(elsewhere, "outside-node-ports-unserved", "tcp . 30080")).toBe("drop");
    expect(follow(elsewhere, "outside-unserved", "192.0.2.1 . tcp . 80")).toBe("drop");
  });

  it("that two clusters claim belong to the one whose id sorts first", () => {
    const rival = clusterOf("c0", [serviceOf("web", open)], [sliceOf("web", [endpointOf("10.128.7.7")])]);
    const ruleset = rulesetOf(input([web(open), rival]));
    const chain = follow(ruleset, "outside-node-ports", "tcp . 30080")?.split("goto ")[1] ?? "";
    expect(rulesOf(ruleset, chain)).toContain("10.128.7.7");
  });

  it("of a load balancer admit only its source ranges", () => {
    const service = serviceOf(
      "web",
      { type: "LoadBalancer", loadBalancerSourceRanges: ["198.51.100.0/24"] },
      { status: { loadBalancer: { ingress: [{ ip: "192.0.2.9" }] } } },
    );
    const ruleset = rulesetOf(input([clusterOf("c1", [service], [sliceOf("web", two)])]));
    expect(follow(ruleset, "firewall", "192.0.2.9 . tcp . 80")).toBe("ip saddr 198.51.100.0/24 return; drop");
  });
});

describe("the service kubernetes", () => {
  it("leads to the agent's way to the server instead of its endpoints", () => {
    const kubernetes = { ...serviceOf("kubernetes", { ports: [{ port: 443 }] }), metadata: { name: "kubernetes", namespace: "default" } };
    const ruleset = rulesetOf(input([clusterOf("c1", [kubernetes], [])], { apiTarget: { ip: "169.254.64.1", port: 6443 } }));
    expect(follow(ruleset, "cluster-c1-services", "10.96.0.5 . tcp . 443")).toBe("meta l4proto tcp dnat to 169.254.64.1:6443");
  });
});

describe("masquerading", () => {
  it("lets pods out under the node's address, except to other pods", () => {
    const rules = rulesOf(rulesetOf(input([web()])), "nat-postrouting");
    expect(rules).toContain('iifname "crc-*" ip saddr 10.128.0.0/24 ip daddr != 10.128.0.0/24 ip daddr != 10.128.0.0/9');
    expect(rules).toContain('oifname != "crc-*" masquerade');
  });

  it("covers a pod that reaches itself through a service", () => {
    const ruleset = rulesetOf(input([web()]));
    expect(elementsOf(ruleset.sets.get("hairpin")).has("10.128.0.2 . 10.128.0.2")).toBe(true);
    expect(rulesOf(ruleset, "nat-postrouting")).toContain("ct status dnat ip saddr . ip daddr @hairpin masquerade");
  });

  it("covers pods of one bridge where the kernel does not filter bridges", () => {
    expect(rulesOf(rulesetOf(input([], { masqueradeWithinBridge: true })), "nat-postrouting")).toContain(
      "ip saddr 10.128.0.0/24 ip daddr 10.128.0.0/24",
    );
  });

  it("is not for what goes to other machines' pods, which see who speaks to them", () => {
    const ruleset = rulesetOf(input([]));
    expect(rulesOf(ruleset, "nat-postrouting")).toContain("ip daddr != @peer-ranges");
    expect([...elementsOf(ruleset.sets.get("peer-ranges")).keys()]).toEqual(["10.244.7.0/24"]);
  });

  it("leaves pods alone that another network plugin connects", () => {
    expect(rulesOf(rulesetOf(input([web()], { podCidr: undefined })), "nat-postrouting")).not.toContain("oifname");
  });
});

describe("the whole", () => {
  it("is not broken by values that no API server would have let in", () => {
    const services = [
      serviceOf("evil }\nflush ruleset\n", {
        externalIPs: ["1.2.3.4 }\nflush ruleset", "010.0.0.1"],
        loadBalancerSourceRanges: ["; drop"],
      }),
      serviceOf("range", { clusterIP: "10.96.0.6", ports: [{ port: 70_000 }, { port: 80, nodePort: -1 }, { port: 81 }] }),
    ];
    const { chains, sets } = rulesetOf(input([clusterOf("c\n1", services, [sliceOf("range", two)])]));
    const text = [...chains.keys(), ...sets.keys(), ...[...chains.values()].flatMap(({ rules }) => rules)];
    expect(text.filter((line) => /[\n;]|flush/.test(line.replaceAll("evil_flush", "")) && !line.includes("evil"))).toEqual([]);
    expect([...chains.keys()].every((name) => /^[A-Za-z0-9/._-]+$/.test(name))).toBe(true);
    const elements = [...sets.values()].flatMap((set) => [...elementsOf(set)].flat());
    expect(elements.some((element) => /70000|-1$|flush ruleset|010/.test(element))).toBe(false);
    expect(elements.some((element) => element.includes(". 81"))).toBe(true);
  });

  it("refers only to chains and sets that are there", () => {
    const service = serviceOf("web", {
      type: "NodePort",
      externalTrafficPolicy: "Local",
      sessionAffinity: "ClientIP",
      ports: [{ port: 80, nodePort: 30080 }],
    });
    const { chains, sets } = rulesetOf(
      input([clusterOf("c/1", [service, serviceOf("none", {})], [sliceOf("web", two)], [podOf("10.128.0.2")])]),
    );
    const text = [
      ...[...chains.values()].flatMap(({ rules }) => rules),
      ...[...sets.values()].flatMap((set) => [...elementsOf(set).values()]),
    ];
    const targets = text.flatMap((line) => [...line.matchAll(/(?:goto|jump) ([^\s,]+)/g)].map((match) => match[1] ?? ""));
    const references = text.flatMap((line) => [...line.matchAll(/@(\S+)/g)].map((match) => match[1] ?? ""));
    expect(targets.length).toBeGreaterThan(20);
    expect(targets.filter((name) => !chains.has(name))).toEqual([]);
    expect(references.filter((name) => !sets.has(name))).toEqual([]);
  });
});
