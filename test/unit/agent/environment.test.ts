import { describe, expect, test } from "vitest";
import { containerEnvironment, expand } from "../../../agent/environment.ts";
import { clusterAddressOf, endpointAddressOf, serviceEnvironment } from "../../../agent/service-environment.ts";
import type { ConfigMap, Container, EndpointSlice, Secret, Service } from "../../../shared/kubernetes/types.ts";
import { container, podOf } from "./pod/pod-fixture.ts";

const configMap: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { A: "1", "b.c": "2", "bad=key": "3" } };
const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: { P: Buffer.from("pass").toString("base64") } };

function environment(change: Partial<Container>, services = new Map<string, string>()): Record<string, string> {
  const main = container("main", change);
  const variables = containerEnvironment({
    pod: podOf({ nodeName: "n", serviceAccountName: "sa", containers: [main] }, { labels: { app: "web" } }),
    container: main,
    place: { podIps: ["10.0.0.9", "fd00::9"], hostIps: ["192.0.2.1"], allocatable: { cpu: "4", memory: "8Gi" } },
    configMap: (name) => (name === "c" ? configMap : undefined),
    secret: (name) => (name === "s" ? secret : undefined),
    services,
  });
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

test.each([
  ["$(A)", "1"],
  ["x$(A)y$(NOPE)", "x1y$(NOPE)"],
  ["$$(A)", "$(A)"],
  ["$$$(A)", "$1"],
  ["$(A", "$(A"],
  ["$x $", "$x $"],
])("expands %j to %j", (text, expected) => {
  expect(expand(text, (name) => (name === "A" ? "1" : undefined))).toBe(expected);
});

test("envFrom brings every usable key, with its prefix, and env stands above it", () => {
  const variables = environment({
    envFrom: [{ prefix: "X_", configMapRef: { name: "c" } }, { secretRef: { name: "s" } }],
    env: [
      { name: "P", value: "own" },
      { name: "Q", value: "$(X_A)-$(P)" },
    ],
  });
  expect(variables).toEqual({ X_A: "1", "X_b.c": "2", P: "own", Q: "1-own" });
});

test("fields of the pod and amounts of the container can be had", () => {
  const fieldRef = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const resource = (name: string, selector: { resource: string; divisor?: string }) => ({
    name,
    valueFrom: { resourceFieldRef: selector },
  });
  const variables = environment({
    resources: { requests: { cpu: "250m" }, limits: { memory: "1Gi" } },
    env: [
      fieldRef("NAME", "metadata.name"),
      fieldRef("APP", "metadata.labels['app']"),
      fieldRef("NODE", "spec.nodeName"),
      fieldRef("ACCOUNT", "spec.serviceAccountName"),
      fieldRef("IPS", "status.podIPs"),
      fieldRef("HOST", "status.hostIP"),
      resource("CPU", { resource: "requests.cpu", divisor: "1m" }),
      resource("CPUS", { resource: "limits.cpu" }),
      resource("MEMORY", { resource: "limits.memory", divisor: "1Mi" }),
    ],
  });
  expect(variables).toEqual({
    NAME: "p",
    APP: "web",
    NODE: "n",
    ACCOUNT: "sa",
    IPS: "10.0.0.9,fd00::9",
    HOST: "192.0.2.1",
    CPU: "250",
    CPUS: "4",
    MEMORY: "1024",
  });
});

describe("what is missing", () => {
  const key = (name: string, k: string, optional?: boolean) => [
    { name: "V", valueFrom: { configMapKeyRef: { name, key: k, ...(optional === undefined ? {} : { optional }) } } },
  ];
  test.each([
    [{ env: key("no", "k") }, 'configmap "no" not found'],
    [{ env: key("c", "k") }, "couldn't find key k in ConfigMap ns/c"],
    [{ envFrom: [{ secretRef: { name: "no" } }] }, 'secret "no" not found'],
  ])("stops the container, in kubelet's words", (change, message) => {
    expect(() => environment(change)).toThrow(message);
  });
  test("is left out when it is optional", () => {
    expect(environment({ env: key("no", "k", true), envFrom: [{ configMapRef: { name: "no", optional: true } }] })).toEqual({});
  });
});

describe("service variables", () => {
  const service = (name: string, clusterIP: string, namespace = "ns"): Service => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: {
      clusterIP,
      ports: [
        { name: "web-ui", port: 80 },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
    },
  });
  const services = [
    service("my-db", "10.96.0.5"),
    service("headless", "None"),
    service("far", "10.96.0.6", "other"),
    service("kubernetes", "10.96.0.1", "default"),
  ];
  const base = { namespace: "ns", services, addressOf: clusterAddressOf, links: true, apiServer: undefined };

  test("stand for the services of the namespace and the API server, as docker links had them", () => {
    const variables = Object.fromEntries(serviceEnvironment(base));
    expect(variables).toMatchObject({
      KUBERNETES_SERVICE_HOST: "10.96.0.1",
      MY_DB_SERVICE_HOST: "10.96.0.5",
      MY_DB_SERVICE_PORT: "80",
      MY_DB_SERVICE_PORT_WEB_UI: "80",
      MY_DB_PORT: "tcp://10.96.0.5:80",
      MY_DB_PORT_53_UDP: "udp://10.96.0.5:53",
      MY_DB_PORT_53_UDP_ADDR: "10.96.0.5",
    });
    expect(Object.keys(variables).some((name) => name.startsWith("FAR") || name.startsWith("HEADLESS"))).toBe(false);
  });

  test("without links only the API server's are there", () => {
    const names = [...serviceEnvironment({ ...base, links: false }).keys()];
    expect(names.every((name) => name.startsWith("KUBERNETES_"))).toBe(true);
    expect(names).toContain("KUBERNETES_SERVICE_PORT");
  });

  test("on a node that does not route they lead to a ready endpoint", () => {
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "x", namespace: "ns", labels: { "kubernetes.io/service-name": "my-db" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["192.0.2.7"], conditions: { ready: false } }, { addresses: ["192.0.2.8"] }],
      ports: [{ name: "web-ui", port: 8080 }],
    };
    const apiServer = { host: "server", port: 7443 };
    const variables = serviceEnvironment({ ...base, addressOf: endpointAddressOf([slice]), apiServer });
    expect(variables.get("MY_DB_SERVICE_HOST")).toBe("192.0.2.8");
    expect(variables.get("MY_DB_SERVICE_PORT")).toBe("8080");
    expect(variables.get("KUBERNETES_SERVICE_HOST")).toBe("server");
    expect(variables.get("KUBERNETES_SERVICE_PORT")).toBe("7443");
  });

  test("a service without endpoints has no variables there, and does no harm", () => {
    const slice: EndpointSlice = JSON.parse(
      '{"metadata":{"namespace":"ns","labels":{"kubernetes.io/service-name":"my-db"}},"endpoints":null,"ports":[{"name":"web-ui","port":8080}]}',
    );
    expect(serviceEnvironment({ ...base, addressOf: endpointAddressOf([slice]) }).has("MY_DB_SERVICE_HOST")).toBe(false);
  });

  test("variables of the container stand above them", () => {
    expect(environment({ env: [{ name: "MY_DB_SERVICE_HOST", value: "own" }] }, serviceEnvironment(base)).MY_DB_SERVICE_HOST).toBe("own");
  });
});
