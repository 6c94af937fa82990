import { describe, expect, it } from "vitest";
import { newClusterState } from "../../../../agent/cluster-state.ts";
import { createAgentNetwork } from "../../../../agent/network/agent-network.ts";
import type { NetworkState } from "../../../../agent/network/network-state.ts";
import type { RuntimePod } from "../../../../agent/runtime.ts";
import type { Pod } from "../../../../shared/kubernetes/types.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { serviceOf } from "./cluster-fixture.ts";

const pod = (uid: string, hostNetwork = false): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { uid, name: uid, namespace: "shop" },
  spec: { containers: [], hostNetwork },
});
const survivor: RuntimePod = {
  podUid: "old",
  namespace: "shop",
  name: "old",
  cluster: "c1",
  attempt: 0,
  sandbox: { id: "s", ready: true, ips: ["10.128.0.9"], createdAtMs: 0 },
  containers: [],
};

function create(running: () => Promise<readonly RuntimePod[]> = async () => [], podsHaveAddresses = true) {
  const states: NetworkState[] = [];
  const network = createAgentNetwork({
    network: { update: async (state) => void states.push(state), dnsFor: async () => undefined },
    running,
    podsHaveAddresses,
    log: silentLog,
  });
  const podsNow = () => (states.at(-1)?.clusters ?? []).flatMap(({ id, pods }) => pods.map(({ uid, ip }) => `${id} ${uid} ${ip}`)).sort();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return { network, states, podsNow, settle };
}

describe("createAgentNetwork", () => {
  it("hands on the pool's other machines, at first together with the services", async () => {
    const { network, states, settle } = create(async () => [survivor]);
    const peer = { nodeName: "n2", internalIps: ["192.0.2.2"], podCidr: "10.244.1.0/24" };
    network.updatePeers([peer]);
    await settle();
    expect(states).toEqual([]);
    network.update([newClusterState("c1")]);
    await settle();
    expect(states.map(({ peers }) => peers)).toEqual([[peer]]);
    network.updatePeers([]);
    await settle();
    expect(states.at(-1)?.peers).toEqual([]);
  });

  it("knows no other machines where pods have no addresses", async () => {
    const { network, states, settle } = create(async () => [], false);
    expect(network.routesPeers).toBe(false);
    network.update([]);
    network.updatePeers([]);
    await settle();
    expect(states.map(({ peers }) => peers)).toEqual([undefined]);
  });

  it("counts a pod in before its containers start, under the cluster that it belongs to", async () => {
    const { network, podsNow } = create();
    await network.addressed("c1", pod("u1"), ["10.128.0.2"]);
    await network.addressed("c2", pod("u2"), ["10.128.0.3"]);
    expect(podsNow()).toEqual(["c1 u1 10.128.0.2", "c2 u2 10.128.0.3"]);
  });

  it("does nothing for what it knows, and nothing for pods in the host's network", async () => {
    const { network, states } = create();
    await network.addressed("c1", pod("u1"), ["10.128.0.2"]);
    await network.addressed("c1", pod("u1"), ["10.128.0.2"]);
    await network.addressed("c1", pod("u2", true), ["192.0.2.2"]);
    await network.addressed("c1", pod("u3"), []);
    expect(states).toHaveLength(1);
  });

  it("forgets a pod that has no address any more, and one whose address another pod got", async () => {
    const { network, podsNow, settle } = create();
    await network.addressed("c1", pod("u1"), ["10.128.0.2"]);
    await network.addressed("c2", pod("u2"), ["10.128.0.2"]);
    expect(podsNow()).toEqual(["c2 u2 10.128.0.2"]);
    network.released("c2", "u2");
    await settle();
    expect(podsNow()).toEqual([]);
  });

  it("keeps the pods that outlived the last agent in its first state", async () => {
    const { network, podsNow, states, settle } = create(async () => [survivor]);
    const cluster = newClusterState("c1");
    cluster.services.set("shop/web", serviceOf("web", {}));
    network.update([cluster]);
    await settle();
    expect(podsNow()).toEqual(["c1 old 10.128.0.9"]);
    expect(states[0]?.clusters[0]?.services).toHaveLength(1);
  });

  it("does not count pods that share the machine's address", async () => {
    const { network, states } = create(async () => [survivor], false);
    await network.addressed("c1", pod("u1"), ["192.0.2.2"]);
    await network.addressed("c1", pod("u2"), ["192.0.2.2"]);
    expect(states).toEqual([]);
  });

  it("goes on when the runtime cannot be listed or the rules cannot be written", async () => {
    const network = createAgentNetwork({
      network: {
        update: async () => {
          throw new Error("nft");
        },
        dnsFor: async () => undefined,
      },
      running: async () => {
        throw new Error("runtime");
      },
      podsHaveAddresses: true,
      log: silentLog,
    });
    await expect(network.addressed("c1", pod("u1"), ["10.128.0.2"])).resolves.toBeUndefined();
  });
});
