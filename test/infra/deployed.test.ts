import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { variables } from "../../functions/names/variables.ts";
import type { Node, Pod } from "../../shared/kubernetes/types.ts";
import { clientInside } from "../e2e/clients/inside.ts";
import { eventually } from "../e2e/eventually.ts";
import type { HttpClient } from "../e2e/http.ts";
import { shellPod } from "../e2e/manifests.ts";
import { describeWith, findProgram, needs } from "../e2e/needs.ts";
import { countMessages, setVariable } from "./aws-calls.ts";
import { type Cluster, type Deployed, say, startDeployed, type Tenant } from "./deployed.ts";
import { stopEmulators } from "./emulator.ts";
import { takeTour } from "./kubectl-tour.ts";

const python = { name: "python3", missing: findProgram("python3") === undefined ? "no python3 on the PATH" : undefined };
const replicationController = (name: string, replicas: number) => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: { name },
  spec: {
    replicas,
    selector: { app: name },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "registry.k8s.io/pause:3.10" }] } },
  },
});
const pod = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "main", image: "registry.k8s.io/pause:3.10" }] },
});

const listed = async <T>(api: HttpClient, path: string): Promise<T[]> => {
  const answer = await api.send(path);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return answer.json<{ items: T[] }>().items;
};
const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** Nothing here calls a function: URLs, the table's stream, a queue and the clock do. */
describeWith([needs.kubectl, python], "the stack that goes to AWS, deployed", () => {
  let aws: Deployed;
  let tenant: Tenant;
  let cluster: Cluster;
  let desk: ChildProcess;
  beforeAll(async () => {
    aws = await startDeployed(process.env);
  }, 1_800_000);
  afterAll(async () => {
    await aws?.close();
    await stopEmulators();
  });

  it("serves the three surfaces at the URLs of its outputs", async () => {
    const health = await aws.operator.send("/v1/healthz");
    expect(health.json()).toEqual({ status: "ok" });
    expect((await aws.operator.send("/clusters/nothing/api", { token: "none" })).status).toBe(403);
    expect((await aws.operator.send("/agent/v1/sync", { method: "POST", body: {}, token: "none" })).status).toBe(401);
  });

  it("takes in a tenant, who makes a cluster that kubectl talks to", async () => {
    tenant = await aws.admit("acme");
    await tenant.coracle("cluster create boat");
    cluster = await tenant.openCluster("boat");
    expect((await cluster.kubectl("version")).stdout).toContain("v1.33");
    expect((await cluster.kubectl("get namespaces -o name")).stdout.split("\n")).toContain("namespace/kube-system");
  });

  const mintToken = async (): Promise<string> => {
    const [pool] = await listed<{ id: string }>(tenant.platform, "/v1/pools");
    const minted = await tenant.platform.send(`/v1/pools/${pool?.id}/join-tokens`, { method: "POST", body: { maxUses: 2 } });
    return minted.json<{ token: string }>().token;
  };

  it("lets machines join, which poll and become ready", async () => {
    tenant.join(["--token", await mintToken(), "--runtime", "hollow", "--count", "2", "--name", "hollow"]);
    await eventually(
      "two ready nodes",
      async () => ((await listed<Node>(cluster.api, "/api/v1/nodes")).filter(isReady).length === 2 ? true : undefined),
      { withinSeconds: 90 },
    );
  });

  const podsOf = (name: string) => listed<Pod>(cluster.api, `/api/v1/namespaces/default/pods?labelSelector=app%3D${name}`);
  const running = (name: string, count: number) =>
    eventually(
      `${count} running pods of ${name}`,
      async () => {
        const pods = (await podsOf(name)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
        return pods.length === count && pods.every(({ status, spec }) => status?.phase === "Running" && spec?.nodeName) ? pods : undefined;
      },
      { withinSeconds: 60 },
    );

  it("makes, binds and runs a ReplicationController's pods, and scales it up and down", async () => {
    await cluster.kubectl("apply -f -", { stdin: JSON.stringify(replicationController("web", 3)) });
    await running("web", 3);
    await cluster.kubectl("scale rc web --replicas=6");
    await running("web", 6);
    await cluster.kubectl("scale rc web --replicas=2");
    await running("web", 2);
  });

  it("takes kubectl through its day: objects, patches, applies, selectors, a deployment that is watched, scaled and rolled over", async () => {
    await takeTour(cluster);
  }, 480_000);

  it("shows a watch what happens, each change once and in order, over reconnects", async () => {
    const list = await cluster.api.send("/api/v1/namespaces/default/configmaps");
    let from = list.json<{ metadata: { resourceVersion: string } }>().metadata.resourceVersion;
    const seen: string[] = [];
    const round = Date.now();
    const names = Array.from({ length: 5 }, (_, index) => `seen-${round}-${index}`);
    const writing = (async () => {
      for (const name of names) {
        await cluster.kubectl(`create configmap ${name}`);
        await pause(200);
      }
    })();
    await eventually(
      "five events",
      async () => {
        const path = `/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=${from}&timeoutSeconds=3&allowWatchBookmarks=true`;
        for await (const line of cluster.api.lines(path)) {
          if (line === "") continue;
          const { type, object } = JSON.parse(line) as { type: string; object: { metadata: { name: string; resourceVersion: string } } };
          from = object.metadata.resourceVersion;
          if (type !== "BOOKMARK") seen.push(`${type} ${object.metadata.name}`);
        }
        return seen.length >= names.length ? true : undefined;
      },
      { withinSeconds: 60 },
    );
    await writing;
    expect(seen).toEqual(names.map((name) => `ADDED ${name}`));
  });

  it("binds a pod soon after its creation: within a second at the median, where the stream is as quick as AWS'", async () => {
    const took: number[] = [];
    const path = "/api/v1/namespaces/default/pods";
    const round = Date.now();
    for (let at = 0; at < 11; at++) {
      const begun = performance.now();
      expect((await cluster.api.send(path, { method: "POST", body: pod(`quick-${round}-${at}`) })).status).toBe(201);
      await eventually("a node", async () => (await cluster.api.send(`${path}/quick-${round}-${at}`)).json<Pod>().spec?.nodeName, {
        withinSeconds: 30,
        everyMs: 20,
      });
      took.push(performance.now() - begun);
    }
    const sorted = took.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
    say(`created to bound: median ${median.toFixed(0)} ms, worst ${(sorted.at(-1) ?? 0).toFixed(0)} ms`);
    expect(median).toBeLessThan(aws.emulator.bindWithinMs);
  });

  it("runs a pod on a machine of processes, and shows its log; runs a command in it by a server beside the functions", async () => {
    await aws.holdConnections();
    desk = tenant.join(["--token", await mintToken(), "--runtime", "process", "--name", "desk", "--state-dir", join(aws.scratch, "desk")]);
    const spec = { nodeSelector: { "kubernetes.io/hostname": "desk" } };
    const script = "echo hello from a process; sleep 600";
    await cluster.kubectl("apply -f -", { stdin: JSON.stringify(shellPod("real", script, {}, spec)) });
    const withinSeconds = 60;
    const log = async () => ((await cluster.kubectl("logs real")).stdout.includes("hello from a process") ? true : undefined);
    await eventually("its log", log, { withinSeconds });
    // The function sends kubectl to the server, which both have to trust by name.
    const trusting = ["--certificate-authority", aws.caFile];
    const ran = await cluster.kubectl([...trusting, "exec", "real", "--", "sh", "-c", "echo through a tunnel"]);
    expect(ran.stdout).toBe("through a tunnel\n");
    // What comes later goes to the other machines.
    await cluster.kubectl("cordon desk");
    await cluster.kubectl("delete pod real --wait=false");
    const gone = async () => ((await cluster.api.send("/api/v1/namespaces/default/pods/real")).status === 404 ? true : undefined);
    await eventually("no pod", gone, { withinSeconds });
  });

  it("lets a pod reach the API with nothing but what is mounted, by way of its node, which ends its TLS", async () => {
    await cluster.kubectl("create serviceaccount inside");
    await cluster.kubectl("create role inside --verb=list --resource=configmaps");
    await cluster.kubectl("create rolebinding inside --role=inside --serviceaccount=default:inside");
    const spec = { restartPolicy: "Never", serviceAccountName: "inside", nodeName: "desk" } as const;
    await cluster.kubectl("apply -f -", { stdin: JSON.stringify(shellPod("inside", "", { command: clientInside }, spec)) });
    const said = async () => ((await cluster.kubectl("logs inside")).stdout.includes("configmaps=200 secrets=403") ? true : undefined);
    await eventually("what it was answered", said, { withinSeconds: 60 });
    await cluster.kubectl("delete pod inside --wait=false");
  });

  it("counts what the tenant used", async () => {
    const used = async () => {
      const hours = await listed<Record<"apiReads" | "apiWrites" | "nodeSeconds", number>>(tenant.platform, "/v1/usage?granularity=hour");
      return hours.find(({ apiReads, apiWrites, nodeSeconds }) => Math.min(apiReads, apiWrites, nodeSeconds) > 0);
    };
    await eventually("requests and machines that were counted", used, { withinSeconds: 60, everyMs: 1000 });
  });

  it("shows another tenant nothing of it", async () => {
    const rival = await aws.admit("rival");
    const [mine] = await listed<{ id: string }>(tenant.platform, "/v1/clusters");
    expect(await listed(rival.platform, "/v1/clusters")).toEqual([]);
    expect((await rival.platform.send(`/v1/clusters/${mine?.id}`)).status).toBe(404);
    await rival.coracle("cluster create skiff");
    const other = await rival.openCluster("skiff");
    expect(await listed(other.api, "/api/v1/nodes")).toEqual([]);
    const { token } = other;
    expect((await cluster.api.send("/api/v1/nodes", { token })).status).toBe(404);
  });

  it("loses nothing while the function that the stream wakes fails", async () => {
    const { endpoint } = aws.emulator;
    const { OnChangeFunction, LostWakesQueue } = aws.outputs.CoracleLoops;
    const table = await setVariable(endpoint, OnChangeFunction, variables.table, "no-such-table");
    await cluster.kubectl("scale rc web --replicas=4");
    await cluster.kubectl(`create configmap meanwhile-${Date.now()}`);
    if (aws.emulator.retries) {
      const given = () => countMessages(endpoint, LostWakesQueue);
      await eventually("what was given up on is told to a queue", async () => ((await given()) > 0 ? true : undefined), {
        withinSeconds: 150,
      });
    } else await pause(3000);
    expect(await podsOf("web")).toHaveLength(2);
    await setVariable(endpoint, OnChangeFunction, variables.table, table);
    await cluster.kubectl(`create configmap afterwards-${Date.now()}`);
    await running("web", 4);
  });

  it("notices by the clock alone that a machine is gone", async () => {
    desk.kill("SIGKILL");
    const lost = async () => (isReady((await cluster.api.send("/api/v1/nodes/desk")).json<Node>()) ? undefined : true);
    await eventually("a node that is not ready", lost, { withinSeconds: 170, everyMs: 2000 });
  });

  it("deletes the cluster with all that was in it", async () => {
    const [mine] = await listed<{ id: string }>(tenant.platform, "/v1/clusters");
    await tenant.coracle("cluster delete boat", { timeoutSeconds: 150 });
    await eventually("no cluster", async () => ((await listed(tenant.platform, "/v1/clusters")).length === 0 ? true : undefined), {
      withinSeconds: 150,
    });
    expect((await cluster.api.send("/api/v1/nodes")).status).not.toBe(200);
    expect(await aws.countItems(`${tenant.id}#${mine?.id}#head`)).toBe(0);
  });
});
