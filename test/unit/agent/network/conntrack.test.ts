import { describe, expect, it } from "vitest";
import { createConntrackCleaner, parseUdpFlows, staleUdpFlows } from "../../../../agent/network/conntrack.ts";
import type { NetworkState } from "../../../../agent/network/network-state.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { clusterOf, endpointOf, podOf, serviceOf, sliceOf } from "./cluster-fixture.ts";

const place = { nodeName: "here", zone: undefined };
const udpPort = [{ name: "", port: 8053, protocol: "UDP" as const }];
const dns = (clusterId: string, pod: string, ...ips: string[]) =>
  clusterOf(
    clusterId,
    [serviceOf("dns", { type: "NodePort", ports: [{ port: 53, protocol: "UDP", nodePort: 30053 }] })],
    [
      sliceOf(
        "dns",
        ips.map((ip) => endpointOf(ip)),
        { ports: udpPort },
      ),
    ],
    [podOf(pod)],
  );
const line = (source: string, destination: string, port: number, reply: string, replyPort: number): string =>
  `udp      17 27 src=${source} dst=${destination} sport=40000 dport=${port} src=${reply} dst=${source} sport=${replyPort} dport=40000 mark=0 use=1`;

const stale = (state: NetworkState, ...lines: string[]) => staleUdpFlows(parseUdpFlows(lines.join("\n")), state, place);
const state: NetworkState = { clusters: [dns("c1", "10.128.0.2", "10.128.0.7")] };

describe("parseUdpFlows", () => {
  it("reads both directions, and skips what is no flow", () => {
    const text = `${line("10.128.0.2", "10.96.0.5", 53, "10.128.0.7", 8053).replace(" src=10.128.0.7", " [UNREPLIED] src=10.128.0.7")}\nconntrack v1.4.7: 1 flow entries have been shown.\n`;
    expect(parseUdpFlows(text)).toEqual([
      {
        source: "10.128.0.2",
        destination: "10.96.0.5",
        sourcePort: 40_000,
        destinationPort: 53,
        replySource: "10.128.0.7",
        replySourcePort: 8053,
      },
    ]);
  });
});

describe("staleUdpFlows", () => {
  it("keeps a flow to an endpoint that is there, and finds one to an endpoint that is gone", () => {
    expect(stale(state, line("10.128.0.2", "10.96.0.5", 53, "10.128.0.7", 8053))).toEqual([]);
    expect(stale(state, line("10.128.0.2", "10.96.0.5", 53, "10.128.0.6", 8053))).toHaveLength(1);
    expect(stale(state, line("198.51.100.1", "192.0.2.2", 30053, "10.128.0.6", 8053))).toHaveLength(1);
  });

  it("finds a flow that began before the service had endpoints", () => {
    const untranslated = line("10.128.0.2", "10.96.0.5", 53, "10.96.0.5", 53);
    expect(stale(state, untranslated)).toHaveLength(1);
    expect(stale({ clusters: [dns("c1", "10.128.0.2")] }, untranslated)).toEqual([]);
  });

  it("leaves flows alone that concern no service", () => {
    expect(stale(state, line("10.128.0.2", "198.51.100.9", 53, "198.51.100.9", 53))).toEqual([]);
    expect(stale(state, line("192.0.2.2", "192.0.2.1", 30053, "192.0.2.1", 30053))).toEqual([]);
  });

  it("judges a flow by the cluster of the pod that began it", () => {
    const both: NetworkState = { clusters: [dns("c1", "10.128.0.2", "10.128.0.7"), dns("c2", "10.128.0.3", "10.128.0.8")] };
    expect(stale(both, line("10.128.0.2", "10.96.0.5", 53, "10.128.0.8", 8053))).toHaveLength(1);
    expect(stale(both, line("10.128.0.3", "10.96.0.5", 53, "10.128.0.8", 8053))).toEqual([]);
  });
});

describe("createConntrackCleaner", () => {
  const recorded = (stdout: string) => {
    const calls: string[] = [];
    const run = async (program: string, args: readonly string[]) => {
      calls.push([program, ...args].join(" "));
      return { exitCode: 0, stdout, stderr: "" };
    };
    return { calls, run };
  };

  it("deletes exactly the stale flows", async () => {
    const { calls, run } = recorded(line("10.128.0.2", "10.96.0.5", 53, "10.128.0.6", 8053));
    await createConntrackCleaner(place, run, silentLog).clean(state);
    expect(calls).toEqual(["conntrack -L -p udp", "conntrack -D -p udp -s 10.128.0.2 -d 10.96.0.5 --sport 40000 --dport 53"]);
  });

  it("does nothing while no service uses UDP", async () => {
    const { calls, run } = recorded("");
    await createConntrackCleaner(place, run, silentLog).clean({ clusters: [clusterOf("c1", [serviceOf("web", {})], [])] });
    expect(calls).toEqual([]);
  });

  it("goes on without the program", async () => {
    let attempts = 0;
    const run = async () => {
      attempts++;
      throw new Error("ENOENT");
    };
    const cleaner = createConntrackCleaner(place, run, silentLog);
    await cleaner.clean(state);
    await cleaner.clean(state);
    expect(attempts).toBe(1);
  });
});
