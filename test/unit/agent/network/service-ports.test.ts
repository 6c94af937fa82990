import { describe, expect, it } from "vitest";
import { type ServicePortRoute, servicePortRoutes } from "../../../../agent/network/service-ports.ts";
import type { Endpoint, EndpointSlice, ServiceSpec } from "../../../../shared/kubernetes/types.ts";
import { clusterOf, endpointOf, podOf, serviceOf, sliceOf } from "./cluster-fixture.ts";

const place = { nodeName: "here", zone: undefined };
const ready = { ready: true };
const draining = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };

function routeOf(spec: ServiceSpec, slices: readonly EndpointSlice[], zone?: string): ServicePortRoute {
  const [route] = servicePortRoutes(clusterOf("c", [serviceOf("web", spec)], slices), { ...place, zone });
  if (route === undefined) throw new Error("no route");
  return route;
}
const targets = (...ips: string[]) => ({ kind: "endpoints", targets: ips.map((ip) => ({ ip, port: 8080 })) });
const web = (...endpoints: Endpoint[]) => [sliceOf("web", endpoints)];

describe("the endpoints of a service port", () => {
  it("are the ready ones of all its slices, once each", () => {
    const slices = [
      sliceOf("web", [endpointOf("10.128.0.2", ready), endpointOf("10.128.0.1", {})]),
      sliceOf("web", [endpointOf("10.128.0.1", ready), endpointOf("10.128.0.3", { ready: false })]),
      sliceOf("other", [endpointOf("10.128.0.9", ready)]),
    ];
    expect(routeOf({}, slices).internal).toEqual(targets("10.128.0.1", "10.128.0.2"));
  });

  it("are those that terminate but still serve when none is ready", () => {
    expect(routeOf({}, web(endpointOf("10.128.0.1", draining), endpointOf("10.128.0.2", gone))).internal).toEqual(targets("10.128.0.1"));
    expect(routeOf({}, web(endpointOf("10.128.0.1", draining), endpointOf("10.128.0.2", ready))).internal).toEqual(targets("10.128.0.2"));
  });

  it("are matched by the port's name and protocol", () => {
    const ports = [
      { name: "dns", port: 53, protocol: "UDP" as const },
      { name: "dns", port: 54, protocol: "TCP" as const },
    ];
    const routes = servicePortRoutes(
      clusterOf(
        "c",
        [serviceOf("web", { ports: [{ name: "dns", port: 53, protocol: "UDP" }] })],
        [sliceOf("web", [endpointOf("10.128.0.1")], { ports })],
      ),
      place,
    );
    expect(routes[0]?.internal).toEqual({ kind: "endpoints", targets: [{ ip: "10.128.0.1", port: 53 }] });
  });

  it("are of IPv4 alone", () => {
    const slices = [sliceOf("web", [endpointOf("fd00::1")], { addressType: "IPv6" })];
    expect(routeOf({}, slices).internal).toEqual({ kind: "refuse" });
  });

  it("are refused when there are none", () => {
    expect(routeOf({}, []).internal).toEqual({ kind: "refuse" });
    // The API writes a list without elements as null where Kubernetes' Go types do not leave it out.
    const empty: EndpointSlice = JSON.parse(JSON.stringify({ ...sliceOf("web", []), endpoints: null }));
    expect(routeOf({}, [empty]).internal).toEqual({ kind: "refuse" });
    expect(routeOf({}, web(endpointOf("10.128.0.1", gone))).internal).toEqual({ kind: "refuse" });
  });
});

