import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CommandResult } from "./commands.ts";
import { insideNamespace } from "./containerd-fixture.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { shellPod, yamlOf } from "./manifests.ts";
import { describeWith, findKubectl, findProgram, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";
import { type NetworkHost, type NetworkHosts, startNetworkHosts } from "./two-hosts.ts";

const missing = ["nsenter", "ip", "nft", "python3"].filter((program) => findProgram(program) === undefined);
const namespaces = { name: "network namespaces", missing: missing.length === 0 ? undefined : `no ${missing.join(", ")}` };
const entry = fileURLToPath(new URL("../../cli/coracle.mjs", import.meta.url));
const port = 18_474;
/** What a router with NAT does: answers come in, and nothing else. */
const onlyOutwards = [
  "add table inet nat_like",
  "add chain inet nat_like in { type filter hook input priority 0 ; policy drop ; }",
  "add rule inet nat_like in iif lo accept",
  "add rule inet nat_like in ct state established,related accept",
];

describeWith([needs.kubectl, needs.root, needs.linux, namespaces], "streams to a node that nobody reaches", () => {
  let server: ServerFixture;
  let network: NetworkHosts;
  let host: NetworkHost;
  let kubeconfig: string;
  let agent: ChildProcess | undefined;

  const kubectl = (args: string | string[], options: { stdin?: string; mayFail?: boolean } = {}): Promise<CommandResult> =>
    server.kubectl(args, { kubeconfig, ...options });
  const startAgent = (): void => {
    const state = join(server.dataDirectory, "..", "far");
    const command = ["node", "join", "--pool", "metal", "--runtime", "process", "--name", "far", "--state-dir", state];
    const [program = "", ...args] = insideNamespace(host.namespace, [process.execPath, entry, ...command]);
    const home = { HOME: join(server.dataDirectory, ".."), XDG_CONFIG_HOME: "", XDG_STATE_HOME: "" };
    const environment = { ...process.env, ...home, CORACLE_DATA_DIR: server.dataDirectory };
    agent = spawn(program, args, { env: environment, stdio: ["ignore", "ignore", "inherit"] });
  };
  const killAgent = async (): Promise<void> => {
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, "exit");
    agent.kill("SIGKILL");
    await ended;
  };
  const start = (...args: string[]): { child: ChildProcess; seen(): string; readonly ended: Promise<number | null> } => {
    const child = spawn(findKubectl() ?? "kubectl", args, {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    return { child, seen: () => text, ended: new Promise((resolve) => child.once("exit", resolve)) };
  };
  const says = async (word: string): Promise<void> => {
    expect((await kubectl(["exec", "box", "--", "echo", word])).stdout).toBe(`${word}\n`);
  };
  /** Processes of the pod that sleep for so long. */
  const sleepers = async (seconds: number): Promise<string> =>
    (await kubectl(["exec", "box", "--", "sh", "-c", `pgrep -fx "sleep ${seconds}" || echo none`])).stdout.trim();

  beforeAll(async () => {
    server = await startServer({ nodes: 0, runtime: "process" });
    network = await startNetworkHosts(["crt-far"], server.url);
    [host] = network.hosts as [NetworkHost];
    for (const rule of onlyOutwards) await host.run(`nft ${rule}`);
    await server.coracle("pool create metal");
    await server.coracle("cluster create far --pool metal");
    kubeconfig = join(server.dataDirectory, "..", "far.kubeconfig");
    await writeFile(kubeconfig, (await server.coracle("cluster kubeconfig far")).stdout, { mode: 0o600 });
    startAgent();
    const web = `mkdir -p /tmp/far; echo served > /tmp/far/index.html; cd /tmp/far; exec python3 -m http.server ${port}`;
    const pods = [
      shellPod("box", "while true; do sleep 1; done"),
      shellPod("web", web, { ports: [{ containerPort: port }], readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } }),
    ];
    await kubectl("wait --for=create serviceaccount/default --timeout=30s");
    await kubectl("apply -f -", { stdin: yamlOf(...pods) });
    await kubectl("wait --for=condition=Ready pod/box pod/web --timeout=60s");
  });
  afterAll(async () => {
    await killAgent();
    await network?.stop();
    await server?.stop();
  });

  it("reach it all the same: commands, ports and proxied requests", async () => {
    const direct = connect({ host: host.address, port, timeout: 500 });
    const outcome = await Promise.race([once(direct, "connect").then(() => "reached"), once(direct, "timeout").then(() => "dropped")]);
    direct.destroy();
    expect(outcome).toBe("dropped");
    await says("hello");
    expect((await kubectl(["get", "--raw", `/api/v1/namespaces/default/pods/web/proxy/`])).stdout).toBe("served\n");
    const forward = start("port-forward", "pod/web", `:${port}`);
    const [, local] = await eventually("it listens", async () => /127\.0\.0\.1:(\d+) ->/.exec(forward.seen()) ?? undefined);
    expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe("served\n");
    forward.child.kill();
  });

  it("end what they ran when their client goes", async () => {
    const running = start("exec", "-i", "box", "--", "sh", "-c", "echo begun; sleep 4711");
    await untilTrue("it has begun", async () => running.seen().includes("begun"));
    expect(await sleepers(4711)).not.toBe("none");
    running.child.kill("SIGKILL");
    await untilTrue("it has ended", async () => (await sleepers(4711)) === "none");
  });

  it("end for the client when the agent dies, and begin again with the next agent", async () => {
    const running = start("exec", "-i", "box", "--", "sh", "-c", "echo begun; sleep 4712");
    await untilTrue("it has begun", async () => running.seen().includes("begun"));
    await killAgent();
    expect(await running.ended).not.toBe(0);
    startAgent();
    await says("again");
  });

  it("end for the client when the server dies, and begin again with the same agent", async () => {
    const running = start("exec", "-i", "box", "--", "sh", "-c", "echo begun; sleep 4713");
    await untilTrue("it has begun", async () => running.seen().includes("begun"));
    await server.kill("SIGKILL");
    expect(await running.ended).not.toBe(0);
    await server.restart();
    await eventually("the agent is back", async () =>
      (await kubectl("exec box -- true", { mayFail: true })).code === 0 ? true : undefined,
    );
    await untilTrue("what it ran has ended", async () => (await sleepers(4713)) === "none");
  });
});
