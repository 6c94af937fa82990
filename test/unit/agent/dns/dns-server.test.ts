import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type Answer, type DecodedPacket, decode, encode, type RecordType } from "dns-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDnsServer, type DnsServer } from "../../../../agent/dns/dns-server.ts";
import { createUpstream, framed, splitMessages } from "../../../../agent/dns/upstream.ts";
import { createZone, type Zone } from "../../../../agent/dns/zone.ts";
import { systemClock } from "../../../../shared/clock.ts";
import type { Endpoint, Service, ServiceSpec } from "../../../../shared/kubernetes/types.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";

const service = (name: string, spec: ServiceSpec): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec,
});

const zone = createZone({
  domain: "cluster.local",
  serviceAddresses: "clusterIp",
  services: [
    service("web", { clusterIP: "10.96.0.5", ports: [{ name: "http", port: 80 }] }),
    service("many", { clusterIP: "None" }),
    service("out", { type: "ExternalName", externalName: "upstream.example" }),
    service("loop", { type: "ExternalName", externalName: "loop.shop.svc.cluster.local" }),
    service("near", { type: "ExternalName", externalName: "web.shop.svc.cluster.local" }),
  ],
  endpointSlices: [
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name: "many-x", namespace: "shop", labels: { "kubernetes.io/service-name": "many" } },
      endpoints: Array.from({ length: 100 }, (_, index): Endpoint => ({ addresses: [`10.128.1.${index}`] })),
    },
  ],
});

const codeOf = (packet: DecodedPacket): number => (packet.flags ?? 0) & 0xf;

