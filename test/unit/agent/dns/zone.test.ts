import { describe, expect, it } from "vitest";
import { createZone, reverseNameOf, type ZoneInput } from "../../../../agent/dns/zone.ts";
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from "../../../../shared/kubernetes/types.ts";

const service = (name: string, spec: ServiceSpec): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec,
});

const slice = (name: string, endpoints: Endpoint[]): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  metadata: { name: `${name}-x`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints,
});

const http = [{ name: "http", port: 80, protocol: "TCP" as const }];
const zoneOf = (input: Partial<ZoneInput>) =>
  createZone({ services: [], endpointSlices: [], domain: "cluster.local", serviceAddresses: "clusterIp", ...input });

describe("a service with a cluster IP", () => {
  const zone = zoneOf({ services: [service("web", { clusterIP: "10.96.0.5", ports: http })] });

  it("has an address, a port by name, and a name by address", () => {
    expect(zone.find("web.shop.svc.cluster.local")).toEqual({ kind: "records", records: [{ type: "A", data: "10.96.0.5" }] });
    expect(zone.find("_http._tcp.web.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: [{ type: "SRV", data: { priority: 0, weight: 100, port: 80, target: "web.shop.svc.cluster.local" } }],
    });
    expect(zone.find("5.0.96.10.in-addr.arpa")).toEqual({
      kind: "records",
      records: [{ type: "PTR", data: "web.shop.svc.cluster.local" }],
    });
  });

  it("makes the names above it exist without records", () => {
    for (const name of ["_tcp.web.shop.svc.cluster.local", "shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]) {
      expect(zone.find(name)).toEqual({ kind: "records", records: [] });
    }
  });

  it("leaves other names of the zone missing, and names of others unknown", () => {
    expect(zone.find("other.shop.svc.cluster.local")).toEqual({ kind: "missing" });
    expect(zone.find("web.shop.svc.cluster.local.cluster.local")).toEqual({ kind: "missing" });
    expect(zone.find("example.org")).toEqual({ kind: "unknown" });
    expect(zone.find("notcluster.local")).toEqual({ kind: "unknown" });
    expect(zone.find("9.0.96.10.in-addr.arpa")).toEqual({ kind: "unknown" });
  });

  it("has addresses of both families when the service has", () => {
    const dual = zoneOf({ services: [service("web", { clusterIPs: ["10.96.0.5", "fd00::5"] })] });
    expect(dual.find("web.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: [
        { type: "A", data: "10.96.0.5" },
        { type: "AAAA", data: "fd00::5" },
      ],
    });
  });

  it("leads to the endpoints where no rules carry the cluster IP", () => {
    const process = zoneOf({
      services: [service("web", { clusterIP: "10.96.0.5", ports: http })],
      endpointSlices: [slice("web", [{ addresses: ["192.0.2.7"] }])],
      serviceAddresses: "endpoints",
    });
    expect(process.find("web.shop.svc.cluster.local")).toEqual({ kind: "records", records: [{ type: "A", data: "192.0.2.7" }] });
  });
});

describe("a headless service", () => {
  const endpoints: Endpoint[] = [
    { addresses: ["10.128.0.3"], hostname: "db-0", conditions: { ready: true } },
    { addresses: ["10.128.0.4"], conditions: {} },
    { addresses: ["10.128.0.5"], hostname: "db-2", conditions: { ready: false } },
  ];
  const headless = (spec: ServiceSpec = {}) =>
    zoneOf({ services: [service("db", { clusterIP: "None", ports: http, ...spec })], endpointSlices: [slice("db", endpoints)] });

  it("leads to its ready endpoints", () => {
    expect(headless().find("db.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: [
        { type: "A", data: "10.128.0.3" },
        { type: "A", data: "10.128.0.4" },
      ],
    });
  });

  it("names each endpoint by its hostname, or by its address", () => {
    expect(headless().find("db-0.db.shop.svc.cluster.local")).toEqual({ kind: "records", records: [{ type: "A", data: "10.128.0.3" }] });
    expect(headless().find("10-128-0-4.db.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: [{ type: "A", data: "10.128.0.4" }],
    });
    expect(headless().find("db-2.db.shop.svc.cluster.local")).toEqual({ kind: "missing" });
  });

  it("gives the endpoints' own port in its service records, and their names by address", () => {
    expect(headless().find("_http._tcp.db.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: ["db-0", "10-128-0-4"].map((hostname) => ({
        type: "SRV",
        data: { priority: 0, weight: 100, port: 8080, target: `${hostname}.db.shop.svc.cluster.local` },
      })),
    });
    expect(headless().find("3.0.128.10.in-addr.arpa")).toEqual({
      kind: "records",
      records: [{ type: "PTR", data: "db-0.db.shop.svc.cluster.local" }],
    });
  });

  it("publishes endpoints that are not ready when the service says so", () => {
    expect(headless({ publishNotReadyAddresses: true }).find("db-2.db.shop.svc.cluster.local")).toEqual({
      kind: "records",
      records: [{ type: "A", data: "10.128.0.5" }],
    });
  });

  it("exists without records when no endpoint is ready", () => {
    const zone = zoneOf({ services: [service("db", { clusterIP: "None" })] });
    expect(zone.find("db.shop.svc.cluster.local")).toEqual({ kind: "records", records: [] });
  });

  it("does not repeat an address that several slices hold", () => {
    const again = zoneOf({
      services: [service("db", { clusterIP: "None" })],
      endpointSlices: [slice("db", endpoints.slice(0, 1)), slice("db", endpoints.slice(0, 1))],
    });
    expect(again.find("db.shop.svc.cluster.local")).toEqual({ kind: "records", records: [{ type: "A", data: "10.128.0.3" }] });
  });
});

describe("other names", () => {
  const zone = zoneOf({ services: [service("out", { type: "ExternalName", externalName: "example.org." })] });

  it("an ExternalName service is an alias", () => {
    expect(zone.find("out.shop.svc.cluster.local")).toEqual({ kind: "alias", target: "example.org" });
  });

  it("a pod's name says its address", () => {
    expect(zone.find("10-1-2-3.shop.pod.cluster.local")).toEqual({ kind: "records", records: [{ type: "A", data: "10.1.2.3" }] });
    expect(zone.find("fd00--1.shop.pod.cluster.local")).toEqual({ kind: "records", records: [{ type: "AAAA", data: "fd00::1" }] });
    expect(zone.find("10-1-2-300.shop.pod.cluster.local")).toEqual({ kind: "missing" });
    expect(zone.find("nonsense.shop.pod.cluster.local")).toEqual({ kind: "missing" });
  });

  it("the zone says which version of the specification it follows", () => {
    expect(zone.find("dns-version.cluster.local")).toEqual({ kind: "records", records: [{ type: "TXT", data: "1.1.0" }] });
  });

  it.each([
    ["10.96.0.5", "5.0.96.10.in-addr.arpa"],
    ["fd00::5", "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"],
  ])("the reverse name of %s is %s", (address, name) => {
    expect(reverseNameOf(address)).toBe(name);
  });
});
