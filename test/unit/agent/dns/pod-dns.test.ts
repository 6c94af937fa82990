import { describe, expect, it } from "vitest";
import { podDnsOf } from "../../../../agent/dns/pod-dns.ts";
import { parseResolvConf, renderResolvConf } from "../../../../agent/dns/resolv-conf.ts";

const host = { servers: ["192.0.2.53"], searches: ["example.org"], options: ["timeout:1"] };
const context = { namespace: "shop", clusterServer: "169.254.64.7", clusterDomain: "cluster.local", host };
const clusterSearches = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"];

describe("podDnsOf", () => {
  it("leads to cluster DNS by default, with the machine's search paths behind its own", () => {
    expect(podDnsOf({}, context)).toEqual({
      servers: ["169.254.64.7"],
      searches: [...clusterSearches, "example.org"],
      options: ["ndots:5"],
    });
  });

  it("leaves a pod with policy Default, or with the host's network, to the machine's resolvers", () => {
    expect(podDnsOf({ dnsPolicy: "Default" }, context)).toBeUndefined();
    expect(podDnsOf({ dnsPolicy: "ClusterFirst", hostNetwork: true }, context)).toBeUndefined();
  });

  it("leads a pod with the host's network to cluster DNS when it asks for that", () => {
    expect(podDnsOf({ dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true }, context)?.servers).toEqual(["169.254.64.7"]);
  });

  it("takes nothing but the pod's own configuration with policy None", () => {
    const dnsConfig = { nameservers: ["192.0.2.1"], searches: ["a.example"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] };
    expect(podDnsOf({ dnsPolicy: "None", dnsConfig }, context)).toEqual({
      servers: ["192.0.2.1"],
      searches: ["a.example"],
      options: ["ndots:2", "edns0"],
    });
  });

  it("adds the pod's own configuration to the policy's, its options first in rank", () => {
    const dnsConfig = { nameservers: ["192.0.2.1"], searches: ["cluster.local", "a.example"], options: [{ name: "ndots", value: "2" }] };
    expect(podDnsOf({ dnsConfig }, context)).toEqual({
      servers: ["169.254.64.7", "192.0.2.1"],
      searches: [...clusterSearches, "example.org", "a.example"],
      options: ["ndots:2"],
    });
    expect(podDnsOf({ dnsPolicy: "Default", dnsConfig }, context)).toEqual({
      servers: ["192.0.2.53", "192.0.2.1"],
      searches: ["example.org", "cluster.local", "a.example"],
      options: ["timeout:1", "ndots:2"],
    });
  });

  it("stays within three servers and 32 search paths", () => {
    const dnsConfig = {
      nameservers: ["1.1.1.1", "2.2.2.2", "3.3.3.3"],
      searches: Array.from({ length: 40 }, (_, index) => `d${index}.example`),
    };
    expect(podDnsOf({ dnsConfig }, context)?.servers).toHaveLength(3);
    expect(podDnsOf({ dnsConfig }, context)?.searches).toHaveLength(32);
  });
});

describe("resolv.conf", () => {
  it("is read back as it was written", () => {
    const config = { servers: ["192.0.2.53", "fd00::1"], searches: ["a.example", "b.example"], options: ["ndots:5", "edns0"] };
    expect(parseResolvConf(renderResolvConf(config))).toEqual(config);
  });

  it("may hold comments, a domain in place of search paths, and lines that mean nothing", () => {
    expect(parseResolvConf("# made by hand\n; so\ndomain example.org\nnameserver 192.0.2.1 # first\nsortlist x\n")).toEqual({
      servers: ["192.0.2.1"],
      searches: ["example.org"],
      options: [],
    });
  });
});
