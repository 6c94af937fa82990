import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { partitions, recordKeys } from "../../../shared/platform/record-keys.ts";
import { type Bench, openPlatform } from "./fixture.ts";

describe("the pod ranges of a pool", () => {
  let bench: Bench;
  let pool: string;
  let token: string;

  beforeEach(async () => {
    bench = await openPlatform();
    pool = (await bench.platform.pools.create("acme", { name: "metal", size: 0, runtime: "auto", labels: {}, taints: [] })).value.id;
    token = (await bench.platform.joinTokens.create("acme", pool, { ttlSeconds: 3600 })).token;
  });
  afterEach(() => bench.dispose());

  interface Machine {
    readonly podCidr?: string;
    readonly networks?: readonly string[];
    readonly address?: string;
    readonly runtime?: "containerd" | "process";
  }
  const facts = ({ podCidr, address = "192.0.2.1", runtime = "containerd" }: Machine) => ({
    runtime,
    addresses: [{ type: "InternalIP" as const, address }],
    ...(podCidr !== undefined && { podCidr }),
  });
  const join = async (name: string, machine: Machine = {}): Promise<string | undefined> => {
    const outcome = await bench.platform.nodes.join(token, { name, machineId: name, ...facts(machine), networks: machine.networks });
    if (outcome.kind !== "joined") throw new Error(outcome.reason);
    return outcome.podCidr;
  };
  const report = (nodeName: string, machine: Machine) =>
    bench.platform.nodes.settleNetwork({ tenant: "acme", pool, nodeName }, facts(machine));
  const remove = (name: string) => bench.platform.nodes.remove("acme", pool, name);
  const peers = () => bench.platform.nodes.peers("acme", pool);

  it("are distinct, begin at 10.244.0.0 and stay a machine's when it joins again", async () => {
    expect(await join("a")).toBe("10.244.0.0/24");
    expect(await join("b")).toBe("10.244.1.0/24");
    expect(await join("a")).toBe("10.244.0.0/24");
    expect((await bench.platform.nodes.get("acme", pool, "b")).value.podCidr).toBe("10.244.1.0/24");
  });

  it("are distinct for machines that join at the same time", async () => {
    const ranges = await Promise.all(Array.from({ length: 16 }, (_, index) => join(`n${index}`)));
    expect(new Set(ranges).size).toBe(16);
  });

  it("are given to machines whose pods have addresses of their own, and to no others", async () => {
    expect(await join("a", { runtime: "process" })).toBeUndefined();
    expect(await join("b")).toBe("10.244.0.0/24");
    expect(await join("b", { runtime: "process" })).toBeUndefined();
    expect(await peers()).toEqual([]);
  });

  it("follow a machine's wish when it is free", async () => {
    expect(await join("a", { podCidr: "10.50.0.0/20" })).toBe("10.50.0.0/20");
    expect(await join("b", { podCidr: "10.50.3.0/24" })).toBe("10.244.0.0/24");
    expect(await join("c", { podCidr: "10.60.0.0/8" })).toBe("10.244.1.0/24");
    expect(await join("d", { podCidr: "127.0.0.0/24" })).toBe("10.244.2.0/24");
    expect(await join("a", { podCidr: "10.51.0.0/24" })).toBe("10.51.0.0/24");
    expect(await join("e", { podCidr: "10.50.3.0/24" })).toBe("10.50.3.0/24");
  });

  it("avoid the machine's own networks", async () => {
    expect(await join("a", { networks: ["10.244.0.17/23", "192.0.2.1/24"] })).toBe("10.244.2.0/24");
  });

  it("are given back with the machine, and not given out again at once", async () => {
    await join("a");
    await remove("a");
    expect(await peers()).toEqual([]);
    expect(await join("b")).toBe("10.244.1.0/24");
  });

  it("go on at the beginning when the last one was given out", async () => {
    await bench.store.writeRecords([
      { kind: "put", ...recordKeys.podRangeCursor("acme", pool), expected: undefined, value: { next: 16_383 } },
    ]);
    expect(await join("a")).toBe("10.243.255.0/24");
    expect(await join("b")).toBe("10.244.0.0/24");
  });

  it("go round from 10.255 to 10.192", async () => {
    await bench.store.writeRecords([
      { kind: "put", ...recordKeys.podRangeCursor("acme", pool), expected: undefined, value: { next: 12 * 256 - 1 } },
    ]);
    expect([await join("a"), await join("b")]).toEqual(["10.255.255.0/24", "10.192.0.0/24"]);
  });

  it("are what agents of earlier versions use already, unless another machine has it", async () => {
    await join("a", { runtime: "process" });
    expect(await report("a", { podCidr: "10.130.7.0/24" })).toBe("10.130.7.0/24");
    await join("b", { address: "192.0.2.2" });
    expect(await report("b", { podCidr: "10.130.7.0/24", address: "192.0.2.2" })).toBe("10.244.0.0/24");
    expect(await peers()).toEqual([
      { podCidr: "10.130.7.0/24", nodeNames: ["a"], internalIps: ["192.0.2.1"] },
      { podCidr: "10.244.0.0/24", nodeNames: ["b"], internalIps: ["192.0.2.2"] },
    ]);
  });

  it("are shared by the agents of one machine that share its containerd, and given back by the last of them", async () => {
    await join("a");
    await join("b");
    expect(await report("b", { podCidr: "10.244.0.0/24" })).toBe("10.244.0.0/24");
    expect(await peers()).toEqual([{ podCidr: "10.244.0.0/24", nodeNames: ["a", "b"], internalIps: ["192.0.2.1"] }]);
    await remove("a");
    expect((await peers()).map(({ nodeNames }) => nodeNames)).toEqual([["b"]]);
    await remove("b");
    expect(await peers()).toEqual([]);
  });

  it("tell the pool's agents when one comes, moves or goes, and only then", async () => {
    const heard: string[] = [];
    const stop = bench.platform.news.onPeersChange((id) => heard.push(id));
    await join("a");
    await report("a", { podCidr: "10.244.0.0/24" });
    await join("a");
    expect(heard).toEqual([pool]);
    await report("a", { podCidr: "10.244.0.0/24", address: "192.0.2.9" });
    await remove("a");
    expect(heard).toEqual([pool, pool, pool]);
    stop();
  });

  it("leave nothing behind when the pool goes", async () => {
    await join("a");
    await remove("a");
    await bench.platform.pools.remove("acme", pool);
    expect(await bench.store.queryRecords(partitions.podRanges("acme", pool))).toEqual([]);
    expect(await bench.store.getRecords([recordKeys.podRangeCursor("acme", pool)])).toEqual([undefined]);
  });
});
