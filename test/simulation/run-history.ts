import { createHash } from "node:crypto";
import { revisionsPerPartition } from "../../shared/store/dynamo/keys.ts";
import { books } from "./actors/accountant.ts";
import { runActor } from "./actors/act.ts";
import { readLog } from "./actors/reader.ts";
import { type ActorState, type Backend, Host, type Scene } from "./bench.ts";
import { checkAll } from "./checks/all.ts";
import { createDynamoBackend } from "./dynamo/dynamo-backend.ts";
import type { Call, Violation } from "./history.ts";
import { createLmdbBackend } from "./lmdb/lmdb-backend.ts";
import { cluster, seen } from "./objects.ts";
import type { Plan } from "./plan.ts";
import { SimulatedProcess } from "./process.ts";
import { createRandom } from "./random.ts";
import { staged } from "./staged.ts";
import { World } from "./world.ts";

const startMs = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const mostHappenings = 100_000;
/** After everything was put right: within this every mirror shows everything, … */
const settleMs = 8000;
/** … and a second more for each partition of the log in which somebody died. */
const partitionMs = 1100;
const lookMs = 500;
/** How long those stay away that die in the middle of a commit. */
const deadMs = 5000;

export interface Outcome {
  readonly violations: readonly Violation[];
  readonly calls: readonly Call[];
  readonly happenings: number;
  /** The same for the same history. */
  readonly digest: string;
}

/** Plays one history from its beginning to its end and judges it. */
export async function runHistory(plan: Plan): Promise<Outcome> {
  const world = new World(createRandom(plan.seed, "world"), startMs);
  const backend = plan.host === "lmdb" ? createLmdbBackend(plan) : createDynamoBackend(plan, world);
  const actors = plan.actors.map((actor): ActorState => ({ plan: actor, left: actor.steps, position: undefined, values: 0, marks: [] }));
  const allDone = Promise.withResolvers<void>();
  const onDone = (): void => {
    if (actors.every(({ left }) => left === 0)) allDone.resolve();
  };
  const scene: Scene = { plan, world, calls: [], violations: [], actors, onDone };
  const hosts = plan.clocks.map((_, index) => new Host(index, scene, backend, runActor));
  const crash = await staged(world, play(scene, backend, hosts, allDone.promise), mostHappenings);
  if (crash) scene.violations.push(crash);
  const violations = [...scene.violations, ...checkAll(plan, scene.calls, backend.truth)];
  const digest = createHash("sha256").update(JSON.stringify(scene.calls)).update(String(world.happenings)).digest("hex").slice(0, 16);
  return { violations, calls: scene.calls, happenings: world.happenings, digest };
}

async function play(scene: Scene, backend: Backend, hosts: readonly Host[], allDone: Promise<void>): Promise<void> {
  const { plan, world } = scene;
  backend.healthy = true;
  const founder = auditor(scene, backend, "founder");
  await founder.store.createCluster(cluster);
  founder.process.crash();
  if (plan.host === "lmdb") backend.crashed();
  backend.healthy = false;
  for (const host of hosts) host.start();
  const peace = disturb(scene, backend, hosts);
  await allDone;
  peace();
  backend.healthy = true;
  for (const host of hosts) host.start();
  await world.sleep(1000 + longestPauseMs(plan));
  await audit(scene, backend, hosts);
}

/** What goes wrong by the plan; the returned function ends it. */
function disturb({ plan, world }: Scene, backend: Backend, hosts: readonly Host[]): () => void {
  let over = false;
  let asleep = false;
  const at = (atMs: number, run: () => void): void => {
    world.after(atMs, () => {
      if (!over) run();
    });
  };
  for (const { process, atMs, downMs } of plan.crashes) {
    at(atMs, () => hosts[process]?.crash());
    at(atMs + downMs, () => {
      if (!asleep) hosts[process]?.start();
    });
  }
  for (const { process, atMs } of plan.deaths) {
    at(atMs, () => hosts[process]?.doom());
    at(atMs + deadMs, () => {
      hosts[process]?.crash();
      if (!asleep) hosts[process]?.start();
    });
  }
  for (const { process, atMs, forMs } of plan.pauses) at(atMs, () => hosts[process]?.pause(forMs));
  for (const { process, atMs, offsetMs } of plan.clockSteps) {
    at(atMs, () => {
      const host = hosts[process];
      if (host?.running) host.process.setClock(offsetMs);
    });
  }
  // There is room again, and nobody is started anew for it; and once more.
  if (plan.diskTransactions !== undefined)
    for (const [index, atMs] of [300, 600, 900, 2000, 2500].entries())
      at(atMs, () => {
        backend.healthy = index % 2 === 0;
      });
  const { night } = plan;
  if (night) {
    const longMs = night.hours * hourMs;
    at(night.atMs, () => {
      asleep = true;
      for (const host of hosts) host.crash();
    });
    for (const share of [0.5, 0.98]) at(night.atMs + longMs * share, () => backend.sweep(night.swept));
    at(night.atMs + longMs, () => {
      asleep = false;
      for (const host of hosts) host.start();
    });
  }
  return () => {
    over = true;
  };
}

const longestPauseMs = ({ pauses }: Plan): number => Math.max(0, ...pauses.map(({ forMs }) => forMs));

function auditor(scene: Scene, backend: Backend, name: string): { process: SimulatedProcess; store: ReturnType<Backend["openStore"]> } {
  const process = new SimulatedProcess(name, scene.world, createRandom(scene.plan.seed, name));
  return { process, store: backend.openStore(process) };
}

/** When all is well again: everything is there, and everybody sees it. */
async function audit(scene: Scene, backend: Backend, hosts: readonly Host[]): Promise<void> {
  const { plan, world, calls, violations } = scene;
  const [first] = hosts;
  const store = plan.host === "lmdb" && first ? first.store : auditor(scene, backend, "auditor").store;
  const span = () => ({ actor: "auditor", startMs: world.nowMs, endMs: world.nowMs, paused: false });
  const { revision, floor } = await store.head(cluster);
  const boundMs = settleMs + (revision / revisionsPerPartition) * partitionMs;
  const untilMs = world.nowMs + boundMs;
  const behind = (): Host[] => hosts.filter(({ mirror }) => (mirror?.revision ?? 0) < revision);
  while (behind().length > 0 && world.nowMs < untilMs) await world.sleep(lookMs);
  for (const { index, mirror } of behind())
    violations.push({
      rule: "a mirror catches up",
      story: `process ${index} shows revision ${mirror?.revision ?? 0} of ${revision} ${Math.round(boundMs)} ms after all was well`,
    });
  const begun = span();
  const { revision: at, objects } = await store.snapshot(cluster);
  calls.push({
    ...begun,
    kind: "list",
    collection: undefined,
    revision: at,
    objects: objects.map(seen),
    failed: undefined,
    endMs: world.nowMs,
  });
  const actor: ActorState = {
    plan: { name: "auditor", role: "reader", process: 0, steps: 0 },
    left: 0,
    position: undefined,
    values: 0,
    marks: [],
  };
  if (first) await readLog(first, actor, floor);
  const records = await store.queryRecords(books);
  for (const { sort, version, value } of records)
    calls.push({ ...span(), kind: "balance", sort, version, amount: Number(value.amount ?? 0), value: String(value.value ?? "") });
}
