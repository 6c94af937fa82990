import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createContainerdRuntime } from "../../agent/containerd/containerd-runtime.ts";
import { createRulesetApplier } from "../../agent/network/apply.ts";
import { rulesetOf } from "../../agent/network/nftables.ts";
import { type RunCommand, runCommand } from "../../agent/network/run-command.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Node, Pod, Service } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { containerIdOf, podOf, shellContainer } from "./containerd-cluster.ts";
import { type ContainerdFixture, insideNamespace, realContainerd, startContainerd } from "./containerd-fixture.ts";
import { untilTrue } from "./eventually.ts";
import { yamlOf } from "./manifests.ts";
import { describeWith, findProgram, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";
import { type NetworkHost, type NetworkHosts, startNetworkHosts } from "./two-hosts.ts";

const namespaces = {
  name: "network namespaces",
  missing: ["nsenter", "bridge"].every((program) => findProgram(program) !== undefined) ? undefined : "no nsenter or bridge",
};
const entry = fileURLToPath(new URL("../../cli/coracle.mjs", import.meta.url));

/** What the first two machines of a pool get, in either order. */
const ranges = ["10.244.0.0/24", "10.244.1.0/24"];

/** Answers who asks: the address that the server sees. */
const whoContainer = shellContainer(
  `mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho Content-Type: text/plain; echo; echo "$HOSTNAME $REMOTE_ADDR"\\n' > /www/cgi-bin/who; ` +
    "chmod +x /www/cgi-bin/who; head -c 200000 /dev/zero | tr '\\0' x > /www/large; exec httpd -f -p 0.0.0.0:8080 -h /www",
  { ports: [{ name: "http", containerPort: 8080 }], readinessProbe: { tcpSocket: { port: "http" }, periodSeconds: 1 } },
);
const service: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "who" },
  spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
};

/** An agent's rules, as if its own pods had the addresses of `podCidr`, in the namespace of another machine. */
const applyRulesOfNode = async (namespace: string, podCidr: string): Promise<void> => {
  const run: RunCommand = (program, args, input) => {
    const [inside = "", ...rest] = insideNamespace(namespace, [program, ...args]);
    return runCommand(inside, rest, input);
  };
  const table = `coracle-${podCidr.replace("/", "-")}`;
  const none = { state: { clusters: [] }, nonMasqueradeCidrs: [], peerRanges: [], apiTarget: undefined, masqueradeWithinBridge: false };
  const ruleset = rulesetOf({ ...none, table, podCidr, place: { nodeName: "between", zone: undefined } });
  expect(await createRulesetApplier(table, run, silentLog).apply(ruleset)).toBe("changed");
};

