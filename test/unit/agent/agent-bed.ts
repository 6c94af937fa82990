import { createNodeAgent, type NodeAgent } from "../../../agent/agent.ts";
import { createHollowRuntime } from "../../../agent/hollow/hollow-runtime.ts";
import { noPodFiles, type PodFiles } from "../../../agent/pod-files.ts";
import type { ContainerRuntime } from "../../../agent/runtime.ts";
import { createHttpTransport, type Fetch, joinPool } from "../../../agent/transport.ts";
import { createAgentApi } from "../../../shared/api/agent/agent-api.ts";
import type { PoolCluster } from "../../../shared/api/agent/ports.ts";
import { createStreamBroker } from "../../../shared/api/agent/stream-broker.ts";
import { events, pods, serviceAccounts } from "../../../shared/kubernetes/known-resources.ts";
import type { Event, Pod, PodSpec } from "../../../shared/kubernetes/types.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakePool, describedNode } from "../api/agent/fake-pool.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";
import { createFakeCluster } from "../controllers/fake-cluster.ts";

export interface AgentBedOptions {
  readonly runtime?: ContainerRuntime;
  readonly files?: PodFiles;
  readonly clock?: FakeClock;
  /** Answers a call in the server's place; throws where there is no answer. */
  readonly between?: (body: string) => Response | undefined;
}

/** A server and one agent that meet in memory, on a clock that moves only when told to. */
export async function createAgentBed(given: AgentBedOptions = {}) {
  const clock = given.clock ?? createFakeClock();
  const cluster = createFakeCluster(clock);
  const member: PoolCluster = { id: "c1", draining: false, apiPath: "/clusters/c1", view: cluster.view, client: cluster.client };
  const pool = createFakePool([member]);
  let ids = 0;
  const newId = () => `id${++ids}`;
  const streams = createStreamBroker({ clock, newId });
  const tokens = { issue: async () => ({ token: `jwt-${++ids}`, expiresAtMs: clock.now() + 3_600_000 }) };
  const server = () => createAgentApi({ pool, tokens, streams, clock, log: silentLog, newId });
  let current: ReturnType<typeof server> | undefined = server();
  const fetch: Fetch = async (url, init) => {
    if (current === undefined) throw new TypeError("fetch failed");
    return given.between?.(String(init.body)) ?? current.app.request(url, init);
  };
  const runtime = given.runtime ?? createHollowRuntime({ nodeIndex: 0, clock });
  const description = describedNode("n1", runtime.kind);
  const http = { serverUrl: "http://server", fetch };
  const { credential } = await joinPool(http, { token: "good", node: description });
  await cluster.client.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  const startAgent = (): NodeAgent =>
    createNodeAgent({
      nodeName: "n1",
      transport: createHttpTransport(http, credential),
      runtime,
      files: given.files ?? noPodFiles,
      describe: async () => description,
      apiServer: { host: "server", port: 443 },
      network: undefined,
      clock,
      random: () => 0.5,
      log: silentLog,
    });
  let agent = startAgent();

  /** Lets everything happen that happens within this time. */
  const pass = async (milliseconds: number): Promise<void> => {
    for (let left = milliseconds; left > 0; left -= 50) {
      for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(Math.min(50, left));
    }
    for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
  };

  return {
    clock,
    cluster,
    pool,
    runtime,
    streams,
    pass,
    agent: () => agent,
    async restartAgent() {
      await agent.stop();
      agent = startAgent();
    },
    serverAway() {
      current?.close();
      current = undefined;
    },
    serverBack() {
      current = server();
    },
    async addPod(name: string, spec: Partial<PodSpec> = {}, metadata: Pod["metadata"] = {}) {
      const pod: Pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default", ...metadata },
        spec: {
          nodeName: "n1",
          restartPolicy: "Always",
          terminationGracePeriodSeconds: 30,
          serviceAccountName: "default",
          containers: [{ name: "main", image: "busybox", imagePullPolicy: "IfNotPresent" }],
          ...spec,
        },
        status: { phase: "Pending", qosClass: "BestEffort" },
      };
      await cluster.client.create(pods, pod);
      // The fake clears a status at creation, as the API does; what the API sets itself is put back.
      cluster.edit<Pod>(pods, "default", name, (made) => {
        made.status = { phase: "Pending", qosClass: "BestEffort" };
        return made;
      });
    },
    pod: (name: string) => cluster.get<Pod>(pods, "default", name),
    deletePod: (name: string, gracePeriodSeconds = 30) => cluster.client.delete(pods, "default", name, { gracePeriodSeconds }),
    reasons: () => cluster.all<Event>(events).map(({ reason }) => reason),
    stop: (pods?: "keep" | "end") => agent.stop(pods),
  };
}
