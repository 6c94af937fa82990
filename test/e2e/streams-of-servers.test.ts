import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type RunningAgent, startAgent } from "../../agent/main.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { fetchDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { untilTrue } from "./eventually.ts";
import type { HttpClient } from "./http.ts";
import { removeWithLeftovers } from "./leftovers.ts";
import { shellPod } from "./manifests.ts";
import { describeWith, needs } from "./needs.ts";
import { createTenantCluster, joinTokenOf, startTableServers, type TableServers } from "./servers-fixture.ts";

const local = await fetchDynamoDbLocal();
const namespace = "/api/v1/namespaces/default";

/** Gives each connection to the next of several ports, as a balancer does. */
async function startBalancer(ports: readonly number[]): Promise<{ port: number; close(): void }> {
  let next = 0;
  const server = createServer((socket) => {
    const other = connect(ports[next++ % ports.length] ?? 0, "127.0.0.1");
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { port: typeof address === "object" ? (address?.port ?? 0) : 0, close: () => server.close() };
}

describeWith([local.need, needs.linux, needs.sh], "streams to pods through two servers over one table", () => {
  let fixture: TableServers;
  let clients: readonly HttpClient[];
  let balancer: { port: number; close(): void };
  let agent: RunningAgent | undefined;
  let state: string | undefined;
  let token: string;
  let path: string;

  beforeAll(async () => {
    fixture = await startTableServers(local.folder, 2);
    ({ token, path } = await createTenantCluster(fixture));
    clients = fixture.clients(path, token);
    balancer = await startBalancer(fixture.servers.map(({ url }) => Number(new URL(url).port)));
    state = await mkdtemp(join(tmpdir(), "coracle-streams-agent-"));
    agent = await startAgent({
      ...{
        serverUrl: `https://127.0.0.1:${balancer.port}`,
        ca: fixture.caPem,
        joinToken: await joinTokenOf(fixture),
        runtime: "process",
        nodeName: "far",
      },
      ...{ stateDirectory: state, clock: systemClock, log: silentLog, random: Math.random, waitSeconds: 0 },
    });
    await untilTrue("there is an account", async () => (await clients[0]?.send(`${namespace}/serviceaccounts/default`))?.status === 200);
    const answer = await clients[0]?.send(`${namespace}/pods`, { method: "POST", body: shellPod("box", "while true; do sleep 1; done") });
    expect(answer?.status).toBe(201);
    await untilTrue("the pod runs", async () => {
      const pod = (await clients[0]?.send(`${namespace}/pods/box`))?.json<Pod>();
      return pod?.status?.phase === "Running";
    });
  });
  afterAll(async () => {
    await agent?.stop({ pods: "end" });
    balancer?.close();
    await fixture?.stop();
    if (state !== undefined) await removeWithLeftovers(state);
  });

  it("go through whichever is asked, although the agent's tunnel comes to any", async () => {
    for (const { url } of fixture.servers) {
      const socket = new WebSocket(
        `${url.replace("https", "wss")}${path}${namespace}/pods/box/exec?command=echo&command=hello&stdout=true`,
        ["v5.channel.k8s.io"],
        {
          ca: fixture.caPem,
          headers: { authorization: `Bearer ${token}` },
        },
      );
      const said: string[] = [];
      socket.on("message", (bytes: Buffer) => said.push(`${bytes[0]} ${bytes.subarray(1)}`));
      await once(socket, "close");
      expect(said.filter((line) => line !== "1 ")).toEqual(["1 hello\n", '3 {"metadata":{},"status":"Success"}']);
    }
  });
});
