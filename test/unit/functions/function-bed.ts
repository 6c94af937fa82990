import { randomBytes, randomUUID } from "node:crypto";
import { createHandler as createAgentApi } from "../../../functions/agent-api.ts";
import { functionClock } from "../../../functions/clock.ts";
import { createHandler as createClusterApi } from "../../../functions/cluster-api.ts";
import { readEnvironment } from "../../../functions/environment.ts";
import type { BufferedAnswer } from "../../../functions/lambda.ts";
import { streamFilters } from "../../../functions/names/table.ts";
import { createHandler as createOnChange } from "../../../functions/on-change.ts";
import { createHandler as createPlatformApi } from "../../../functions/platform-api.ts";
import type { FunctionPorts } from "../../../functions/ports.ts";
import { createHandler as createReconcile } from "../../../functions/reconcile.ts";
import { ownAccess, sessionAccess } from "../../../infra/table-access.ts";
import { operatorApiKey } from "../../../shared/auth/api-key.ts";
import type { Clock } from "../../../shared/clock.ts";
import { type Item, type ItemKey, keyOfWrite, type Table, type Write } from "../../../shared/store/dynamo/table.ts";
import { createJsonLog } from "../../../shared/telemetry/log.ts";
import { confinedTable, sessionTable } from "../infra/confined-table.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

export interface StreamRecord {
  readonly eventName: "INSERT" | "MODIFY" | "REMOVE";
  readonly dynamodb: { readonly SequenceNumber: string; readonly Keys: Record<"pk" | "sk", { S: string }>; readonly NewImage: unknown };
}

/** A table that tells its stream what the event source's filter lets through, and counts what is asked of it. */
class StreamedTable extends MemoryTable {
  readonly stream: StreamRecord[] = [];
  reads: string[] = [];
  writes = 0;
  #sequence = 0;

  override async get(...args: Parameters<Table["get"]>) {
    this.reads.push(args[0].pk);
    return super.get(...args);
  }
  override async getMany(...args: Parameters<Table["getMany"]>) {
    for (const { pk } of args[0]) this.reads.push(pk);
    return super.getMany(...args);
  }
  override async query(...args: Parameters<Table["query"]>) {
    this.reads.push(args[0]);
    return super.query(...args);
  }
  override async write(write: Write): Promise<Item | undefined> {
    return this.#told([write], () => super.write(write));
  }
  override async writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return this.#told(writes, () => super.writeTogether(writes, token));
  }

  async #told<T>(writes: readonly Write[], run: () => Promise<T>): Promise<T> {
    this.writes++;
    const keys = writes.map(keyOfWrite);
    const imageOf = ({ pk, sk }: ItemKey) => this.items.get(`${pk}\u0000${sk}`);
    const before = keys.map(imageOf);
    const answer = await run();
    for (const [index, { pk, sk }] of keys.entries()) {
      const type = imageOf({ pk, sk })?.type;
      const record: StreamRecord = {
        eventName: writes[index]?.kind === "delete" ? "REMOVE" : before[index] ? "MODIFY" : "INSERT",
        dynamodb: {
          SequenceNumber: String(++this.#sequence).padStart(21, "0"),
          Keys: { pk: { S: pk }, sk: { S: sk } },
          NewImage: typeof type === "string" ? { type: { S: type } } : {},
        },
      };
      if (streamFilters.some((filter) => passes(filter, record))) this.stream.push(record);
    }
    return answer;
  }
}

/** As an event source's filter decides: each list names what may stand there (Lambda, "Event filtering"). */
function passes(filter: unknown, value: unknown): boolean {
  if (Array.isArray(filter)) return filter.includes(value);
  if (typeof filter !== "object" || filter === null || typeof value !== "object" || value === null) return false;
  return Object.entries(filter).every(([key, part]) => passes(part, Object.entries(value).find(([name]) => name === key)?.[1]));
}

export const operatorSecret = "abcdefghijklmnopqrstuvwxyz012345";
const secrets: Record<string, string> = { root: "r".repeat(64), operator: operatorSecret };

export type Program = keyof typeof ownAccess;

export interface BedOptions {
  readonly clock?: Clock;
  readonly variables?: Record<string, string>;
  readonly tableOf?: (table: StreamedTable) => Table;
  /** Each function reaches what the stacks let it reach, in its own name and in a tenant's; false: everything. */
  readonly confined?: boolean;
  /** Told of what the functions do in their own name. */
  readonly onOwnUse?: (program: Program, action: string, partition: string) => void;
  /** And of what they do in a tenant's. */
  readonly onSessionUse?: (role: keyof typeof sessionAccess, tenant: string, action: string, partition: string) => void;
}

/** The role whose sessions a program takes on. */
const roleOf = (program: Program): keyof typeof sessionAccess =>
  program === "clusterApi" || program === "container" ? "clusterApi" : "others";

