import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { ClientRequest } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigMap, Pod } from "../../shared/kubernetes/types.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { image, shellPod, yamlOf } from "./manifests.ts";
import { describeWith, needs } from "./needs.ts";
import { isRunning } from "./processes.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: ConfigMap;
}

const path = "/api/v1/namespaces/default/configmaps";
const wide = "x".repeat(20_000);
const configMap = (name: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { first: name, wide, last: name },
});

describe("a server that is killed in the middle of a hundred creates", () => {
  let server: ServerFixture;
  const acknowledged = new Map<string, string>();
  const events: WatchEvent[] = [];
  let kubeconfig: string;

  const versionOf = (event: WatchEvent | undefined): number => Number(event?.object.metadata.resourceVersion);
  /** Reads changes until the connection ends, as it does with the server. */
  const watch = async (from: string, signal: AbortSignal): Promise<void> => {
    const query = `watch=true&resourceVersion=${from}&fieldSelector=metadata.name!%3Dkube-root-ca.crt`;
    for await (const line of server.api.lines(`${path}?${query}`, { signal })) events.push(JSON.parse(line));
  };

  beforeAll(async () => {
    server = await startServer();
    kubeconfig = await readFile(server.kubeconfig, "utf8");
    const before = (await server.api.send(path)).json<{ metadata: { resourceVersion: string } }>().metadata.resourceVersion;
    const watching = watch(before, new AbortController().signal).catch(() => {});
    let killing: Promise<void> | undefined;
    const names = Array.from({ length: 100 }, (_, index) => `crash-${String(index).padStart(3, "0")}`);
    const writer = async (): Promise<void> => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) {
        try {
          const { status, json } = await server.api.send(path, { method: "POST", body: configMap(name) });
          if (status === 201) acknowledged.set(name, json<ConfigMap>().metadata.resourceVersion ?? "");
        } catch {
          // Cut off without an answer: it may be there or not.
        }
        if (acknowledged.size >= 40) killing ??= server.kill("SIGKILL");
      }
    };
    await Promise.all(Array.from({ length: 8 }, writer));
    await killing;
    await watching;
    await server.restart();
  });
  afterAll(() => server?.stop());

  it("keeps every acknowledged object as it was answered, and no object is half there", async () => {
    expect(acknowledged.size).toBeGreaterThanOrEqual(40);
    expect(acknowledged.size).toBeLessThan(100);
    const { items } = (await server.api.send(path)).json<{ items: ConfigMap[] }>();
    const found = new Map(items.map((item) => [item.metadata.name ?? "", item]));
    expect(found.size).toBe(items.length);
    for (const [name, resourceVersion] of acknowledged) {
      expect([name, found.get(name)?.metadata.resourceVersion]).toEqual([name, resourceVersion]);
    }
    for (const [name, { data, metadata }] of found) {
      if (!name.startsWith("crash-")) continue;
      expect(data).toEqual(configMap(name).data);
      expect(metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it("lets a watch go on from its last version: nothing lost, repeated or out of order", async () => {
    const last = versionOf(events.at(-1));
    expect(events.length).toBeGreaterThan(0);
    const end = new AbortController();
    const watching = watch(String(last), end.signal);
    await server.api.send(path, { method: "POST", body: configMap("crash-after") });
    await untilTrue("the watch shows what came after", async () => events.some(({ object }) => object.metadata.name === "crash-after"));
    end.abort();
    await watching;
    const { items } = (await server.api.send(path)).json<{ items: ConfigMap[] }>();
    const stored = items
      .filter(({ metadata }) => metadata.name?.startsWith("crash-"))
      .map(({ metadata }) => [Number(metadata.resourceVersion), metadata.name])
      .sort(([a], [b]) => Number(a) - Number(b));
    expect(events.map((event) => event.type)).toEqual(events.map(() => "ADDED"));
    expect(events.map((event) => [versionOf(event), event.object.metadata.name])).toEqual(stored);
  });

  it("has given out no version twice: what comes after is newer than all before", async () => {
    const highest = Math.max(...[...acknowledged.values()].map(Number));
    const created = (await server.api.send(path, { method: "POST", body: configMap("newer") })).json<ConfigMap>();
    expect(Number(created.metadata.resourceVersion)).toBeGreaterThan(highest);
  });

  it("knows its kubeconfig and key again", async () => {
    expect(await readFile(server.kubeconfig, "utf8")).toBe(kubeconfig);
    expect((await server.api.send("/api/v1/namespaces/default")).status).toBe(200);
    expect((await server.platform.send("/v1/clusters")).status).toBe(200);
  });
});

describe("clients that hang up", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  it("in the middle of a watch, a body or an answer do the server no harm", async () => {
    await server.api.send(path, { method: "POST", body: configMap("big") });
    const hangUps = Array.from({ length: 60 }, async (_, index) => {
      const headers = { "content-type": "application/json", "content-length": "1000" };
      const outgoing =
        index % 3 === 0
          ? server.api.open(`${path}?watch=true`, {})
          : index % 3 === 1
            ? server.api.open(path, { method: "POST", headers })
            : server.api.open(`${path}?limit=500`, {});
      outgoing.on("error", () => {});
      const closed = closeOf(outgoing);
      if (index % 3 === 1) outgoing.write('{"metadata":{"name":"half"');
      else outgoing.end();
      if (index % 3 === 0) await Promise.race([responseOf(outgoing), closed]);
      outgoing.destroy();
      await closed;
    });
    await Promise.all(hangUps);
    const found = await server.api.send(path);
    expect(found.status).toBe(200);
    expect(found.json<{ items: ConfigMap[] }>().items.map(({ metadata }) => metadata.name)).not.toContain("half");
    for (const body of ["", '{"kind":', "\0"]) {
      const outgoing = server.platform.open("/v1/clusters", {
        method: "POST",
        headers: { "content-type": "application/json", "content-length": "99" },
      });
      outgoing.on("error", () => {});
      const closed = closeOf(outgoing);
      outgoing.write(body);
      outgoing.destroy();
      await closed;
    }
    expect((await server.platform.send("/v1/clusters")).status).toBe(200);
    expect(server.output()).not.toMatch(/"level":"error"/);
  });
});

describeWith([needs.kubectl, needs.sh, needs.linux], "an agent in a process of its own", () => {
  let server: ServerFixture;
  let scratch: string;
  const agents: ChildProcess[] = [];
  const joinNode = (): ChildProcess => {
    const agent = server.spawnCoracle([
      "node",
      "join",
      "--cluster",
      "default",
      "--runtime",
      "process",
      "--name",
      "worker",
      "--state-dir",
      join(scratch, "worker"),
    ]);
    agents.push(agent);
    return agent;
  };
  const end = async (agent: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, "exit");
    agent.kill(signal);
    await ended;
  };
  const look = async (name: string): Promise<Pod> => {
    const answer = await server.api.send(`/api/v1/namespaces/default/pods/${name}`);
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json<Pod>();
  };
  const status = async (name: string) => (await look(name)).status?.containerStatuses?.[0];
  const until = (name: string, what: string, holds: (pod: Pod) => boolean, withinSeconds = 60): Promise<Pod> =>
    eventually(
      `pod ${name} ${what}`,
      async () => {
        const pod = await look(name);
        if (holds(pod)) return pod;
        throw new Error(JSON.stringify(pod.status));
      },
      { withinSeconds },
    );
  const running = (name: string) => until(name, "runs", (pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined);
  const create = (...pods: object[]) => server.kubectl("create -f -", { stdin: yamlOf(...pods) });

  beforeAll(async () => {
    server = await startServer();
    scratch = join(server.dataDirectory, "..", "nodes");
    await mkdir(scratch);
    joinNode();
    await server.kubectl("wait --for=create node/worker --timeout=60s");
    await server.kubectl("wait --for=condition=Ready node/worker --timeout=60s");
  });
  afterAll(async () => {
    for (const agent of agents) await end(agent, "SIGKILL");
    await server?.stop();
  });

  const counting = (name: string): Pod => shellPod(name, "echo pid $$$$; n=0; while :; do n=$((n+1)); echo count $n; sleep 0.3; done");
  const pidOf = async (name: string): Promise<number> =>
    Number(await eventually("a pid", async () => /pid (\d+)/.exec((await server.kubectl(`logs ${name}`)).stdout)?.[1]));

  it("finds its pods running after it was killed, with their logs whole and what ended meanwhile known", async () => {
    const go = join(scratch, "go");
    const mounts = { volumeMounts: [{ name: "e2e", mountPath: "/e2e" }] };
    const volumes = [{ name: "e2e", hostPath: { path: scratch } }];
    const ending = "until [ -f /e2e/go ]; do sleep 0.1; done; echo gone; exit 5";
    await create(counting("survivor"), shellPod("ending", ending, mounts, { volumes, restartPolicy: "Never" }));
    await Promise.all([running("survivor"), running("ending")]);
    const before = await status("survivor");
    const pid = await pidOf("survivor");

    const [agent] = agents.splice(0);
    if (agent === undefined) throw new Error("no agent");
    await end(agent, "SIGKILL");
    await writeFile(go, "");
    expect(isRunning(pid)).toBe(true);
    joinNode();

    const ended = await until("ending", "has ended", (pod) => pod.status?.phase === "Failed");
    expect(ended.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 5 });
    expect((await server.kubectl("logs ending")).stdout).toBe("gone\n");
    const after = await status("survivor");
    expect([after?.containerID, after?.restartCount]).toEqual([before?.containerID, 0]);
    expect(isRunning(pid)).toBe(true);
    const counts = async (): Promise<number[]> =>
      [...(await server.kubectl("logs survivor")).stdout.matchAll(/count (\d+)/g)].map(([, count]) => Number(count));
    const seen = await counts();
    expect(seen).toEqual(seen.map((_, index) => index + 1));
    await untilTrue("it goes on counting", async () => (await counts()).length > seen.length);
  });

  it("stops politely on a signal and leaves its pods running", async () => {
    const pid = await pidOf("survivor");
    const [agent] = agents.splice(0);
    if (agent === undefined) throw new Error("no agent");
    await end(agent, "SIGTERM");
    expect(isRunning(pid)).toBe(true);
    joinNode();
    await until("survivor", "is known again", (pod) => pod.status?.containerStatuses?.[0]?.restartCount === 0);
  });

  it("outlives a server that is killed, and takes work again when it is back", async () => {
    const pid = await pidOf("survivor");
    await server.kill("SIGKILL");
    await server.restart();
    await create({ ...shellPod("later", ""), spec: { restartPolicy: "Never", containers: [{ name: "main", image, command: ["true"] }] } });
    await until("later", "has run", (pod) => pod.status?.phase === "Succeeded");
    expect(isRunning(pid)).toBe(true);
    expect((await status("survivor"))?.restartCount).toBe(0);
    await server.kubectl("delete pod survivor --grace-period=1 --timeout=60s");
    expect(isRunning(pid)).toBe(false);
  });

  it("refuses no pod of a node whose agent is away: they wait for it", async () => {
    const [agent] = agents.splice(0);
    if (agent === undefined) throw new Error("no agent");
    await end(agent, "SIGKILL");
    await create(shellPod("patient", "echo here", {}, { restartPolicy: "Never" }));
    await until("patient", "has its node", (pod) => pod.spec?.nodeName === "worker");
    joinNode();
    await until("patient", "has run", (pod) => pod.status?.phase === "Succeeded");
  });
});

const closeOf = (outgoing: ClientRequest): Promise<void> => new Promise((resolve) => outgoing.once("close", () => resolve()));
const responseOf = (outgoing: ClientRequest): Promise<void> => new Promise((resolve) => outgoing.once("response", () => resolve()));
