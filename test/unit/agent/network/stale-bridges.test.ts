import { expect, it } from "vitest";
import type { RunCommand } from "../../../../agent/network/run-command.ts";
import { clearRange } from "../../../../agent/network/stale-bridges.ts";
import { type Log, silentLog } from "../../../../shared/telemetry/log.ts";

interface Interface {
  readonly cidr: string;
  /** What is attached to it, where it is a bridge. */
  readonly ports?: readonly string[];
}

async function clear(interfaces: Readonly<Record<string, Interface>>) {
  const done: string[] = [];
  const told: unknown[] = [];
  const run: RunCommand = async (program, args) => {
    const command = [program, ...args].join(" ");
    const answer = (value: unknown) => ({ exitCode: 0, stdout: JSON.stringify(value), stderr: "" });
    if (command === "ip -json -4 address show") {
      return answer([
        {},
        ...Object.entries(interfaces).map(([ifname, { cidr }]) => {
          const [local, prefixlen] = cidr.split("/");
          return { ifname, addr_info: [{ local, prefixlen: Number(prefixlen) }] };
        }),
      ]);
    }
    const [, bridge] = /^ip -json -4 link show master (.+)$/.exec(command) ?? [];
    if (bridge !== undefined) return answer((interfaces[bridge]?.ports ?? []).map((ifname) => ({ ifname })));
    done.push(command);
    return answer([]);
  };
  const log: Log = { ...silentLog, warn: (_, fields) => void told.push(fields?.interface) };
  await clearRange("10.244.0.0/24", "crc-own", run, log);
  return { done, told };
}

it("takes away a bridge of the pod range that lost its agent and its pods", async () => {
  expect(await clear({ "crc-old": { cidr: "10.244.0.1/24" }, "crc-own": { cidr: "10.244.0.1/24" } })).toEqual({
    done: ["ip link delete crc-old"],
    told: [],
  });
});

it("leaves a bridge with pods, and what is no agent's, but says that they are in the way", async () => {
  const found = { "crc-other": { cidr: "10.244.0.1/24", ports: ["veth1"] }, cni0: { cidr: "10.244.0.1/25" } };
  expect(await clear(found)).toEqual({ done: [], told: ["crc-other", "cni0"] });
});

it("is not concerned with other ranges and wider networks", async () => {
  const found = { "crc-other": { cidr: "10.244.1.1/24" }, eth0: { cidr: "10.0.0.7/8" }, lo: { cidr: "127.0.0.1/8" } };
  expect(await clear(found)).toEqual({ done: [], told: [] });
});
