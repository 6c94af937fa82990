import { createHandler as createAgentApi } from "../../../functions/agent-api.ts";
import { createHandler as createClusterApi } from "../../../functions/cluster-api.ts";
import { readEnvironment } from "../../../functions/environment.ts";
import type { BufferedAnswer, LambdaContext } from "../../../functions/lambda.ts";
import { createHandler as createMeter } from "../../../functions/meter.ts";
import { createHandler as createOnChange } from "../../../functions/on-change.ts";
import { createHandler as createPlatformApi } from "../../../functions/platform-api.ts";
import type { FunctionPorts } from "../../../functions/ports.ts";
import { createHandler as createReconcile } from "../../../functions/reconcile.ts";
import { openInstallation } from "../../../shared/host/installation.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import type { Item } from "../../../shared/store/dynamo/table.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { operatorSecret } from "../../unit/functions/function-bed.ts";
import { MemoryTable } from "../../unit/store/dynamo/memory-table.ts";
import { SimulatedDynamo, type Tap } from "../dynamo/simulated-dynamo.ts";
import { onlySlow, TableClient } from "../dynamo/table-client.ts";
import type { SimulatedProcess } from "../process.ts";
import { createRandom } from "../random.ts";
import type { World } from "../world.ts";
import { EventSource } from "./event-source.ts";
import type { FunctionsPlan } from "./functions-plan.ts";
import { InstancePool } from "./instance-pool.ts";

export const startMs = Date.UTC(2026, 0, 1, 12);
const secrets: Record<string, string> = { root: "r".repeat(64), operator: operatorSecret };
const environment = readEnvironment({
  ...{ CORACLE_TABLE: "coracle", CORACLE_SECRET: "root", CORACLE_OPERATOR_SECRET: "operator" },
  ...{ CORACLE_CLUSTER_API_URL: "https://clusters.example", CORACLE_USAGE_SECONDS: "3", CORACLE_IDLE_POLL_SECONDS: "10" },
  ...{ CORACLE_REQUEST_BURST: "10000", CORACLE_REQUESTS_PER_SECOND: "10000" },
});

/** Keys take real time to make: once for all histories. */
let installed: Promise<readonly Item[]> | undefined;
export function installation(): Promise<readonly Item[]> {
  installed ??= (async () => {
    const table = new MemoryTable();
    const clock = { now: () => startMs, after: () => () => {} };
    const store = new DynamoStore({ table, clock, random: Math.random, makeId: () => "installer" });
    await openInstallation(store, secrets.root ?? "", clock);
    return [...table.items.values()];
  })();
  return installed;
}

type Handler<A> = (event: unknown, context: LambdaContext) => Promise<A>;
type BatchAnswer = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** The serverless host: each function with its instances, the table that they share, and its stream. */
export class FunctionsHost {
  readonly dynamo: SimulatedDynamo;
  readonly source: EventSource;
  readonly platform: InstancePool<BufferedAnswer>;
  readonly cluster: InstancePool<BufferedAnswer>;
  readonly agents: InstancePool<BufferedAnswer>;
  readonly onChange: InstancePool<BatchAnswer>;
  readonly reconcile: InstancePool<unknown>;
  readonly meter: InstancePool<{ readonly closedDays: number }>;
  /** Nothing goes wrong. */
  healthy = true;
  readonly #plan: FunctionsPlan;
  readonly #world: World;

  constructor(plan: FunctionsPlan, world: World, items: readonly Item[], tap: Tap) {
    this.#plan = plan;
    this.#world = world;
    this.source = new EventSource(world, createRandom(plan.seed, "stream"), plan.stream, (Records) => this.onChange.invoke({ Records }));
    this.dynamo = new SimulatedDynamo(world, createRandom(plan.seed, "dynamo"), plan, (before, after) => {
      this.source.tap(before, after);
      tap(before, after);
    });
    for (const item of items) this.dynamo.write({ kind: "put", item });
    this.platform = this.#pool("platform", 30_000, 3, (ports) => createPlatformApi(ports) as Handler<BufferedAnswer>);
    this.cluster = this.#pool("cluster", 30_000, 6, (ports) => createClusterApi(ports) as Handler<BufferedAnswer>);
    this.agents = this.#pool("agents", 30_000, 4, (ports) => createAgentApi(ports) as Handler<BufferedAnswer>);
    this.onChange = this.#pool("change", 60_000, 3, (ports) => createOnChange(ports) as unknown as Handler<BatchAnswer>);
    this.reconcile = this.#pool("reconcile", 60_000, 1, (ports) => createReconcile(ports) as unknown as Handler<unknown>);
    this.meter = this.#pool("meter", 60_000, 2, (ports) => createMeter(ports) as unknown as Handler<{ closedDays: number }>);
  }

  #pool<A>(name: string, limitMs: number, most: number, create: (ports: () => FunctionPorts) => Handler<A>): InstancePool<A> {
    const { seed, clocksMs, cutShort } = this.#plan;
    return new InstancePool<A>({
      ...{ name, seed, world: this.#world, limitMs, most },
      clockOf: (index) => clocksMs[(index + name.length) % clocksMs.length] ?? 0,
      cutShort: () => (this.healthy ? 0 : cutShort),
      open: (process) => create(this.#portsOf(process)),
    });
  }

  table(process: SimulatedProcess): TableClient {
    return new TableClient(this.dynamo, process, () => (this.healthy ? onlySlow(this.#plan.faults) : this.#plan.faults));
  }

  #portsOf(process: SimulatedProcess): () => FunctionPorts {
    const table = this.table(process);
    const { clock, random } = process;
    const randomBytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => random.below(256)));
    const uid = (): string => {
      const hex = randomBytes(16).toString("hex");
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    };
    const ports: FunctionPorts = {
      ...{ environment, log: silentLog, clock, random: random.next, randomBytes, uid, table, tableOf: () => table },
      enqueue: () => Promise.reject(new Error("no queue")),
      resolve: () => Promise.reject(new Error("no names")),
      readSecret: (id) => Promise.resolve(secrets[id] ?? ""),
    };
    return () => ports;
  }
}
