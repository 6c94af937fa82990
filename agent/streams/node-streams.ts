import type { Duplex } from "node:stream";
import type { TunnelTarget } from "../../shared/api/agent/protocol.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { answerLogRequest, type LogContext } from "../logs/answer-log-request.ts";
import { observePod } from "../pod/observed.ts";
import type { PodWorker } from "../pod/worker.ts";
import type { PodFiles } from "../pod-files.ts";
import type { ContainerRuntime, RuntimePod, StreamingRuntime } from "../runtime.ts";
import type { RuntimeObserver } from "../runtime-observer.ts";
import { dial } from "./dial.ts";
import { joinStreams } from "./join.ts";
import { createNodeServer, type NodePods, NodeRefusal } from "./node-server.ts";
import { serveTunnel } from "./tunnel.ts";

export interface NodeStreamsOptions {
  readonly runtime: ContainerRuntime;
  readonly observer: RuntimeObserver;
  readonly workers: ReadonlyMap<string, PodWorker>;
  readonly files: PodFiles;
  readonly hostIps: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodeStreams {
  /** Serves a tunnel to its end. */
  serve(connection: Duplex): Promise<void>;
  logContext(podUid: string): Promise<LogContext>;
  close(): void;
}

/** What a node is asked for over connections: its logs, what runs in its containers, and its pods' ports. */
export function createNodeStreams(options: NodeStreamsOptions): NodeStreams {
  const { runtime, observer, workers, files, hostIps, clock, log } = options;
  const tunnels = new Set<{ close(): void }>();
  const server = createNodeServer(podsOf);

  const runningPod = async (uid: string): Promise<readonly RuntimePod[]> => (await observer.look()).get(uid) ?? [];
  const logContext = async (podUid: string): Promise<LogContext> => ({
    pods: await runningPod(podUid),
    worker: workers.get(podUid),
    ...{ files, observer, clock, hollow: runtime.kind === "hollow" },
  });
  const streaming = (): StreamingRuntime => {
    if (!runtime.streaming) throw new NodeRefusal(501, "the containers of this node are hollow: nothing runs in them");
    return runtime.streaming;
  };
  const containerOf = async (pod: Pod, name: string): Promise<string> => {
    const found = observePod(await runningPod(pod.metadata.uid ?? "")).latest.get(name);
    if (!found) throw new NodeRefusal(500, `container not found (${JSON.stringify(name)})`);
    if (found.state.kind !== "running")
      throw new NodeRefusal(500, `container ${JSON.stringify(name)} is in ${`container_${found.state.kind}`.toUpperCase()} state`);
    return found.id;
  };
  const sandboxOf = async (uid: string): Promise<RuntimePod["sandbox"] | undefined> =>
    (await runningPod(uid)).map(({ sandbox }) => sandbox).find(({ ready }) => ready);

  function podsOf(cluster: string): NodePods {
    return {
      list: () => [...workers.values()].flatMap((worker) => (worker.cluster === cluster ? [worker.pod] : [])),
      async exec(pod, container, command) {
        const { exec } = streaming();
        const id = await containerOf(pod, container);
        if (command.length === 0) throw new NodeRefusal(500, "no command specified");
        return (io) => exec(id, command, io);
      },
      async attach(pod, container) {
        const { attach } = streaming();
        const id = await containerOf(pod, container);
        const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
        const tty = [...initContainers, ...containers, ...ephemeralContainers].find(({ name }) => name === container)?.tty === true;
        // Whether there is a terminal was settled when the container was started.
        return (io) => attach(id, { ...io, tty, stderr: tty ? undefined : io.stderr });
      },
      async forward(pod) {
        const { forward } = streaming();
        const sandbox = await sandboxOf(pod.metadata.uid ?? "");
        if (!sandbox) throw new NodeRefusal(500, "pod is not running");
        return (port) => forward(sandbox.id, port);
      },
      async log(pod, container, query) {
        const { namespace = "", name = "", uid = "" } = pod.metadata;
        const number = (field: string): number | undefined => (/^\d+$/.test(query.get(field) ?? "") ? Number(query.get(field)) : undefined);
        const [tailLines, limitBytes, sinceSeconds] = [number("tailLines"), number("limitBytes"), number("sinceSeconds")];
        const flag = (field: string): boolean => query.get(field) === "true";
        const answer = answerLogRequest(
          {
            ...{ kind: "log", cluster, namespace, pod: name, podUid: uid, container },
            options: {
              ...{ follow: flag("follow"), previous: flag("previous"), timestamps: flag("timestamps") },
              ...(tailLines !== undefined && { tailLines }),
              ...(limitBytes !== undefined && limitBytes > 0 && { limitBytes }),
              ...(sinceSeconds !== undefined && sinceSeconds > 0 && { sinceSeconds }),
            },
          },
          await logContext(uid),
        );
        if (answer.kind === "problem") throw new NodeRefusal(answer.problem.status, answer.problem.detail ?? answer.problem.title);
        return answer.body;
      },
    };
  }

  const dialTarget = async (target: Exclude<TunnelTarget, { kind: "node" }>): Promise<Duplex> => {
    if (target.kind === "machine") {
      const [host] = hostIps();
      if (host === undefined) throw new Error("the machine has no address");
      return dial(host, target.port);
    }
    const isOfCluster = workers.get(target.podUid)?.cluster === target.cluster;
    const host = isOfCluster ? (await sandboxOf(target.podUid))?.ips[0] : undefined;
    if (host === undefined) throw new Error("the pod is not running");
    if (runtime.kind === "hollow")
      throw new Error(`dial tcp ${host}:${target.port}: the containers of this node are hollow: nothing listens`);
    return dial(host, target.port);
  };

  return {
    logContext,
    async serve(connection) {
      const tunnel = serveTunnel(connection, (target, stream) => {
        if (target.kind === "node") return server.serve(stream.accept(), target.cluster);
        dialTarget(target).then(
          (socket) => {
            const accepted = stream.accept();
            if (accepted.destroyed) return void socket.destroy();
            void joinStreams(accepted, socket);
          },
          (error: unknown) => stream.refuse(error instanceof Error ? error.message : String(error)),
        );
      });
      tunnels.add(tunnel);
      log.debug("tunnel to the server opened");
      await tunnel.ended;
      tunnels.delete(tunnel);
    },
    close() {
      for (const tunnel of tunnels) tunnel.close();
      server.close();
    },
  };
}
