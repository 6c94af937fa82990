import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { ContainerState, Pod } from "../../shared/kubernetes/types.ts";
import type { AgentPlace } from "./containerd-cluster.ts";
import { eventually, untilTrue } from "./eventually.ts";
import type { ServerFixture } from "./server-fixture.ts";

export interface AgentKillsOptions {
  readonly server: ServerFixture;
  readonly runtime: "process" | "containerd";
  readonly image: string;
  readonly kills: number;
  /** Clients that make pods, one after the other. */
  readonly writers: number;
}

interface PodEvent {
  readonly type: string;
  readonly object: Pod;
}

interface Made {
  readonly name: string;
  /** Of a pod that ends by itself; undefined: it goes on until it is deleted. */
  readonly exitCode: number | undefined;
  /** It was deleted, and the deletion was acknowledged. */
  deleted: boolean;
  /** The API showed it running once. */
  ran: boolean;
}

export interface AgentKills {
  /** Machines, each with an agent of its own. */
  readonly nodes: readonly string[];
  readonly places: readonly AgentPlace[];
  readonly made: readonly Made[];
  /** Everything that a watch over all of it showed. */
  readonly events: readonly PodEvent[];
  /** How often a container of the pod was begun, by what it wrote itself. */
  startsOf(name: string): Promise<number>;
  /** Whether a container of the pod is at work now. */
  isAtWork(name: string): Promise<boolean>;
  stop(): Promise<void>;
}

const agents = 3;
const path = "/api/v1/namespaces/default/pods";
const beatMs = 500;

export const stateOf = (pod: Pod | undefined): ContainerState => pod?.status?.containerStatuses?.[0]?.state ?? {};

/** Makes pods on several machines from outside while their agents are killed one after the other, and come back. Returns when all is calm. */
export async function killAgents({ server, runtime, image, kills, writers }: AgentKillsOptions): Promise<AgentKills> {
  const scratch = join(server.dataDirectory, "..", "kills");
  await mkdir(scratch);
  const nodes = Array.from({ length: agents }, (_, index) => `worker-${index}`);
  const running = new Map<string, ChildProcess>();
  const joinNode = (name: string): void => {
    const args = ["--cluster", "default", "--runtime", runtime, "--name", name, "--state-dir", join(scratch, name)];
    running.set(name, server.spawnCoracle(["node", "join", ...args]));
  };
  const end = async (name: string): Promise<void> => {
    const agent = running.get(name);
    running.delete(name);
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const ended = once(agent, "exit");
    agent.kill("SIGKILL");
    await ended;
  };

  const made: Made[] = [];
  const events: PodEvent[] = [];
  const over = new AbortController();
  let done = false;
  const watch = async (from: string): Promise<void> => {
    for await (const line of server.api.lines(`${path}?watch=true&resourceVersion=${from}`, { signal: over.signal }))
      events.push(JSON.parse(line));
  };
  const look = async (name: string): Promise<Pod | undefined> => {
    const { status, json } = await server.api.send(`${path}/${name}`);
    return status === 200 ? json<Pod>() : undefined;
  };
  const work = async (writer: number): Promise<void> => {
    for (let round = 0; !done; round++) {
      const kind = (writer + round) % 3;
      const pod: Made = {
        name: `pod-${writer}-${round}`,
        exitCode: kind === 0 ? undefined : (writer + round) % 4,
        deleted: false,
        ran: false,
      };
      const { status, text } = await server.api.send(path, { method: "POST", body: podOf(pod, image, scratch) });
      if (status !== 201) throw new Error(text);
      made.push(pod);
      await eventually(
        `${pod.name} runs or has ended`,
        async () => {
          const { running: now, terminated } = stateOf(await look(pod.name));
          pod.ran ||= now !== undefined;
          return now ?? terminated;
        },
        { withinSeconds: 90 },
      );
      if (pod.exitCode !== undefined || round % 2 === 0) continue;
      const deletion = await server.api.send(`${path}/${pod.name}`, { method: "DELETE" });
      expect(deletion.status).toBe(200);
      pod.deleted = true;
    }
  };

  const stop = async (): Promise<void> => {
    done = true;
    over.abort();
    for (const name of nodes) await end(name);
  };
  const play = async (): Promise<void> => {
    for (const name of nodes) joinNode(name);
    for (const name of nodes)
      await untilTrue(
        `${name} is ready`,
        async () => {
          const { status, text } = await server.api.send(`/api/v1/nodes/${name}`);
          return status === 200 && /"type":"Ready","status":"True"|"status":"True","type":"Ready"/.test(text.replaceAll(" ", ""));
        },
        { withinSeconds: 90 },
      );
    const { metadata } = (await server.api.send(path)).json<{ metadata: { resourceVersion: string } }>();
    void watch(metadata.resourceVersion);
    const working = Promise.all(Array.from({ length: writers }, (_, writer) => work(writer)));
    working.catch(() => undefined);
    for (let kill = 0; kill < kills; kill++) {
      const name = nodes[kill % agents] ?? "";
      const goal = made.length + writers;
      await untilTrue("work goes on", async () => made.length >= goal, { withinSeconds: 120, everyMs: 20 });
      await end(name);
      await sleep((kill % 4) * 400);
      joinNode(name);
    }
    done = true;
    await working;
    const calm = ({ exitCode, deleted }: Made, pod: Pod | undefined): boolean =>
      deleted
        ? pod === undefined
        : exitCode === undefined
          ? stateOf(pod).running !== undefined
          : pod?.status?.phase === phaseAfter(exitCode);
    for (const pod of made)
      await eventually(
        `${pod.name} is as it should be`,
        async () => {
          const found = await look(pod.name);
          if (calm(pod, found)) return true;
          throw new Error(JSON.stringify([pod, found?.spec?.nodeName, found?.status]));
        },
        { withinSeconds: 90 },
      );
  };
  try {
    await play();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    places: nodes.map((nodeName) => ({ nodeName, stateDirectory: join(scratch, nodeName) })),
    made,
    events,
    async startsOf(name) {
      const written = await readFile(join(scratch, `${name}.starts`), "utf8").catch(() => "");
      return written.split("\n").filter(Boolean).length;
    },
    async isAtWork(name) {
      const beat = async (): Promise<number> => (await stat(join(scratch, `${name}.beat`))).mtimeMs;
      const before = await beat();
      await sleep(beatMs * 5);
      return (await beat()) > before;
    },
    stop,
  };
}

export const phaseAfter = (exitCode: number): string => (exitCode === 0 ? "Succeeded" : "Failed");

/** Its container writes down that it began, and goes on to write while it is at work. */
function podOf({ name, exitCode }: Made, image: string, scratch: string): Pod {
  const begin = `echo began >> /e2e/${name}.starts`;
  const script =
    exitCode === undefined
      ? `${begin}; while :; do echo > /e2e/${name}.beat; sleep ${beatMs / 1000}; done`
      : `${begin}; sleep 0.5; exit ${exitCode}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      restartPolicy: exitCode === undefined ? "Always" : "Never",
      containers: [{ name: "main", image, command: ["sh", "-c", script], volumeMounts: [{ name: "e2e", mountPath: "/e2e" }] }],
      volumes: [{ name: "e2e", hostPath: { path: scratch } }],
    },
  };
}
