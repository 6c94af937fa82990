import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import type { ReceivedAnswer, Send } from "./replay.ts";

export interface ServerFixture {
  readonly send: Send;
  stop(): Promise<void>;
}

const kubeconfig = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string(), "certificate-authority-data": z.string() }) })).min(1),
  users: z.array(z.object({ user: z.object({ token: z.string() }) })).min(1),
});
const admin = z.object({ url: z.string(), apiKey: z.string() });
const readyWithinMs = 20_000;

/** Starts the embedded host on a free port with a state of its own and no nodes, and speaks to its default cluster. */
export async function startServer(): Promise<ServerFixture> {
  const folder = await mkdtemp(join(tmpdir(), "coracle-parity-"));
  const main = fileURLToPath(new URL("../../server/main.mjs", import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, CORACLE_DATA_DIR: folder, CORACLE_PORT: "0", CORACLE_NODES: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(child);
    const { clusters, users } = kubeconfig.parse(parse(await readFile(join(folder, "kubeconfig"), "utf8")));
    const [cluster] = clusters;
    const [user] = users;
    if (!cluster || !user) throw new Error("the kubeconfig names no cluster");
    const ca = Buffer.from(cluster.cluster["certificate-authority-data"], "base64").toString();
    const agent = new Agent({ keepAlive: true, ca });
    const { url, apiKey } = admin.parse(JSON.parse(await readFile(join(folder, "admin.json"), "utf8")));
    await restScheduler(createSend(url, apiKey, agent));
    return {
      send: createSend(cluster.cluster.server, user.user.token, agent),
      async stop() {
        agent.destroy();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The recorded kube-apiserver had no scheduler beside it, which would write into pods while they are looked at. */
async function restScheduler(send: Send): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ schedulingPaused: true });
  const { status, text } = await send({ method: "PATCH", path: "/v1/clusters/default", headers, body, streamMs: undefined });
  if (status !== 200) throw new Error(`the scheduler does not rest: ${status} ${text}`);
}

async function ready(child: ChildProcess): Promise<void> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("the server has no output");
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the server ${why}: ${output.slice(-2000)}`));
    const timer = setTimeout(() => fail("was not ready in time"), readyWithinMs);
    stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (!output.includes("is ready on")) return;
      clearTimeout(timer);
      resolve();
    });
    child.on("exit", () => fail("ended"));
  });
}

function createSend(server: string, token: string, agent: Agent): Send {
  return ({ method, path, headers, body, streamMs }) =>
    new Promise<ReceivedAnswer>((resolve, reject) => {
      const { authorization = `Bearer ${token}`, ...rest } = headers;
      const url = new URL(server.replace(/\/$/, "") + path);
      const outgoing = request(
        url,
        { method, agent, headers: authorization === "none" ? rest : { ...rest, authorization } },
        (incoming) => {
          const chunks: Buffer[] = [];
          const done = (): void => {
            const { warning } = incoming.headers;
            const type = incoming.headers["content-type"]?.split(";")[0] ?? "";
            resolve({ status: incoming.statusCode ?? 0, type, warning, text: Buffer.concat(chunks).toString() });
          };
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("end", done);
          incoming.on("error", done);
          if (streamMs !== undefined) {
            setTimeout(() => {
              done();
              outgoing.destroy();
            }, streamMs);
          }
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
}
