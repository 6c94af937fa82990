import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bridgeNameOf, derivePodCidr } from "../../../../agent/network/addressing.ts";
import { type CniNetworkOptions, ensureCniNetwork, releaseCniNetwork } from "../../../../agent/network/cni.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cni-"));
});
afterEach(() => rm(directory, { recursive: true }));

const ensure = (nodeName: string, change: Partial<CniNetworkOptions> = {}) =>
  ensureCniNetwork(directory, {
    instance: nodeName,
    podCidr: undefined,
    taken: [],
    portmap: false,
    firewall: false,
    dataDir: join(directory, "data"),
    ...change,
  });
const configurations = async () => (await readdir(directory)).filter((name) => name !== "data");
const written = async (): Promise<{ plugins: Record<string, unknown>[] }> =>
  JSON.parse(await readFile(join(directory, "05-coracle.conflist"), "utf8"));

describe("ensureCniNetwork", () => {
  it("writes a bridge network whose range follows from the node's name", async () => {
    expect(await ensure("n1")).toEqual({ kind: "own", bridge: bridgeNameOf("n1"), podCidr: derivePodCidr("n1") });
    expect((await written()).plugins).toMatchObject([
      {
        type: "bridge",
        bridge: bridgeNameOf("n1"),
        isGateway: true,
        ipMasq: false,
        ipam: { type: "host-local", ranges: [[{ subnet: derivePodCidr("n1") }]] },
      },
    ]);
    expect(await configurations()).toEqual(["05-coracle.conflist"]);
  });

  it("maps ports where the machine can, and lets pods through where it drops what it forwards", async () => {
    await ensure("n1", { portmap: true, firewall: true });
    expect((await written()).plugins).toMatchObject([
      { type: "bridge" },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "firewall" },
    ]);
  });

  it("keeps the range of a node that was here before, unless it is given another", async () => {
    await ensure("n1", { podCidr: "10.200.1.0/24" });
    expect(await ensure("n1", { taken: ["10.200.1.1/24"] })).toMatchObject({ kind: "own", podCidr: "10.200.1.0/24" });
    expect(await ensure("n1", { podCidr: "10.200.2.0/24" })).toMatchObject({ kind: "own", podCidr: "10.200.2.0/24" });
  });

  it("adopts the network of another agent on the same containerd", async () => {
    await ensure("n1", { podCidr: "10.200.1.0/24" });
    expect(await ensure("n2")).toEqual({ kind: "adopted", bridge: bridgeNameOf("n1"), podCidr: "10.200.1.0/24" });
    const release = (nodeName: string) => releaseCniNetwork(directory, join(directory, "data"), nodeName);
    expect(await release("n1")).toBeUndefined();
    expect(await configurations()).toHaveLength(1);
    expect(await release("n2")).toBe(bridgeNameOf("n1"));
    expect(await configurations()).toEqual([]);
  });

  it("has one author when agents start at the same time", async () => {
    const names = ["n1", "n2", "n3", "n4"];
    const networks = await Promise.all(names.map((name) => ensure(name)));
    expect(networks.filter(({ kind }) => kind === "own")).toHaveLength(1);
    expect(new Set(networks.map((network) => ("bridge" in network ? network.bridge : ""))).size).toBe(1);
  });

  it("is not put off by what is there for podman", async () => {
    await writeFile(join(directory, "87-podman-bridge.conflist"), "{}");
    expect(await ensure("n1")).toMatchObject({ kind: "own" });
  });

  it("leaves the network of another plugin alone", async () => {
    await writeFile(join(directory, "10-other.conflist"), "{}");
    expect(await ensure("n1")).toEqual({ kind: "foreign", file: "10-other.conflist" });
    expect(await configurations()).toEqual(["10-other.conflist"]);
  });

  it("replaces a file of its own that nobody can read", async () => {
    await writeFile(join(directory, "05-coracle.conflist"), "{ half");
    expect(await ensure("n1")).toMatchObject({ kind: "own" });
    expect((await written()).plugins).toHaveLength(1);
  });
});
