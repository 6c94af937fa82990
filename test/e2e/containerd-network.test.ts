import { createSocket } from "node:dgram";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createContainerdRuntime } from "../../agent/containerd/containerd-runtime.ts";
import type { LocalPod, NetworkState } from "../../agent/network/network-state.ts";
import { createNodeNetwork, type NodeNetwork } from "../../agent/network/node-network.ts";
import { runCommand } from "../../agent/network/run-command.ts";
import type { ContainerRuntime } from "../../agent/runtime.ts";
import { systemClock } from "../../shared/clock.ts";
import type { EndpointSlice, Service, ServiceSpec } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { bridgesOf, type ContainerdFixture, interfaceNames, realContainerd, startContainerd, testImage } from "./containerd-fixture.ts";
import { eventually, sandboxSpec, shell, shellContainer } from "./containerd-pods.ts";
import { describeWith } from "./needs.ts";

const nodeName = `e2e-net-${process.pid}`;
/** A range per process, outside the one that nodes derive theirs from. */
const podCidr = `10.64.${process.pid % 256}.0/24`;
const nodePort = 30_000 + (process.pid % 2_000);

const service = (name: string, spec: ServiceSpec, namespace = "shop"): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec,
});
const http = [{ name: "http", port: 80, protocol: "TCP" as const }];
const slice = (name: string, ips: readonly string[]): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
});

