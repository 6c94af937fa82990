import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";
import { afterEach, describe, expect, it } from "vitest";
import { createNodeDns, type NodeDns, type NodeDnsOptions } from "../../../../agent/dns/node-dns.ts";
import { loopbackAddressOf } from "../../../../agent/network/addressing.ts";
import type { NetworkState } from "../../../../agent/network/network-state.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { clusterOf, endpointOf, serviceOf, sliceOf } from "../network/cluster-fixture.ts";

const instance = `dns-${process.pid}`;
const port = 20_000 + (process.pid % 10_000);
let dns: NodeDns | undefined;
afterEach(() => dns?.stop());

const create = (change: Partial<NodeDnsOptions> = {}): NodeDns => {
  dns = createNodeDns({
    instance,
    domain: "cluster.local",
    serviceAddresses: "endpoints",
    nodeAddress: undefined,
    readResolvConf: async () => "nameserver 192.0.2.53\nsearch example.org\n",
    clock: systemClock,
    log: silentLog,
    random: () => 0,
    port,
    ...change,
  });
  return dns;
};

const state = (...clusters: [id: string, endpoint: string][]): NetworkState => ({
  clusters: clusters.map(([id, endpoint]) => clusterOf(id, [serviceOf("web", {})], [sliceOf("web", [endpointOf(endpoint)])])),
});

const ask = (address: string): Promise<unknown> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("message", (message) => {
      socket.close();
      const { answers = [] } = decode(message);
      resolve(answers.map((answer) => ("data" in answer ? answer.data : undefined)));
    });
    socket.send(encode({ type: "query", id: 1, questions: [{ type: "A", name: "web.shop.svc.cluster.local" }] }), port, address);
  });

describe("DNS of a process node", () => {
  it("answers each cluster at an address of its own, with the endpoints' addresses", async () => {
    const node = create();
    await node.start();
    node.update(state(["c1", "192.0.2.1"], ["c2", "192.0.2.2"]));
    for (const [cluster, endpoint] of [
      ["c1", "192.0.2.1"],
      ["c2", "192.0.2.2"],
    ] as const) {
      const config = await node.configFor(cluster, "shop", {});
      expect(config?.servers).toEqual([loopbackAddressOf(instance, cluster)]);
      expect(config?.searches[0]).toBe("shop.svc.cluster.local");
      expect(await ask(loopbackAddressOf(instance, cluster))).toEqual([endpoint]);
    }
  });

  it("answers with the latest endpoints", async () => {
    const node = create();
    node.update(state(["c1", "192.0.2.1"]));
    await node.configFor("c1", "shop", {});
    expect(await ask(loopbackAddressOf(instance, "c1"))).toEqual(["192.0.2.1"]);
    node.update(state(["c1", "192.0.2.7"]));
    expect(await ask(loopbackAddressOf(instance, "c1"))).toEqual(["192.0.2.7"]);
  });

  it("leaves pods to the machine's resolvers where it cannot listen", async () => {
    const taken = createSocket("udp4");
    await new Promise<void>((resolve) => taken.bind(port, loopbackAddressOf(instance, "c1"), resolve));
    expect(await create().configFor("c1", "shop", {})).toBeUndefined();
    taken.close();
  });
});

describe("DNS of a node whose pods have addresses", () => {
  it("sends them to the node's address, and pods in the host's network to their cluster's", async () => {
    const node = create({ nodeAddress: "127.0.0.1" });
    node.update(state(["c1", "192.0.2.1"]));
    expect((await node.configFor("c1", "shop", {}))?.servers).toEqual(["127.0.0.1"]);
    expect(await node.configFor("c1", "shop", { hostNetwork: true })).toBeUndefined();
    const onHost = await node.configFor("c1", "shop", { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" });
    expect(onHost?.servers).toEqual([loopbackAddressOf(instance, "c1")]);
  });
});