type UrlHandler = (event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<BufferedAnswer>;

/** A request as a function URL hands it on. */
export function urlEventOf(method: string, path: string, token: string, body?: unknown) {
  const [rawPath = "", rawQueryString = ""] = path.split("?");
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  return {
    ...{ version: "2.0", rawPath, rawQueryString },
    headers: { host: "fn.example", "content-type": type, ...(token !== "" && { authorization: `Bearer ${token}` }) },
    requestContext: { domainName: "fn.example", http: { method, path: rawPath } },
    ...(body !== undefined && { body: Buffer.from(JSON.stringify(body)).toString("base64"), isBase64Encoded: true }),
  };
}

/** The functions over one table in memory, called as Lambda calls them. Each `instance` is a cold start. */
export function createFunctionBed(options: BedOptions = {}) {
  const { clock = functionClock, variables = {}, tableOf = (table) => table, confined = true, onOwnUse, onSessionUse } = options;
  const table = new StreamedTable();
  const logged: string[] = [];
  const denied: string[] = [];
  const log = createJsonLog((line) => logged.push(line), clock.now, "warn");
  const environment = readEnvironment({
    CORACLE_TABLE: "coracle",
    CORACLE_SECRET: "root",
    CORACLE_OPERATOR_SECRET: "operator",
    CORACLE_CLUSTER_API_URL: "https://clusters.example",
    ...variables,
  });
  /** `program`: confined to what this one may reach. */
  const ports = (its: Clock = clock, program?: Program): (() => FunctionPorts) => {
    const all = tableOf(table);
    const onDenied = (call: string): void => void denied.push(`${program}: ${call}`);
    const own =
      confined && program
        ? confinedTable(all, ownAccess[program], { used: (...use) => onOwnUse?.(program, ...use), denied: onDenied })
        : all;
    const sessions = new Map<string, Table>();
    const role = roleOf(program ?? "platformApi");
    const sessionOf = (tenant: string): Table => {
      const session =
        sessions.get(tenant) ??
        sessionTable(all, sessionAccess[role], tenant, { used: (...use) => onSessionUse?.(role, tenant, ...use), denied: onDenied });
      sessions.set(tenant, session);
      return session;
    };
    const made: FunctionPorts = {
      ...{ environment, log, clock: its, random: Math.random, randomBytes, uid: randomUUID },
      ...{ table: own, tableOf: own === all ? () => own : sessionOf },
      enqueue: () => Promise.reject(new Error("no queue")),
      resolve: () => Promise.reject(new Error("no names")),
      readSecret: async (id) => secrets[id] ?? "",
    };
    return () => made;
  };
  const contextOf = (milliseconds: number) => {
    const endMs = clock.now() + milliseconds;
    return { getRemainingTimeInMillis: () => endMs - clock.now() };
  };
  const call = async (handler: UrlHandler, event: unknown) => {
    const answer = await handler(event, contextOf(30_000));
    const text = Buffer.from(answer.body, "base64").toString("utf8");
    return { status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) };
  };
  const caller = (handler: UrlHandler) => (method: string, path: string, token: string, body?: unknown) =>
    call(handler, urlEventOf(method, path, token, body));
  const instance = (its: Clock = clock) => {
    const onChange = createOnChange(ports(its, "onChange"));
    const reconcile = createReconcile(ports(its, "reconcile"));
    return {
      platform: caller(createPlatformApi(ports(its, "platformApi")) as UrlHandler),
      cluster: caller(createClusterApi(ports(its, "clusterApi")) as UrlHandler),
      agent: caller(createAgentApi(ports(its, "agentApi")) as UrlHandler),
      onChange: (records: readonly unknown[], milliseconds = 60_000) => onChange({ Records: records }, contextOf(milliseconds) as never),
      reconcile: (milliseconds = 60_000) => reconcile({ source: "aws.events" }, contextOf(milliseconds) as never),
    };
  };
  return {
    table,
    logged,
    /** What functions tried and the stacks do not let them do. */
    denied,
    ports,
    call: (handler: unknown, event: unknown) => call(handler as UrlHandler, event),
    instance,
    operatorKey: operatorApiKey(operatorSecret).token,
  };
}

export type Bed = ReturnType<typeof createFunctionBed>;
export type Instance = ReturnType<Bed["instance"]>;

/** Delivers what the stream holds, and what comes of that, until it is empty. */
export async function drainStream({ table }: Bed, { onChange }: Pick<Instance, "onChange">): Promise<void> {
  while (table.stream.length > 0) await onChange(table.stream.splice(0));
}

/** A tenant, an API key of its, a cluster and a token for it. */
export async function createCluster(
  { operatorKey }: Pick<Bed, "operatorKey">,
  { platform }: Pick<Instance, "platform">,
  tenant = "acme",
  name = "dev",
) {
  const made = await platform("POST", "/v1/tenants", operatorKey, { id: tenant, name: tenant });
  if (made.status !== 201) throw new Error(made.text);
  const key = (
    await platform("POST", `/v1/tenants/${tenant}/keys`, operatorKey, {
      name: "ci",
      scopes: ["clusters:write", "nodes:write"],
    })
  ).json();
  const cluster = (await platform("POST", "/v1/clusters", key.key, { name })).json();
  const credentials = (await platform("POST", `/v1/clusters/${cluster.id}/credentials`, key.key, {})).json();
  const join = (await platform("POST", `/v1/pools/${cluster.pool}/join-tokens`, key.key, {})).json();
  return { id: cluster.id as string, pool: cluster.pool as string, key: key.key as string, credentials, join };
}
