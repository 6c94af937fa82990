import { beforeEach, describe, expect, it } from "vitest";
import { ensureOverlay, overlayDeviceOf, overlayIdOf } from "../../../../agent/network/overlay.ts";
import { createPeerRoutes, routeMetricOf } from "../../../../agent/network/peer-routes.ts";
import type { PeerPlan, PeerRoute } from "../../../../agent/network/peers.ts";
import type { RunCommand } from "../../../../agent/network/run-command.ts";

const device = overlayDeviceOf("pool");
const metric = routeMetricOf("n1");
const own = `proto 67 metric ${metric}`;
const planOf = (...routes: PeerRoute[]): PeerPlan => ({ ranges: routes.map(({ podCidr }) => podCidr), routes, unreachable: [] });
const direct: PeerRoute = { kind: "direct", podCidr: "10.244.1.0/24", via: "192.0.2.2" };
const overlay: PeerRoute = {
  ...{ kind: "overlay", podCidr: "10.244.2.0/24", gateway: "10.244.2.0", mac: "0a:58:c6:33:64:03", endpoint: "198.51.100.3" },
};

describe("routes to other machines' pods", () => {
  let routes: object[];
  let neighbours: object[];
  let ends: object[];
  let told: string[];
  let failing = false;
  const run: RunCommand = async (program, args, input) => {
    const answer = (list: object[]) => ({ exitCode: 0, stdout: JSON.stringify(list), stderr: "" });
    if (args.includes("route") && args.includes("show")) return answer(routes);
    if (args.includes("neigh")) return answer(neighbours);
    if (args.includes("fdb")) return answer(ends);
    if (args.includes("-batch"))
      told.push(
        ...(input ?? "")
          .split("\n")
          .filter(Boolean)
          .map((line) => `${program} ${line}`),
      );
    else told.push(`${program} ${args.join(" ")}`);
    return { exitCode: failing ? 1 : 0, stdout: "", stderr: failing ? "RTNETLINK answers: no\nmore" : "" };
  };
  const make = () => createPeerRoutes({ pool: "pool", podCidr: "10.244.0.0/24", instance: "n1", run });

  beforeEach(() => {
    [routes, neighbours, ends, told, failing] = [[], [], [], [], false];
  });

  it("are made where they are missing, entries of the overlay before them", async () => {
    await make().apply(planOf(direct, overlay));
    expect(told).toEqual([
      `bridge fdb replace ${overlay.kind === "overlay" ? overlay.mac : ""} dev ${device} dst 198.51.100.3 self permanent`,
      `ip neigh replace 10.244.2.0 lladdr 0a:58:c6:33:64:03 dev ${device} nud permanent`,
      `ip route replace 10.244.1.0/24 via 192.0.2.2 ${own}`,
      `ip route replace 10.244.2.0/24 via 10.244.2.0 dev ${device} onlink ${own}`,
    ]);
  });

  it("stay as they are when nothing differs", async () => {
    routes = [
      { dst: "10.244.1.0/24", gateway: "192.0.2.2", dev: "eth0", metric },
      { dst: "10.244.2.0/24", gateway: "10.244.2.0", dev: device, metric },
    ];
    neighbours = [{ dst: "10.244.2.0", lladdr: "0a:58:c6:33:64:03" }];
    ends = [{ mac: "0a:58:c6:33:64:03", dst: "198.51.100.3" }, { mac: "33:33:00:00:00:01" }];
    await make().apply(planOf(direct, overlay));
    expect(told).toEqual([]);
  });

  it("go when their peer is gone, and those of other agents and programs stay", async () => {
    routes = [
      { dst: "10.244.2.0/24", gateway: "10.244.2.0", dev: device, metric },
      { dst: "10.244.9.0/24", gateway: "192.0.2.9", dev: "eth0", metric: metric + 1 },
      { dst: "default", gateway: "192.0.2.254", dev: "eth0" },
    ];
    neighbours = [{ dst: "10.244.2.0", lladdr: "0a:58:c6:33:64:03" }];
    ends = [{ mac: "0a:58:c6:33:64:03", dst: "198.51.100.3" }];
    await make().apply(planOf());
    expect(told).toEqual([
      `ip route delete 10.244.2.0/24 ${own}`,
      `bridge fdb delete 0a:58:c6:33:64:03 dev ${device} dst 198.51.100.3 self`,
      `ip neigh delete 10.244.2.0 dev ${device}`,
    ]);
  });

  it("are made anew when they lead elsewhere", async () => {
    routes = [{ dst: "10.244.1.0/24", gateway: "10.244.1.0", dev: device, metric }];
    await make().apply(planOf(direct));
    expect(told[0]).toBe(`ip route replace 10.244.1.0/24 via 192.0.2.2 ${own}`);
  });

  it("are reported as failed when the kernel refuses one", async () => {
    failing = true;
    await expect(make().apply(planOf(direct))).rejects.toThrow("RTNETLINK answers: no");
  });

  it("have a device that is made with the machine's address, and again when that changed", async () => {
    const options = { pool: "pool", address: "192.0.2.1", podCidr: "10.244.0.0/24", mtu: 1450 };
    await ensureOverlay(options, async (program, args) =>
      args.includes("-details") ? { exitCode: 1, stdout: "", stderr: "" } : run(program, args),
    );
    expect(told).toEqual([
      `ip link add ${device} address 0a:58:c0:00:02:01 mtu 1450 type vxlan id ${overlayIdOf("pool")} local 192.0.2.1 dstport 4789 nolearning`,
      `ip address replace 10.244.0.0/32 dev ${device}`,
      `ip link set ${device} up`,
    ]);
    told = [];
    const there = [
      { address: "0a:58:c0:00:02:01", mtu: 1450, linkinfo: { info_data: { id: overlayIdOf("pool"), local: "192.0.2.1", port: 4789 } } },
    ];
    const found: RunCommand = async (program, args) =>
      args.includes("-details") ? { exitCode: 0, stdout: JSON.stringify(there), stderr: "" } : run(program, args);
    await ensureOverlay(options, found);
    expect(told.some((line) => line.startsWith("ip link add"))).toBe(false);
    await ensureOverlay({ ...options, address: "192.0.2.7" }, found);
    expect(told.filter((line) => /link (add|delete)/.test(line))).toHaveLength(2);
  });
});