describeWith([needs.kubectl, realContainerd, namespaces], "pods on two machines", () => {
  let server: ServerFixture;
  let network: NetworkHosts;
  const machines: { readonly name: string; readonly host: NetworkHost; readonly containerd: ContainerdFixture; agent?: ChildProcess }[] =
    [];
  let kubeconfig: string;

  const kubectl = async (args: string, stdin?: string): Promise<string> =>
    (await server.kubectl(args, { kubeconfig, ...(stdin !== undefined && { stdin }) })).stdout.trim();
  const podNamed = async (name: string): Promise<Pod> => JSON.parse(await kubectl(`get pod ${name} -o json`));
  const machine = (index: number) => {
    const found = machines[index];
    if (found === undefined) throw new Error("there is no such machine");
    return found;
  };
  const startAgent = (index: number, ...more: string[]): void => {
    const one = machine(index);
    const stateDirectory = join(server.dataDirectory, "..", one.name);
    const command = [
      "node",
      "join",
      "--pool",
      "metal",
      "--runtime",
      "containerd",
      "--name",
      one.name,
      "--state-dir",
      stateDirectory,
      ...more,
    ];
    const [program = "", ...args] = insideNamespace(one.host.namespace, [process.execPath, entry, ...command]);
    const environment = { CORACLE_DATA_DIR: server.dataDirectory, CONTAINER_RUNTIME_ENDPOINT: one.containerd.endpoint };
    const home = { HOME: join(server.dataDirectory, ".."), XDG_CONFIG_HOME: "", XDG_STATE_HOME: "" };
    one.agent = spawn(program, args, { env: { ...process.env, ...environment, ...home }, stdio: ["ignore", "ignore", "inherit"] });
  };
  const stopAgent = async ({ agent }: { agent?: ChildProcess }, signal: NodeJS.Signals): Promise<void> => {
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, "exit");
    agent.kill(signal);
    await ended;
  };
  const fetchFrom = async (index: number, pod: string, script: string): Promise<string> => {
    const { containerd } = machine(index);
    const runtime = createContainerdRuntime({
      ...{ endpoint: containerd.endpoint, instance: "test", hostAddresses: [], clock: systemClock, log: silentLog },
    });
    try {
      return (await runtime.exec(containerIdOf(await podNamed(pod)), ["sh", "-c", script], 30)).output.trim();
    } finally {
      await runtime.close();
    }
  };
  const routesOf = (index: number): Promise<string> => machine(index).host.run("ip route show proto 67");

  beforeAll(async () => {
    server = await startServer({ nodes: 0, runtime: "containerd" });
    network = await startNetworkHosts(["crt-a", "crt-b"], server.url);
    for (const [index, host] of network.hosts.entries())
      machines.push({ name: `host-${"ab"[index]}`, host, containerd: await startContainerd({ namespace: host.namespace }) });
    // Two machines may be guests of one that is a node of another pool, whose ranges may be the same.
    for (const podCidr of ranges) await applyRulesOfNode(network.between, podCidr);
    // As Docker leaves a machine: what is forwarded must be let through.
    if (findProgram("iptables") !== undefined) await machine(1).host.run("iptables -P FORWARD DROP");
    await server.coracle("pool create metal");
    await server.coracle("cluster create both --pool metal");
    kubeconfig = join(server.dataDirectory, "..", "both.kubeconfig");
    const { stdout } = await server.coracle("cluster kubeconfig both");
    await writeFile(kubeconfig, stdout, { mode: 0o600 });
    startAgent(0);
    startAgent(1);
    const pods = [
      podOf("client", shellContainer("sleep 1000"), { nodeSelector: { "kubernetes.io/hostname": "host-a" } }),
      podOf("server", whoContainer, { nodeSelector: { "kubernetes.io/hostname": "host-b" } }),
    ];
    await kubectl("apply -f -", yamlOf(service, ...pods));
    await kubectl("wait --for=condition=Ready pod/client pod/server --timeout=90s");
  });
  afterAll(async () => {
    for (const one of machines) await stopAgent(one, "SIGKILL");
    for (const { containerd } of machines) await containerd.stop();
    await network?.stop();
    await server?.stop();
  });

  it("have ranges of their own, which the Nodes show", async () => {
    const { items }: { items: Node[] } = JSON.parse(await kubectl("get nodes -o json"));
    expect(new Set(items.map(({ spec }) => spec?.podCIDR))).toEqual(new Set(ranges));
    for (const { metadata, spec, status } of items) {
      const pods: { items: Pod[] } = JSON.parse(await kubectl(`get pods -o json --field-selector spec.nodeName=${metadata.name}`));
      const prefix = spec?.podCIDR?.replace("0/24", "") ?? "none";
      expect(pods.items.map(({ status: pod }) => pod?.podIP?.startsWith(prefix))).toEqual([true]);
      expect(status?.addresses?.[0]?.address).toBe(machines.find(({ name }) => name === metadata.name)?.host.address);
    }
  });

  it("reach each other by address, and see each other's own", async () => {
    const [client, serving] = [await podNamed("client"), await podNamed("server")];
    const ask = `fetch ${serving.status?.podIP} 8080 /cgi-bin/who`;
    await untilTrue("the page comes", async () => (await fetchFrom(0, "client", ask)) === `server ${client.status?.podIP}`);
    expect(await routesOf(0)).toMatch(/dev crv-[0-9a-f]{8}/);
  });

  it("reach a Service by name whose endpoints are on the other machine alone", async () => {
    const client = await podNamed("client");
    expect(await fetchFrom(0, "client", "fetch who 80 /cgi-bin/who")).toBe(`server ${client.status?.podIP}`);
    expect(await fetchFrom(0, "client", "fetch who.default.svc.cluster.local 80 /large | wc -c")).toBe("200001");
    const address = await kubectl("get service who -o jsonpath={.spec.clusterIP}");
    const answer = await machine(0)
      .host.run(`curl -s --max-time 5 http://${address}/cgi-bin/who`)
      .catch(() => "");
    if (findProgram("curl") !== undefined) expect(answer).toMatch(/^server 10\.244\.\d\.0$/);
  });

  it("reach each other over plain routes where that is asked for, while they go on running", async () => {
    for (const [index, one] of machines.entries()) {
      await stopAgent(one, "SIGKILL");
      startAgent(index, "--direct-routes");
    }
    await untilTrue("the routes are plain", async () => {
      const [a, b] = [await routesOf(0), await routesOf(1)];
      return a.includes(`via ${machine(1).host.address}`) && b.includes(`via ${machine(0).host.address}`) && !a.includes("crv-");
    });
    const client = await podNamed("client");
    // An agent that was killed answers names again a moment after its routes are there.
    await untilTrue(
      "the page comes",
      async () => (await fetchFrom(0, "client", "fetch who 80 /cgi-bin/who")) === `server ${client.status?.podIP}`,
    );
  });

  it("are not routed to any more when their machine is taken out, which keeps nothing", async () => {
    const { agent, host } = machine(1);
    await server.coracle("node delete host-b");
    await untilTrue("the agent ends", async () => agent?.exitCode === 0);
    expect(await host.run("ip route show proto 67")).toBe("");
    expect(await host.run("ip -brief link")).not.toMatch(/crv-|crc-/);
    if (findProgram("iptables") !== undefined) expect(await host.run("iptables -S FORWARD")).not.toContain("coracle");
    await untilTrue("the route is gone", async () => (await routesOf(0)) === "");
  });
});
