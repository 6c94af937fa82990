import { afterAll, beforeAll, expect, it } from "vitest";
import { createRulesetApplier, type RulesetApplier } from "../../agent/network/apply.ts";
import type { NetworkState } from "../../agent/network/network-state.ts";
import { rulesetOf } from "../../agent/network/nftables.ts";
import { runCommand } from "../../agent/network/run-command.ts";
import type { EndpointSlice, Service, ServiceSpec } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { realContainerd } from "./containerd-fixture.ts";
import { describeWith } from "./needs.ts";

const table = `coracle-e2e-rules-${process.pid}`;

/** Services of a cluster of which nobody on this machine has a pod: the rules meet no packet. */
const clusterOf = (id: string, count: number, endpoints = 3, spec: (index: number) => ServiceSpec = () => ({})) => {
  const indices = Array.from({ length: count }, (_, index) => index);
  return {
    id,
    pods: [{ uid: "u", ip: "10.255.255.2", namespace: "shop", name: "pod" }],
    services: indices.map(
      (index): Service => ({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: `s${index}`, namespace: "shop" },
        spec: { clusterIP: `10.254.${index >> 8}.${index & 255}`, ports: [{ port: 80 }], ...spec(index) },
      }),
    ),
    endpointSlices: indices.map(
      (index): EndpointSlice => ({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        addressType: "IPv4",
        metadata: { name: `s${index}`, namespace: "shop", labels: { "kubernetes.io/service-name": `s${index}` } },
        ports: [{ name: "", port: 8080, protocol: "TCP" }],
        endpoints: Array.from({ length: endpoints }, (_, endpoint) => ({ addresses: [`10.255.${endpoint}.${index % 256}`] })),
      }),
    ),
  };
};

describeWith([realContainerd], "service rules in the kernel", () => {
  let applier: RulesetApplier;
  const apply = (state: NetworkState, by: RulesetApplier = applier) =>
    by.apply(
      rulesetOf({
        table,
        state,
        place: { nodeName: "here", zone: undefined },
        podCidr: "10.255.255.0/24",
        nonMasqueradeCidrs: ["10.128.0.0/9"],
        peerRanges: [],
        apiTarget: { ip: "169.254.64.9", port: 6443 },
        masqueradeWithinBridge: true,
      }),
    );
  const listed = async (): Promise<string> => (await runCommand("nft", ["list", "table", "ip", table])).stdout;

  beforeAll(() => {
    applier = createRulesetApplier(table, runCommand, silentLog);
  });
  afterAll(() => applier.remove());

  it("are accepted for every kind of service, and leave nothing behind when a cluster goes", async () => {
    const kinds: ServiceSpec[] = [
      {},
      { sessionAffinity: "ClientIP" },
      { type: "NodePort", ports: [{ port: 80, nodePort: 32_767 }] },
      { type: "NodePort", externalTrafficPolicy: "Local", externalIPs: ["198.51.100.7"], ports: [{ port: 80, nodePort: 32_766 }] },
      { internalTrafficPolicy: "Local" },
      {
        type: "LoadBalancer",
        sessionAffinity: "ClientIP",
        externalTrafficPolicy: "Local",
        loadBalancerSourceRanges: ["198.51.100.0/24"],
      },
    ];
    const full: NetworkState = {
      clusters: ["one", "two/2"].map((id) => clusterOf(id, kinds.length, 3, (index) => kinds[index] ?? {})),
    };
    const [first] = full.clusters;
    if (first === undefined) throw new Error("no cluster");
    expect(await apply({ clusters: [] })).toBe("changed");
    const empty = await listed();
    expect(await apply(full)).toBe("changed");
    expect(await apply({ clusters: [first] })).toBe("changed");
    expect(await apply({ clusters: [{ ...first, endpointSlices: [] }] })).toBe("changed");
    expect(await apply(full)).toBe("changed");
    expect(await apply({ clusters: [] })).toBe("changed");
    expect(await listed()).toBe(empty);
  });

  it("keep session affinity when another agent takes the table over", async () => {
    const sticky: NetworkState = { clusters: [clusterOf("one", 1, 2, () => ({ sessionAffinity: "ClientIP" }))] };
    await apply(sticky);
    const set = /set (affinity-\S+) /.exec(await listed())?.[1] ?? "";
    expect((await runCommand("nft", ["add", "element", "ip", table, set, "{ 198.51.100.9 }"])).stderr).toBe("");
    expect(await apply(sticky, createRulesetApplier(table, runCommand, silentLog))).toBe("changed");
    expect(await listed()).toContain("198.51.100.9");
  });

  it("are written anew when someone took parts of the table away", async () => {
    await apply({ clusters: [clusterOf("one", 3)] });
    await runCommand("nft", ["delete", "table", "ip", table]);
    expect(await apply({ clusters: [clusterOf("one", 4)] })).toBe("replaced");
    expect(await listed()).toContain("10.254.0.3 . tcp . 80");
  });

  it("follow a change among 1,000 services within 200 ms", async () => {
    await apply({ clusters: [clusterOf("one", 1_000)] });
    const durations: number[] = [];
    for (let endpoints = 1; endpoints <= 4; endpoints++) {
      const cluster = clusterOf("one", 1_000);
      const started = performance.now();
      const changed = cluster.endpointSlices.map((slice, index) =>
        index < 5 ? { ...slice, endpoints: slice.endpoints.slice(0, (endpoints % 2) + 1) } : slice,
      );
      expect(await apply({ clusters: [{ ...cluster, endpointSlices: changed }] })).toBe("changed");
      durations.push(performance.now() - started);
    }
    expect(Math.min(...durations)).toBeLessThan(200);
  });
});