describe("cluster DNS", () => {
  let upstream: DnsServer;
  let server: DnsServer;
  let port = 0;
  let zoneOf: Zone | undefined;

  beforeEach(async () => {
    zoneOf = zone;
    const nobody = { ask: async () => undefined };
    upstream = createDnsServer({ upstream: nobody, random: () => 0, log: silentLog });
    const outside = createZone({ ...emptyInput, services: [service("x", { clusterIP: "192.0.2.80" })], domain: "example" });
    const known: Zone = {
      domain: "example",
      find: (name) =>
        name === "upstream.example" ? { kind: "records", records: [{ type: "A", data: "192.0.2.80" }] } : outside.find(name),
    };
    const { port: upstreamPort } = await upstream.listen("127.0.0.1", 0, () => known);
    server = createDnsServer({
      upstream: createUpstream({ servers: async () => ["127.0.0.1"], clock: systemClock, port: upstreamPort, timeoutMs: 500 }),
      random: () => 0,
      log: silentLog,
    });
    ({ port } = await server.listen("127.0.0.1", 0, () => zoneOf));
  });
  afterEach(async () => {
    await server.close();
    await upstream.close();
  });

  const emptyInput = { services: [], endpointSlices: [], serviceAddresses: "clusterIp" } as const;
  const questionOf = (name: string, type: RecordType, additionals: Answer[] = []): Buffer =>
    encode({ type: "query", id: 7, flags: 0x0100, questions: [{ name, type }], additionals });
  const ask = async (name: string, type: RecordType = "A"): Promise<DecodedPacket> => decode(await overUdp(questionOf(name, type)));

  function overUdp(message: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      const socket = createSocket("udp4");
      socket.once("message", (answer) => {
        socket.close();
        resolve(answer);
      });
      socket.send(message, port, "127.0.0.1");
    });
  }

  function overTcp(...messages: Buffer[]): Promise<Buffer[]> {
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      let received = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const found = splitMessages(received).messages;
        if (found.length < messages.length) return;
        socket.destroy();
        resolve(found);
      });
      socket.write(Buffer.concat(messages.map(framed)));
    });
  }

  it("answers with authority, the question's own spelling, and five seconds to live", async () => {
    const answer = await ask("Web.shop.svc.Cluster.local");
    expect(answer).toMatchObject({
      id: 7,
      flag_aa: true,
      flag_ra: true,
      flag_rd: true,
      answers: [{ type: "A", name: "Web.shop.svc.Cluster.local", ttl: 5, data: "10.96.0.5" }],
    });
  });

  it("gives the addresses of a service record's target along with it", async () => {
    const answer = await ask("_http._tcp.web.shop.svc.cluster.local", "SRV");
    expect(answer.answers).toMatchObject([{ type: "SRV", data: { port: 80, target: "web.shop.svc.cluster.local" } }]);
    expect(answer.additionals).toMatchObject([{ type: "A", name: "web.shop.svc.cluster.local", data: "10.96.0.5" }]);
  });

  it("tells a name without such a record from a name that does not exist", async () => {
    const noData = await ask("web.shop.svc.cluster.local", "AAAA");
    expect([codeOf(noData), noData.answers]).toEqual([0, []]);
    expect(noData.authorities).toMatchObject([{ type: "SOA", name: "cluster.local", ttl: 5 }]);
    const missing = await ask("nobody.shop.svc.cluster.local");
    expect(codeOf(missing)).toBe(3);
    expect(missing.authorities).toMatchObject([{ type: "SOA", name: "cluster.local" }]);
  });

  it("asks the machine's resolvers for other names, also at the end of an alias", async () => {
    expect((await ask("upstream.example")).answers).toMatchObject([{ type: "A", data: "192.0.2.80" }]);
    expect((await ask("out.shop.svc.cluster.local")).answers).toMatchObject([
      { type: "CNAME", data: "upstream.example" },
      { type: "A", name: "upstream.example", data: "192.0.2.80" },
    ]);
    expect((await ask("near.shop.svc.cluster.local")).answers).toMatchObject([{ type: "CNAME" }, { type: "A", data: "10.96.0.5" }]);
  });

  it("fails for other names when no resolver answers", async () => {
    await upstream.close();
    expect(codeOf(await ask("upstream.example"))).toBe(2);
  });

  it("gives up on an alias that leads to itself", async () => {
    expect(codeOf(await ask("loop.shop.svc.cluster.local"))).toBe(2);
  });

  it("cuts what does not fit into a UDP message, and sends the whole over TCP", async () => {
    const name = "many.shop.svc.cluster.local";
    const cut = await overUdp(questionOf(name, "A"));
    expect(cut.length).toBeLessThanOrEqual(512);
    expect(decode(cut).flag_tc).toBe(true);
    expect(decode(cut).answers?.length).toBeGreaterThan(10);
    const [whole] = await overTcp(questionOf(name, "A"));
    expect(whole === undefined ? [] : decode(whole).answers).toHaveLength(100);
  });

  it("uses the size that the client announces", async () => {
    const opt: Answer = {
      type: "OPT",
      name: ".",
      udpPayloadSize: 4096,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    };
    const answer = decode(await overUdp(questionOf("many.shop.svc.cluster.local", "A", [opt])));
    expect(answer.flag_tc).toBe(false);
    expect(answer.answers).toHaveLength(100);
    expect(answer.additionals).toMatchObject([{ type: "OPT" }]);
  });

  it("answers several questions of one TCP connection", async () => {
    const answers = await overTcp(questionOf("web.shop.svc.cluster.local", "A"), questionOf("web.shop.svc.cluster.local", "AAAA"));
    expect(answers).toHaveLength(2);
  });

  it("answers nothing of a cluster to an address that belongs to none", async () => {
    zoneOf = undefined;
    expect(codeOf(await ask("web.shop.svc.cluster.local"))).toBe(2);
  });

  it("survives what is no question", async () => {
    const broken = Buffer.concat([questionOf("web.shop.svc.cluster.local", "A").subarray(0, 14), Buffer.from([0xff, 0xff])]);
    expect((await overUdp(broken)).readUInt16BE(2) & 0xf).toBe(1);
    const update = questionOf("web.shop.svc.cluster.local", "A");
    update.writeUInt16BE(0x2800, 2);
    expect((await overUdp(update)).readUInt16BE(2) & 0xf).toBe(4);
    expect(codeOf(await ask("web.shop.svc.cluster.local"))).toBe(0);
  });
});
