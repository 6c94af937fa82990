import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { operatorApiKey } from "../../shared/auth/api-key.ts";
import { createTable } from "../../shared/store/dynamo/create-table.ts";
import { type DynamoEmulator, startDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { createHttp, type HttpAnswer, type HttpClient } from "./http.ts";
import { readyUrl } from "./processes.ts";

export interface TableServer {
  readonly url: string;
  /** Of its process now. */
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** On the same port, after `kill`. */
  restart(): Promise<void>;
}

export interface TableServers {
  readonly servers: readonly TableServer[];
  /** A client of each server, by its index. */
  clients(base: string, token: string): readonly HttpClient[];
  readonly operatorKey: string;
  /** Of every server's certificate. */
  readonly caPem: string;
  /** What they are started with: whatever else works on the table needs the same. */
  readonly environment: Readonly<Record<string, string>>;
  /** What all of them wrote. */
  output(): string;
  stop(): Promise<void>;
}

/** Begins a server process with these variables, besides those of the test. `home`: where its files are. */
export type Begin = (environment: Readonly<Record<string, string>>, home: string) => ChildProcess;

const table = "coracle";
const readyWithinMs = 60_000;
const repository = fileURLToPath(new URL("../..", import.meta.url));

export const npmStart: Begin = (environment) =>
  spawn(process.execPath, [join(repository, "server/main.mjs")], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });

/** Server processes, by default as `npm start` runs them, over one table of DynamoDB Local, which lies in `folder`. */
export async function startTableServers(folder: string, count: number, begin: Begin = npmStart): Promise<TableServers> {
  const home = await mkdtemp(join(tmpdir(), "coracle-servers-"));
  // The server may be another user.
  await chmod(home, 0o777);
  const emulator = await startDynamoDbLocal(folder);
  const children = new Set<ChildProcess>();
  const opened: HttpClient[] = [];
  let output = "";
  const stop = async (): Promise<void> => {
    for (const client of opened) client.close();
    for (const child of children) child.kill("SIGKILL");
    await emulator.stop();
    await rm(home, { recursive: true, force: true });
  };

  try {
    await makeTable(emulator);
    const operatorSecret = randomBytes(16).toString("hex");
    await writeFile(join(home, "secret"), randomBytes(32).toString("hex"));
    await writeFile(join(home, "operator"), operatorSecret);
    const environment = {
      ...{ AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" },
      ...{ AWS_ENDPOINT_URL_DYNAMODB: emulator.endpoint, CORACLE_TABLE: table, CORACLE_CA_FILE: join(home, "ca.pem") },
      ...{ CORACLE_SECRET: `file:${join(home, "secret")}`, CORACLE_OPERATOR_SECRET: `file:${join(home, "operator")}` },
      ...{ CORACLE_LOG_LEVEL: "warn", CORACLE_REQUEST_BURST: "100000", CORACLE_REQUESTS_PER_SECOND: "100000" },
    };
    const start = async (port: string): Promise<{ child: ChildProcess; url: string }> => {
      const child = begin({ ...environment, CORACLE_PORT: port }, home);
      children.add(child);
      const url = await readyUrl(child, readyWithinMs, (text) => {
        output += text;
      });
      return { child, url };
    };
    const serverOf = async (): Promise<TableServer> => {
      let { child, url } = await start("0");
      return {
        url,
        get pid() {
          return child.pid;
        },
        async kill(signal) {
          const ended = once(child, "exit");
          child.kill(signal);
          await ended;
          children.delete(child);
        },
        async restart() {
          ({ child } = await start(new URL(url).port));
        },
      };
    };
    const servers = await Promise.all(Array.from({ length: count }, serverOf));
    const caPem = await readFile(join(home, "ca.pem"), "utf8");
    return {
      servers,
      caPem,
      environment,
      operatorKey: operatorApiKey(operatorSecret).token,
      output: () => output,
      clients(base, token) {
        const made = servers.map(({ url }) => createHttp(`${url}${base}`, caPem, token));
        opened.push(...made);
        return made;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeTable(emulator: DynamoEmulator): Promise<void> {
  const admin = emulator.client();
  await createTable(admin, table);
  admin.destroy();
}

/** A cluster of a tenant of its own; answers the path of its API and a token of its administrator. */
export async function createTenantCluster(
  { clients, operatorKey }: Pick<TableServers, "clients" | "operatorKey">,
  tenant = "acme",
): Promise<{ path: string; token: string }> {
  const post = async (client: HttpClient | undefined, path: string, body: object): Promise<HttpAnswer> => {
    const answer = await client?.send(path, { method: "POST", body });
    if (answer?.status !== 201) throw new Error(`${path}: ${answer?.status} ${answer?.text}`);
    return answer;
  };
  const [operator] = clients("", operatorKey);
  await post(operator, "/v1/tenants", { id: tenant, name: tenant });
  const { key } = (await post(operator, `/v1/tenants/${tenant}/keys`, { name: "test", scopes: ["clusters:write"] })).json<{
    key: string;
  }>();
  const [platform] = clients("", key);
  const { id } = (await post(platform, "/v1/clusters", { name: "dev" })).json<{ id: string }>();
  const { token } = (await post(platform, `/v1/clusters/${id}/credentials`, {})).json<{ token: string }>();
  return { path: `/clusters/${id}`, token };
}

/** For machines of the tenant's only cluster. */
export async function joinTokenOf({ clients, operatorKey }: Pick<TableServers, "clients" | "operatorKey">): Promise<string> {
  const [operator] = clients("", operatorKey);
  const scopes = ["clusters:read", "nodes:write"];
  const made = await operator?.send("/v1/tenants/acme/keys", { method: "POST", body: { name: "machines", scopes } });
  const [platform] = clients("", made?.json<{ key: string }>().key ?? "");
  const { items } = (await platform?.send("/v1/clusters"))?.json<{ items: { pool: string }[] }>() ?? { items: [] };
  const answer = await platform?.send(`/v1/pools/${items[0]?.pool}/join-tokens`, { method: "POST", body: {} });
  if (answer?.status !== 201) throw new Error(`no join token: ${answer?.status} ${answer?.text}`);
  return answer.json<{ token: string }>().token;
}