describeWith([realContainerd], "the network of a containerd node", () => {
  let fixture: ContainerdFixture;
  let network: NodeNetwork;
  let runtime: ContainerRuntime;
  let api: Server;
  let imageId = "";
  const pods = new Map<string, LocalPod & { cluster: string; container: string; sandbox: string }>();

  const webSpec = { clusterIP: "10.97.0.10", ports: http };
  const stateWith = (endpoints: readonly string[]): NetworkState => ({
    clusters: ["one", "two"].map((id) => ({
      id,
      pods: [...pods.values()].filter(({ cluster }) => cluster === id),
      services: [
        service("web", webSpec),
        service("kubernetes", { clusterIP: "10.97.0.1", ports: [{ name: "https", port: 443 }] }, "default"),
        ...(id === "two"
          ? []
          : [
              service("sticky", { clusterIP: "10.97.0.11", ports: http, sessionAffinity: "ClientIP" }),
              service("empty", { clusterIP: "10.97.0.12", ports: http }),
              service("open", { clusterIP: "10.97.0.13", type: "NodePort", ports: [{ name: "http", port: 80, nodePort }] }),
              service("all", { clusterIP: "None", ports: http }),
            ]),
      ],
      endpointSlices:
        id === "two" ? [slice("web", ipsOf("two-server"))] : ["web", "sticky", "open", "all"].map((name) => slice(name, endpoints)),
    })),
  });
  const ipsOf = (...keys: string[]): string[] => keys.flatMap((key) => pods.get(key)?.ip ?? []);

  /** As an agent does it: sandbox, then rules and names, then the container. */
  const startPod = async (cluster: string, name: string, script: string, endpoints: readonly string[] = []): Promise<string> => {
    const dns = await network.dnsFor({ cluster, namespace: "shop", spec: {} });
    const sandbox = await runtime.runSandbox(sandboxSpec(fixture, cluster, name, { dns }));
    const ip = sandbox.ips[0] ?? "";
    pods.set(`${cluster}-${name}`, {
      uid: `${cluster}-${name}`,
      ip,
      namespace: "shop",
      name,
      cluster,
      container: "",
      sandbox: sandbox.id,
    });
    await network.update(stateWith(endpoints));
    const container = await runtime.startContainer(sandbox.id, shellContainer(imageId, script));
    pods.set(`${cluster}-${name}`, { uid: `${cluster}-${name}`, ip, namespace: "shop", name, cluster, container, sandbox: sandbox.id });
    return container;
  };
  const stopPod = async (key: string): Promise<void> => {
    const pod = pods.get(key);
    pods.delete(key);
    if (pod !== undefined) await runtime.removeSandbox(pod.sandbox);
  };
  const serverScript = (answer: string): string => `mkdir /www; echo ${answer} > /www/index.html; exec httpd -f -p 8080 -h /www`;
  const fetchFrom = (key: string, host: string, port = 80, path = "/"): Promise<string> =>
    shell(runtime, pods.get(key)?.container ?? "", `fetch ${host} ${port} ${path}`);

  const machineAddress = async (): Promise<string> => {
    const { stdout } = await runCommand("ip", ["-4", "-o", "address", "show", "scope", "global"]);
    return /inet (\d+\.\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "";
  };

  beforeAll(async () => {
    api = createServer((request, response) => response.end(`api ${request.url}`));
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    const bound = api.address();
    fixture = await startContainerd();
    network = createNodeNetwork({
      nodeName,
      mode: "bridge",
      podCidr,
      serverUrl: `https://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`,
      clock: systemClock,
      log: silentLog,
      random: Math.random,
      cniConfDir: fixture.cniConfDir,
      cniDataDir: fixture.cniDataDir,
    });
    await network.start();
    runtime = createContainerdRuntime({
      endpoint: fixture.endpoint,
      instance: nodeName,
      hostAddresses: [],
      clock: systemClock,
      log: silentLog,
    });
    ({ imageId } = await runtime.ensureImage(testImage, "IfNotPresent"));
    await startPod("one", "a", serverScript("a"));
    await startPod("one", "b", serverScript("b"));
    await startPod("two", "server", serverScript("two"));
    await startPod("one", "client", "sleep 1000");
    await startPod("two", "client", "sleep 1000");
    await network.update(stateWith(ipsOf("one-a", "one-b")));
  });

  afterAll(async () => {
    for (const key of [...pods.keys()]) await stopPod(key);
    await runtime?.close();
    const bridges = await bridgesOf(fixture);
    expect(bridges).toHaveLength(1);
    await network?.stop({ remove: true });
    await fixture?.stop();
    await new Promise((resolve) => api?.close(resolve));
    expect((await runCommand("nft", ["list", "table", "ip", `coracle-${nodeName}`])).exitCode).not.toBe(0);
    expect((await interfaceNames()).filter((name) => bridges.includes(name))).toEqual([]);
  });

  it("gives pods addresses of the node's range", () => {
    expect(network.podCidr()).toBe(podCidr);
    for (const { ip } of pods.values()) expect(ip.startsWith(podCidr.replace(/0\/24$/, ""))).toBe(true);
  });

  it("leads a service's name to its endpoints, each of them", async () => {
    const answers = new Set<string>();
    for (let attempt = 0; attempt < 20; attempt++) answers.add(await fetchFrom("one-client", "web.shop.svc.cluster.local"));
    expect([...answers].sort()).toEqual(["a", "b"]);
  });

  it("knows services by their short names through the search path", async () => {
    expect(["a", "b"]).toContain(await fetchFrom("one-client", "web"));
    expect(["a", "b"]).toContain(await fetchFrom("one-client", "web.shop"));
  });

  it("keeps clusters apart that use the same service address", async () => {
    expect(await fetchFrom("two-client", "10.97.0.10")).toBe("two");
    expect(await fetchFrom("two-client", "web")).toBe("two");
    expect(["a", "b"]).toContain(await fetchFrom("one-client", "10.97.0.10"));
  });

  it("leads a headless service's name to the pods themselves", async () => {
    expect(["a", "b"]).toContain(await fetchFrom("one-client", "all", 8080));
  });

  it("lets a pod reach itself through its service", async () => {
    await network.update(stateWith(ipsOf("one-a")));
    expect(await fetchFrom("one-a", "web")).toBe("a");
    await network.update(stateWith(ipsOf("one-a", "one-b")));
  });

  it("keeps a client with its endpoint when the service asks for session affinity", async () => {
    const answers = new Set<string>();
    for (let attempt = 0; attempt < 12; attempt++) answers.add(await fetchFrom("one-client", "sticky"));
    expect(answers.size).toBe(1);
    const [served = ""] = answers;
    await network.update(stateWith(ipsOf(served === "a" ? "one-b" : "one-a")));
    expect(await fetchFrom("one-client", "sticky")).toBe(served === "a" ? "b" : "a");
    await network.update(stateWith(ipsOf("one-a", "one-b")));
  });

  it("refuses connections to a service without endpoints, and to a port that the service does not have, at once", async () => {
    for (const [host, port] of [
      ["empty", 80],
      ["web", 81],
    ] as const) {
      const started = Date.now();
      expect(await fetchFrom("one-client", host, port)).toBe("failed");
      expect(Date.now() - started).toBeLessThan(3_000);
    }
  });

  it("answers on a node port, for the machine and for pods", async () => {
    const node = await runCommand("ip", ["-4", "-o", "address", "show", "scope", "global"]);
    const address = /inet (\d+\.\d+\.\d+\.\d+)/.exec(node.stdout)?.[1] ?? "";
    const response = await fetch(`http://${address}:${nodePort}/`, { signal: AbortSignal.timeout(5_000) });
    expect(["a", "b"]).toContain((await response.text()).trim());
    expect(["a", "b"]).toContain(await fetchFrom("one-client", address, nodePort));
  });

  it("lets the machine itself use a service address that one cluster alone has", async () => {
    const response = await fetch("http://10.97.0.13/", { signal: AbortSignal.timeout(5_000) });
    expect(["a", "b"]).toContain((await response.text()).trim());
  });

  it("leads the service kubernetes of every cluster to the server", async () => {
    expect(await fetchFrom("one-client", "kubernetes.default.svc", 443, "/version")).toBe("api /version");
    expect(await fetchFrom("two-client", "10.97.0.1", 443, "/version")).toBe("api /version");
  });

  it("leads UDP clients of an endpoint that is gone to another, although they never pause", async ({ skip }) => {
    if ((await runCommand("conntrack", ["--version"]).catch(() => undefined)) === undefined) skip("no conntrack");
    const address = await machineAddress();
    const servers = await Promise.all(
      ["first", "second"].map(async (answer) => {
        const server = createSocket("udp4");
        server.on("message", (_message, remote) => server.send(answer, remote.port, remote.address));
        await new Promise<void>((resolve) => server.bind(0, address, resolve));
        return server;
      }),
    );
    const [first = 0, second = 0] = servers.map((server) => server.address().port);
    const udpState = (port: number): NetworkState => {
      const [one, two] = stateWith(ipsOf("one-a", "one-b")).clusters;
      if (one === undefined || two === undefined) throw new Error("no clusters");
      const extra = { ...slice("udp", [address]), ports: [{ name: "echo", port, protocol: "UDP" as const }] };
      const services = [
        ...one.services,
        service("udp", { clusterIP: "10.97.0.14", ports: [{ name: "echo", port: 5300, protocol: "UDP" }] }),
      ];
      return { clusters: [{ ...one, services, endpointSlices: [...one.endpointSlices, extra] }, two] };
    };
    await network.update(udpState(first));
    const socket = createSocket("udp4");
    const answers: string[] = [];
    socket.on("message", (message) => answers.push(message.toString().trim()));
    const sending = setInterval(() => socket.send("?", 5300, "10.97.0.14", () => {}), 50);
    expect(await eventually(async () => answers.includes("first"), 5_000)).toBe(true);
    await network.update(udpState(second));
    expect(await eventually(async () => answers.includes("second"), 5_000)).toBe(true);
    clearInterval(sending);
    socket.close();
    for (const server of servers) server.close();
    await network.update(stateWith(ipsOf("one-a", "one-b")));
  });

  it("does not fail a request while every endpoint is replaced, one after the other", async () => {
    const script = `for i in $(seq 100000); do fetch web.shop.svc.cluster.local 80; sleep 0.02; done`;
    await startPod("one", "caller", script, ipsOf("one-a", "one-b"));
    let serving = ["one-a", "one-b"];
    for (let generation = 0; generation < 5; generation++) {
      const name = `g${generation}`;
      await startPod("one", name, serverScript(name), ipsOf(...serving));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const [oldest = "", ...rest] = serving;
      serving = [...rest, `one-${name}`];
      await network.update(stateWith(ipsOf(...serving)));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await stopPod(oldest);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    await stopPod("one-caller");
    const lines = (await readFile(`${fixture.directory}/logs/one-caller/main/0.log`, "utf8")).trim().split("\n");
    const answers = lines.map((line) => line.split(" ").slice(3).join(" "));
    expect(answers.filter((answer) => !/^(a|b|g\d)$/.test(answer))).toEqual([]);
    expect(answers.length).toBeGreaterThan(30);
    expect(new Set(answers).size).toBeGreaterThan(4);
  });

  it("goes on without the agent, and an agent that comes back takes over", async () => {
    const serving = ipsOf("one-g3", "one-g4");
    await network.stop();
    expect(["g3", "g4"]).toContain(await fetchFrom("one-client", "10.97.0.10"));
    await network.start();
    await network.update(stateWith(serving));
    expect(["g3", "g4"]).toContain(await fetchFrom("one-client", "web"));
  });
});