describe("traffic policies", () => {
  const spread = web(endpointOf("10.128.0.1", ready, "here"), endpointOf("10.128.9.1", ready));

  it("internal Local takes this node's endpoints", () => {
    expect(routeOf({ internalTrafficPolicy: "Local" }, spread).internal).toEqual(targets("10.128.0.1"));
  });

  it("a pod of this node counts as local even when its slice does not say where it is", () => {
    const cluster = clusterOf("c", [serviceOf("web", { internalTrafficPolicy: "Local" })], spread, [podOf("10.128.9.1")]);
    expect(servicePortRoutes(cluster, place)[0]?.internal).toEqual(targets("10.128.0.1", "10.128.9.1"));
  });

  it("Local without an endpoint here drops, while there is one elsewhere", () => {
    const elsewhere = web(endpointOf("10.128.9.1", ready));
    expect(routeOf({ internalTrafficPolicy: "Local" }, elsewhere).internal).toEqual({ kind: "drop" });
    expect(routeOf({ internalTrafficPolicy: "Local" }, []).internal).toEqual({ kind: "refuse" });
  });

  it("external Local keeps outsiders to this node, and lets its own pods go everywhere", () => {
    const route = routeOf({ type: "NodePort", externalTrafficPolicy: "Local" }, spread);
    expect(route).toMatchObject({
      external: targets("10.128.0.1"),
      externalFromNode: targets("10.128.0.1", "10.128.9.1"),
      externalLocal: true,
    });
    expect(routeOf({ type: "NodePort" }, spread).external).toEqual(targets("10.128.0.1", "10.128.9.1"));
  });

  it("a terminating endpoint here serves outsiders when no ready one is here", () => {
    const slices = web(endpointOf("10.128.0.1", draining, "here"), endpointOf("10.128.9.1", ready));
    expect(routeOf({ type: "NodePort", externalTrafficPolicy: "Local" }, slices).external).toEqual(targets("10.128.0.1"));
  });
});

describe("topology hints", () => {
  const hinted = (ip: string, zone?: string): Endpoint => ({
    ...endpointOf(ip),
    ...(zone === undefined ? {} : { hints: { forZones: [{ name: zone }] } }),
  });

  it("keep traffic in the node's zone when every endpoint has one", () => {
    expect(routeOf({}, web(hinted("10.128.0.1", "a"), hinted("10.128.0.2", "b")), "a").internal).toEqual(targets("10.128.0.1"));
  });

  it("are ignored when one lacks them, none names this zone, or the node has none", () => {
    const both = targets("10.128.0.1", "10.128.0.2");
    expect(routeOf({}, web(hinted("10.128.0.1", "a"), hinted("10.128.0.2")), "a").internal).toEqual(both);
    expect(routeOf({}, web(hinted("10.128.0.1", "a"), hinted("10.128.0.2", "b")), "c").internal).toEqual(both);
    expect(routeOf({}, web(hinted("10.128.0.1", "a"), hinted("10.128.0.2", "b"))).internal).toEqual(both);
  });
});

describe("services", () => {
  it("without a cluster IP, of another name, or of another proxy have no routes", () => {
    const services = [
      serviceOf("headless", { clusterIP: "None" }),
      serviceOf("alias", { type: "ExternalName", clusterIP: "" }),
      serviceOf("foreign", {}, { labels: { "service.kubernetes.io/service-proxy-name": "other" } }),
    ];
    expect(servicePortRoutes(clusterOf("c", services, []), place)).toEqual([]);
  });

  it("carry their addresses, source ranges and affinity", () => {
    const service = serviceOf(
      "web",
      {
        type: "LoadBalancer",
        externalIPs: ["192.0.2.1", "fd00::1"],
        loadBalancerSourceRanges: [" 198.51.100.0/24 "],
        sessionAffinity: "ClientIP",
        ports: [{ port: 80, nodePort: 30080 }],
      },
      { status: { loadBalancer: { ingress: [{ ip: "192.0.2.9" }, { ip: "192.0.2.10", ipMode: "Proxy" }, { hostname: "lb.example" }] } } },
    );
    expect(servicePortRoutes(clusterOf("c", [service], []), place)).toMatchObject([
      {
        clusterIps: ["10.96.0.5"],
        externalIps: ["192.0.2.1"],
        loadBalancerIps: ["192.0.2.9"],
        loadBalancerSourceRanges: ["198.51.100.0/24"],
        nodePort: 30080,
        affinitySeconds: 10_800,
      },
    ]);
  });
});
