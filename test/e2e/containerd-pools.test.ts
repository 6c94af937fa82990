import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Service } from "../../shared/kubernetes/types.ts";
import {
  type AgentPlace,
  type ContainerdCluster,
  containerIdOf,
  localAgentsOf,
  noTraces,
  podOf,
  removeNetworks,
  shellContainer,
  startContainerdCluster,
  tracesOf,
  webContainer,
} from "./containerd-cluster.ts";
import { bridgesOf, realContainerd } from "./containerd-fixture.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith, needs } from "./needs.ts";
import { searchStore } from "./store-search.ts";

const [shared, alone] = ["10.96.77.7", "10.96.77.8"];
const nodePort = 30_000 + ((process.pid + 1_350) % 2_700);

const service = (name: string, clusterIP: string, app: string): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { clusterIP, selector: { app }, ports: [{ port: 80, targetPort: 8080 }] },
});

describeWith([needs.kubectl, realContainerd], "a pool of real machines", () => {
  let cluster: ContainerdCluster;
  let agent: ChildProcess | undefined;
  let place: AgentPlace;
  let bridges: readonly string[] = [];
  const ids: string[] = [];

  beforeAll(async () => {
    cluster = await startContainerdCluster({ nodes: 0 });
    place = { nodeName: "metal-1", stateDirectory: join(cluster.server.dataDirectory, "..", "metal-1") };
  });
  afterAll(async () => {
    agent?.kill("SIGKILL");
    await cluster?.stop();
    if (place !== undefined) await removeNetworks([place], bridges);
  });

  const coracle = async (args: string): Promise<string> => (await cluster.server.coracle(args)).stdout.trim();
  const kubeconfigOf = (name: string) => ({ kubeconfig: join(cluster.server.dataDirectory, "..", `${name}.kubeconfig`) });
  const createCluster = async (name: string, options: string): Promise<void> => {
    const { id, pool } = JSON.parse(await coracle(`cluster create ${name} ${options} -o json`));
    ids.push(id, pool);
    await writeFile(kubeconfigOf(name).kubeconfig, await coracle(`cluster kubeconfig ${name}`), { mode: 0o600 });
  };
  const join1 = `node join --pool metal --runtime containerd --name metal-1 --state-dir`;
  const startAgent = (): void => {
    agent = cluster.server.spawnCoracle([...join1.split(" "), place.stateDirectory]);
  };
  const endOfAgent = async (): Promise<number | null> => {
    if (agent === undefined || agent.exitCode !== null) return agent?.exitCode ?? null;
    const [code] = await once(agent, "exit");
    return code;
  };
  const fetchFrom = async (name: string, host: string): Promise<string> =>
    cluster.shell(await cluster.pod("client", kubeconfigOf(name)), `fetch ${host} 80`);

  it("serves several clusters, each with its own services although their addresses are the same", async () => {
    await coracle("pool create metal");
    startAgent();
    for (const name of ["one", "two"]) {
      const options = kubeconfigOf(name);
      await createCluster(name, "--pool metal");
      await cluster.apply(
        [
          service("web", shared, "web"),
          ...(name === "one" ? [service("alone", alone, "web")] : []),
          podOf("web", webContainer(name)),
          podOf("client", shellContainer("sleep 1000")),
        ],
        options,
      );
    }
    for (const name of ["one", "two"]) {
      await cluster.kubectl("wait --for=condition=Ready pod/web pod/client --timeout=60s", kubeconfigOf(name));
      expect(await cluster.kubectl("get nodes -o name", kubeconfigOf(name))).toBe("node/metal-1");
      await untilTrue(`the service of ${name} answers`, async () => (await fetchFrom(name, "web")) === name);
      expect(await fetchFrom(name, shared)).toBe(name);
      expect(await fetchFrom(name, "web.default.svc.cluster.local")).toBe(name);
    }
    expect([await fetchFrom("one", "alone"), await fetchFrom("one", alone)]).toEqual(["one", "one"]);
    expect([await fetchFrom("two", "alone"), await fetchFrom("two", alone)]).toEqual(["failed", "failed"]);
    bridges = await bridgesOf(cluster.containerd);
    expect(bridges).toHaveLength(1);
  });

  it("finds its pods as they were when the agent is killed and started again, and ends what was deleted meanwhile", async () => {
    const before = await cluster.pod("web", kubeconfigOf("one"));
    const deleted = await cluster.pod("web", kubeconfigOf("two"));
    const ended = endOfAgent();
    agent?.kill("SIGKILL");
    await ended;
    expect(await fetchFrom("one", shared)).toBe("one");
    await cluster.kubectl("delete pod web --wait=false", kubeconfigOf("two"));
    await cluster.apply([podOf("new", shellContainer("sleep 1000"))], kubeconfigOf("one"));
    startAgent();
    await cluster.kubectl("wait --for=condition=Ready pod/new --timeout=60s", kubeconfigOf("one"));
    await cluster.kubectl("wait --for=delete pod/web --timeout=60s", kubeconfigOf("two"));
    const after = await cluster.pod("web", kubeconfigOf("one"));
    expect(containerIdOf(after)).toBe(containerIdOf(before));
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(after.status?.startTime).toBe(before.status?.startTime);
    const running = await cluster.ctr("tasks", "list", "-q");
    expect(running).toContain(containerIdOf(before));
    expect(running).not.toContain(containerIdOf(deleted));
    expect(await fetchFrom("one", "web")).toBe("one");
  });

  it("is not touched by the deletion of one of its clusters beyond what that one ran", async () => {
    const gone = await cluster.pod("client", kubeconfigOf("two"));
    const stays = await cluster.pod("client", kubeconfigOf("one"));
    expect(await coracle("cluster delete two --timeout 60s")).toBe("cluster/two deleted");
    await untilTrue("its containers are gone", async () => !(await cluster.ctr("containers", "list", "-q")).includes(containerIdOf(gone)));
    expect(await cluster.ctr("tasks", "list", "-q")).toContain(containerIdOf(stays));
    expect(await fetchFrom("one", "web")).toBe("one");
    const refused = await cluster.server.kubectl("get pods", { ...kubeconfigOf("two"), mayFail: true });
    expect(refused.code).toBe(1);
  });

  it("leaves nothing on the machine when its last cluster is deleted and the machine is taken out", async () => {
    await coracle("cluster delete one --timeout 60s");
    await untilTrue("no container is left", async () => (await tracesOf(cluster, [place], bridges)).containers.length === 0);
    const ended = endOfAgent();
    await coracle("node delete metal-1");
    expect(await ended).toBe(0);
    expect(await tracesOf(cluster, [place], bridges)).toEqual(noTraces);
    expect(await coracle("pool delete metal")).toBe("pool/metal deleted");
  });

  it("goes with a cluster that owns it: no container, no rule, no process is left, and nothing in the store but what it used", async () => {
    await createCluster("own", "--nodes 1 --runtime containerd");
    const open = {
      ...service("open", alone, "web"),
      spec: { type: "NodePort", selector: { app: "web" }, ports: [{ port: 80, nodePort }] },
    };
    await cluster.apply([open, podOf("web", webContainer("own")), podOf("client", shellContainer("sleep 1000"))], kubeconfigOf("own"));
    await cluster.kubectl("create secret generic login --from-literal=password=sesame", kubeconfigOf("own"));
    await cluster.kubectl("wait --for=condition=Ready pod/web pod/client --timeout=60s", kubeconfigOf("own"));
    const agents = await localAgentsOf(cluster.server);
    bridges = await bridgesOf(cluster.containerd);
    const used = await tracesOf(cluster, agents, bridges);
    expect([used.containers.length, used.shims.length, used.network.length, used.bridges.length]).toEqual([4, 2, 2, 1]);
    await coracle("cluster delete own --timeout 60s");
    expect(await tracesOf(cluster, agents, bridges)).toEqual(noTraces);
    expect(await localAgentsOf(cluster.server)).toEqual([]);

    const { server } = cluster;
    const names = async (path: string) =>
      (await server.platform.send(path)).json<{ items: { name: string }[] }>().items.map(({ name }) => name);
    expect([await names("/v1/clusters"), await names("/v1/pools")]).toEqual([["default"], ["default"]]);
    expect(ids.length).toBeGreaterThan(5);
    for (const id of new Set(ids)) {
      expect((await server.platform.send(`/v1/clusters/${id}`)).status).toBe(404);
      expect((await server.platform.send(`/clusters/${id}/api/v1/pods`)).status).toBeGreaterThanOrEqual(401);
    }
    await server.kill("SIGTERM");
    const { keys, found } = await searchStore(join(server.dataDirectory, "store"), ids);
    expect(keys).toBeGreaterThan(10);
    // What was used is still to be billed.
    expect(found.filter((place) => !place.includes("#usage-"))).toEqual([]);
  });
});
