import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { stringify } from "yaml";
import { type RunningAgent, startAgent } from "../../agent/main.ts";
import { containerPorts } from "../../server/container/ports.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { dynamoClient, fetchDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { freePort } from "../free-port.ts";
import { runCommand } from "./commands.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { startFunctionHost } from "./function-host.ts";
import { createHttp, type HttpClient } from "./http.ts";
import { removeWithLeftovers } from "./leftovers.ts";
import { shellPod } from "./manifests.ts";
import { describeWith, findKubectl, itWith, type KubectlVersion, kubectlOf, needs } from "./needs.ts";
import { createTenantCluster, joinTokenOf, npmStart, startTableServers, type TableServers } from "./servers-fixture.ts";
import type { TlsListener } from "./tls-listener.ts";

const local = await fetchDynamoDbLocal();
const namespace = "/api/v1/namespaces/default";
const webPort = 18_475;
/** The last that speaks SPDY by itself, the first that asks by WebSocket, and the newest. */
const versions = ["1.30", "1.31", "1.33"] as const satisfies readonly KubectlVersion[];

describeWith(
  [local.need, needs.kubectl, needs.linux, needs.sh],
  "streams to pods whose agent calls functions, by a server beside them",
  () => {
    let fixture: TableServers;
    let functions: TlsListener;
    let server: string;
    let scratch: string;
    let agent: RunningAgent | undefined;
    let token: string;
    let path: string;
    let api: HttpClient;
    let kubeconfig: string;

    const clientOf = (url: string, bearer: string): HttpClient => createHttp(url, fixture.caPem + functions.caPem, bearer);
    const kubectl = (args: readonly string[], version: KubectlVersion, stdin?: string) =>
      runCommand(findKubectl(version) ?? "kubectl", args, {
        environment: { HOME: scratch, KUBECONFIG: kubeconfig },
        mayFail: true,
        ...(stdin !== undefined && { stdin }),
      });

    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), "coracle-beside-"));
      const port = String(await freePort());
      server = `https://127.0.0.1:${port}`;
      // As the container beside the functions is started, but that somebody has to turn clusters here.
      const settings = { CORACLE_PORT: port, CORACLE_SURFACES: "cluster", CORACLE_CONNECTIONS_URL: server };
      fixture = await startTableServers(local.folder, 1, (environment, home) => npmStart({ ...environment, ...settings }, home));
      const variables = {
        ...fixture.environment,
        CORACLE_CONNECTIONS_URL: server,
        CORACLE_BUSY_POLL_SECONDS: "0.5",
        CORACLE_IDLE_POLL_SECONDS: "1",
      };
      const table = new AwsTable(
        dynamoClient(fixture.environment.AWS_ENDPOINT_URL_DYNAMODB ?? ""),
        fixture.environment.CORACLE_TABLE ?? "",
      );
      functions = await startFunctionHost({ ...containerPorts(variables), table, tableOf: () => table });
      const byFunctions = {
        operatorKey: fixture.operatorKey,
        clients: (base: string, bearer: string) => [clientOf(`${functions.url}${base}`, bearer)],
      };
      ({ token, path } = await createTenantCluster(byFunctions));
      api = clientOf(`${server}${path}`, token);
      kubeconfig = join(scratch, "kubeconfig");
      const authority = Buffer.from(fixture.caPem + functions.caPem).toString("base64");
      const config = {
        ...{ apiVersion: "v1", kind: "Config", "current-context": "it" },
        clusters: [{ name: "it", cluster: { server: `${functions.url}${path}`, "certificate-authority-data": authority } }],
        users: [{ name: "it", user: { token } }],
        contexts: [{ name: "it", context: { cluster: "it", user: "it" } }],
      };
      await writeFile(kubeconfig, stringify(config), { mode: 0o600 });
      agent = await startAgent({
        ...{ serverUrl: functions.url, ca: fixture.caPem + functions.caPem, joinToken: await joinTokenOf(byFunctions) },
        ...{ runtime: "process", nodeName: "far", stateDirectory: join(scratch, "agent") },
        ...{ clock: systemClock, log: silentLog, random: Math.random, waitSeconds: 0 },
      });
      // The server turns what it is asked to write.
      const first = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "first" } };
      expect((await api.send(`${namespace}/configmaps`, { method: "POST", body: first })).status).toBe(201);
      await untilTrue("there is an account", async () => (await api.send(`${namespace}/serviceaccounts/default`)).status === 200);
      const script = `mkdir -p /tmp/beside; echo served > /tmp/beside/index.html; cd /tmp/beside; echo begun; exec python3 -m http.server ${webPort}`;
      expect((await api.send(`${namespace}/pods`, { method: "POST", body: shellPod("box", script) })).status).toBe(201);
      const phase = async () => (await api.send(`${namespace}/pods/box`)).json<Pod>().status?.phase;
      await untilTrue("the pod runs", async () => (await phase()) === "Running");
    });
    afterAll(async () => {
      await agent?.stop({ pods: "end" });
      functions?.close();
      api?.close();
      await fixture?.stop();
      if (scratch !== undefined) await removeWithLeftovers(scratch);
    });

    it("go through the server that a kubeconfig names", async () => {
      const address = `${server.replace("https", "wss")}${path}${namespace}/pods/box/exec?command=echo&command=hello&stdout=true`;
      const socket = new WebSocket(address, ["v5.channel.k8s.io"], { ca: fixture.caPem, headers: { authorization: `Bearer ${token}` } });
      const said: string[] = [];
      socket.on("message", (bytes: Buffer) => said.push(`${bytes[0]} ${bytes.subarray(1)}`));
      await once(socket, "close");
      expect(said.filter((line) => line !== "1 ")).toEqual(["1 hello\n", '3 {"metadata":{},"status":"Success"}']);
      const page = await api.send(`${namespace}/pods/box:${webPort}/proxy/`);
      expect([page.status, page.text]).toEqual([200, "served\n"]);
    });

    for (const version of versions) {
      itWith([kubectlOf(version)], `lead kubectl ${version}, which asks the function, to that server`, async () => {
        const ran = await kubectl(["exec", "-i", "box", "--", "sh", "-c", "cat; echo wrong >&2; exit 3"], version, "of the client");
        expect(ran).toMatchObject({ code: 3, stdout: "of the client", stderr: expect.stringContaining("wrong\n") });
        const page = await kubectl(["get", "--raw", `${path}${namespace}/pods/box:${webPort}/proxy/`], version);
        expect(page).toMatchObject({ code: 0, stdout: "served\n" });
        expect((await kubectl(["logs", "box"], version)).stdout).toContain("begun\n");
        expect(await throughForward(version)).toBe("served\n");
      });
    }

    async function throughForward(version: KubectlVersion): Promise<string> {
      const environment = { ...process.env, KUBECONFIG: kubeconfig };
      const child: ChildProcess = spawn(findKubectl(version) ?? "kubectl", ["port-forward", "pod/box", `:${webPort}`], {
        env: environment,
      });
      let seen = "";
      for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (seen += text));
      try {
        const port = await eventually("the port", async () => /127\.0\.0\.1:(\d+)/.exec(seen)?.[1]);
        return await (await fetch(`http://127.0.0.1:${port}/`)).text();
      } finally {
        child.kill("SIGKILL");
      }
    }
  },
);
