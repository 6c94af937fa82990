import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EndpointSlice, Endpoints, Pod, Service } from "../../shared/kubernetes/types.ts";
import {
  type ContainerdCluster,
  containerIdOf,
  isReady,
  localAgentsOf,
  noTraces,
  podOf,
  shellContainer,
  startContainerdCluster,
  tracesOf,
  webContainer,
} from "./containerd-cluster.ts";
import { bridgesOf, realContainerd } from "./containerd-fixture.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { describeWith, needs } from "./needs.ts";

/** Of this process's own: node ports belong to the whole machine. */
const nodePort = 30_000 + (process.pid % 2_700);
const selectorOf = (name: string) => ({ matchLabels: { app: name } });

const service = (name: string, spec: object = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: "http" }], ...spec },
});

describeWith([needs.kubectl, realContainerd], "a cluster on real containers", () => {
  let cluster: ContainerdCluster;
  let client: Pod;

  beforeAll(async () => {
    cluster = await startContainerdCluster({ nodes: 1 });
  });
  afterAll(() => cluster?.stop());

  const readyPods = async (name: string): Promise<Pod[]> => (await cluster.pods(`app=${name}`)).filter(isReady);
  const idsOf = (pods: readonly Pod[]): string[] => pods.map(containerIdOf).sort();
  const untilReady = (name: string, count: number): Promise<Pod[]> =>
    eventually(
      `${count} pods of ${name} are ready`,
      async () => {
        const [pods, all] = [await readyPods(name), await cluster.pods(`app=${name}`)];
        return pods.length === count && all.length === count ? pods : undefined;
      },
      { withinSeconds: 60 },
    );
  const fetchFrom = (pod: Pod, host: string, port = 80): Promise<string> => cluster.shell(pod, `fetch ${host} ${port}`);

  it("runs its first pod soon after it is created, on a server that has only just started", async () => {
    const startedAt = performance.now();
    await cluster.apply([podOf("first", shellContainer("sleep 1000"))]);
    await cluster.kubectl("wait --for=jsonpath={.status.phase}=Running pod/first --timeout=30s");
    const milliseconds = Math.round(performance.now() - startedAt);
    console.log(`first pod running after ${milliseconds} ms`);
    expect(milliseconds).toBeLessThan(15_000);
    client = await cluster.pod("first");
  });

  it("keeps as many pods as a ReplicationController says, and has them all behind a Service", async () => {
    const replicationController = {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "web" },
      spec: {
        replicas: 3,
        selector: { app: "web" },
        template: { metadata: { labels: { app: "web" } }, spec: { terminationGracePeriodSeconds: 1, containers: [webContainer("$POD")] } },
      },
    };
    await cluster.apply([service("web"), replicationController]);
    const untilEndpoints = async (count: number): Promise<void> => {
      const pods = await untilReady("web", count);
      await untilTrue("the endpoints are the pods' addresses", async () => {
        const { subsets = [] } = await cluster.server.get<Endpoints>("get endpoints web");
        const addresses = subsets.flatMap((subset) => (subset.addresses ?? []).map(({ ip }) => ip));
        return JSON.stringify(addresses.sort()) === JSON.stringify(pods.map(({ status }) => status?.podIP ?? "").sort());
      });
    };
    await untilEndpoints(3);
    await cluster.kubectl("scale rc web --replicas=5");
    await untilEndpoints(5);
    const answers = await cluster.shell(client, "for i in $(seq 60); do fetch web 80; done");
    const names = (await readyPods("web")).map(({ metadata }) => metadata.name);
    expect(new Set(answers.split("\n"))).toEqual(new Set(names));
    await cluster.kubectl("scale rc web --replicas=3");
    await untilEndpoints(3);
    expect(new Set((await cluster.shell(client, "for i in $(seq 20); do fetch web 80; done")).split("\n")).size).toBeLessThanOrEqual(3);
  });

  it("starts a container again that was killed from outside", async () => {
    const [pod] = await readyPods("web");
    if (pod === undefined) throw new Error("no pod of web");
    const name = pod.metadata.name ?? "";
    await cluster.ctr("tasks", "kill", "--signal", "SIGKILL", containerIdOf(pod));
    const again = await eventually("the container is back", async () => {
      const found = await cluster.pod(name);
      return found.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(found) ? found : undefined;
    });
    const [status] = again.status?.containerStatuses ?? [];
    expect(status?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
    expect(containerIdOf(again)).not.toBe(containerIdOf(pod));
    expect(again.status?.podIP).toBe(pod.status?.podIP);
    await untilReady("web", 3);
  });

  it("goes on with the same containers when the server is killed, and after it is back", async () => {
    const before = await untilReady("web", 3);
    const restarts = (pods: readonly Pod[]) =>
      pods.map(({ metadata, status }) => [metadata.uid, status?.containerStatuses?.[0]?.restartCount]);
    const { spec } = await cluster.server.get<Service>("get service web");
    await cluster.server.kill("SIGKILL");
    expect(await fetchFrom(client, spec?.clusterIP ?? "")).toMatch(/^web-/);
    await cluster.server.restart();
    await cluster.kubectl("wait --for=condition=Ready node/default-0 --timeout=30s");
    await cluster.apply([podOf("after", shellContainer("sleep 1000"))]);
    await cluster.kubectl("wait --for=condition=Ready pod/after --timeout=30s");
    const after = await untilReady("web", 3);
    expect(idsOf(after)).toEqual(idsOf(before));
    expect(restarts(after).sort()).toEqual(restarts(before).sort());
    expect(containerIdOf(await cluster.pod("first"))).toBe(containerIdOf(client));
    expect(await fetchFrom(client, "web.default.svc.cluster.local")).toMatch(/^web-/);
  });

  it("replaces the pods of a Deployment without failing one request, and sends nobody to a pod that is on its way out", async () => {
    const shop = (version: string) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "shop" },
      spec: {
        replicas: 3,
        selector: selectorOf("shop"),
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels: { app: "shop" } },
          spec: {
            terminationGracePeriodSeconds: 10,
            containers: [webContainer(version, { lifecycle: { preStop: { sleep: { seconds: 2 } } } })],
          },
        },
      },
    });
    await cluster.apply([service("shop"), shop("v1")]);
    await cluster.kubectl("rollout status deployment/shop --timeout=60s");
    await cluster.apply([podOf("customer", shellContainer("while true; do fetch shop.default.svc 80; sleep 0.05; done"))]);
    await cluster.kubectl("wait --for=condition=Ready pod/customer --timeout=30s");
    const answersOf = async (): Promise<string[]> => (await cluster.kubectl("logs customer")).split("\n").filter(Boolean);
    await untilTrue("the customer is served", async () => (await answersOf()).length > 20);
    await cluster.apply([shop("v2")]);
    await cluster.kubectl("rollout status deployment/shop --timeout=90s");
    const served = (await answersOf()).length;
    await untilTrue("the customer is served by the new ones", async () => (await answersOf()).length > served + 20);
    const answers = await answersOf();
    expect(answers.filter((answer) => answer !== "v1" && answer !== "v2")).toEqual([]);
    expect(new Set(answers.slice(0, 10))).toEqual(new Set(["v1"]));
    expect(new Set(answers.slice(-10))).toEqual(new Set(["v2"]));
    await cluster.kubectl("delete pod customer --wait=false");
  });

  it("sends no new connection to a pod that is on its way out, although it still answers", async () => {
    const lingering = webContainer("$POD", { lifecycle: { preStop: { sleep: { seconds: 60 } } } });
    const spec = { terminationGracePeriodSeconds: 90 };
    await cluster.apply([
      service("old"),
      ...["old-a", "old-b"].map((name) => {
        const pod = podOf(name, lingering, spec);
        return { ...pod, metadata: { name, labels: { app: "old" } } };
      }),
    ]);
    const [gone, stays] = (await untilReady("old", 2)).sort((a, b) => (a.metadata.name ?? "").localeCompare(b.metadata.name ?? ""));
    if (gone === undefined || stays === undefined) throw new Error("no pods");
    await cluster.kubectl("delete pod old-a --wait=false");
    await untilTrue("the endpoint is terminating", async () => {
      const { items } = await cluster.server.get<{ items: EndpointSlice[] }>("get endpointslices -l kubernetes.io/service-name=old");
      return items.some(({ endpoints }) =>
        endpoints?.some(({ conditions }) => conditions?.terminating === true && conditions.ready === false),
      );
    });
    const thirty = "for i in $(seq 30); do fetch old 80; done";
    await untilTrue("only the other answers", async () => new Set((await cluster.shell(client, thirty)).split("\n")).size === 1, {
      withinSeconds: 10,
    });
    expect(new Set((await cluster.shell(client, thirty)).split("\n"))).toEqual(new Set(["old-b"]));
    expect(await fetchFrom(client, gone.status?.podIP ?? "", 8080)).toBe("old-a");
    await cluster.kubectl("delete pod old-a old-b --force --grace-period=0");
  });

  it("keeps a client with its pod when the Service asks for it, and answers on a node port", async () => {
    await cluster.apply([
      { ...service("sticky", { selector: { app: "web" }, sessionAffinity: "ClientIP" }) },
      { ...service("open", { selector: { app: "web" }, type: "NodePort", ports: [{ port: 80, targetPort: 8080, nodePort }] }) },
    ]);
    await untilTrue("both answer", async () => {
      const answers = [await fetchFrom(client, "sticky"), await fetchFrom(client, "open")];
      return answers.every((answer) => answer.startsWith("web-"));
    });
    expect(new Set((await cluster.shell(client, "for i in $(seq 20); do fetch sticky 80; done")).split("\n")).size).toBe(1);
    const page = await fetch(`http://${machineAddress()}:${nodePort}/`, { signal: AbortSignal.timeout(5_000) });
    expect(await page.text()).toMatch(/^web-/);
  });

  it("grows by a machine that its services reach, and shrinks to none without a trace", async () => {
    await cluster.server.coracle("cluster resize default --nodes 2");
    await cluster.kubectl("wait --for=create node/default-1 --timeout=30s");
    await cluster.kubectl("wait --for=condition=Ready node/default-1 --timeout=30s");
    const onSecond = { nodeSelector: { "kubernetes.io/hostname": "default-1" } };
    await cluster.apply([
      service("far"),
      podOf("far", webContainer("far"), onSecond),
      podOf("other", shellContainer("sleep 1000"), onSecond),
    ]);
    await cluster.kubectl("wait --for=condition=Ready pod/far pod/other --timeout=30s");
    await untilTrue("pods of both machines reach each other's services", async () => {
      const answers = [await fetchFrom(client, "far"), await fetchFrom(await cluster.pod("other"), "web")];
      return answers[0] === "far" && answers[1]?.startsWith("web-") === true;
    });
    const [agents, bridges] = [await localAgentsOf(cluster.server), await bridgesOf(cluster.containerd)];
    expect((await tracesOf(cluster, agents, bridges)).network).toHaveLength(4);

    await cluster.server.coracle("cluster resize default --nodes 1");
    await cluster.kubectl("wait --for=delete node/default-1 --timeout=60s");
    expect(await fetchFrom(client, "web")).toMatch(/^web-/);
    await cluster.server.coracle("cluster resize default --nodes 0");
    await cluster.kubectl("wait --for=delete node/default-0 --timeout=60s");
    await untilTrue("nothing is left", async () => JSON.stringify(await tracesOf(cluster, agents, bridges)) === JSON.stringify(noTraces));
  });
});

function machineAddress(): string {
  const found = Object.entries(networkInterfaces())
    .filter(([name]) => !name.startsWith("crc-"))
    .flatMap(([, addresses]) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal);
  return found?.address ?? "127.0.0.1";
}
