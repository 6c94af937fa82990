import { createHash } from "node:crypto";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { scopeOf } from "../../../shared/store/dynamo/keys.ts";
import { isVoid } from "../../../shared/store/dynamo/log-items.ts";
import type { Item } from "../../../shared/store/dynamo/table.ts";
import { isStoreError } from "../../../shared/store/store.ts";
import { keysOf } from "../actors/writer.ts";
import { SimulatedDynamo } from "../dynamo/simulated-dynamo.ts";
import { noFaults, TableClient } from "../dynamo/table-client.ts";
import type { Violation } from "../history.ts";
import { cluster, objectWith, pathOf, seen } from "../objects.ts";
import { SimulatedProcess } from "../process.ts";
import { createRandom } from "../random.ts";
import { staged } from "../staged.ts";
import { World } from "../world.ts";
import type { DropPlan } from "./drop-plan.ts";

const startMs = Date.UTC(2026, 0, 1);
const mostHappenings = 50_000;
const keys = keysOf(4);
const writersEach = 2;
/** So long is a table as ill as the plan has it: where two of three calls fail, nobody gets through a whole drop. */
const illMs = 60_000;
/** What DynamoDB has taken and not decided is decided by then. */
const lateMs = 6000;

interface WriteStory {
  readonly value: string;
  /** Absent: nobody knows whether it was done. */
  endMs: number | undefined;
}

interface Scene {
  readonly plan: DropPlan;
  readonly world: World;
  readonly dynamo: SimulatedDynamo;
  readonly writes: Map<string, WriteStory>;
  readonly told: unknown[];
  healthy: boolean;
  over: boolean;
}

interface Server {
  readonly process: SimulatedProcess;
  readonly store: DynamoStore;
}

/** A creation that is decided after the deletion would make the cluster anew; the platform's come with a record whose version keeps them from it. */
const founder = (scene: Scene, name: string): Server => serve(scene, name, { ...scene.plan.faults, late: 0 });

/** Of what was dropped nothing is seen again and nothing is left, whoever was still at it. */
export async function runDrop(plan: DropPlan) {
  const world = new World(createRandom(plan.seed, "world"), startMs);
  const dynamo = new SimulatedDynamo(world, createRandom(plan.seed, "dynamo"), plan, () => {});
  const scene: Scene = { plan, world, dynamo, writes: new Map(), told: [], healthy: false, over: false };
  const violations: Violation[] = [];
  const crash = await staged(world, play(scene, violations), mostHappenings);
  if (crash) violations.unshift(crash);
  const digest = createHash("sha256").update(JSON.stringify(scene.told)).update(String(world.happenings)).digest("hex").slice(0, 16);
  return { violations, happenings: world.happenings, digest, tell: () => scene.told.map((line) => JSON.stringify(line)) };
}

function serve(scene: Scene, name: string, faults = scene.plan.faults): Server {
  const { plan, world, dynamo } = scene;
  const process = new SimulatedProcess(name, world, createRandom(plan.seed, name));
  const table = new TableClient(dynamo, process, () => (scene.healthy ? noFaults : faults));
  let ids = 0;
  const makeId = (): string => `${++ids}-${name}`;
  return { process, store: new DynamoStore({ table, clock: process.clock, random: process.random.next, makeId }) };
}

async function play(scene: Scene, violations: Violation[]): Promise<void> {
  const { plan, world } = scene;
  const servers = Array.from({ length: plan.processes }, (_, index) => serve(scene, `p${index}`));
  await made(scene, founder(scene, "founder"));
  for (const [index, server] of servers.entries())
    for (let writer = 0; writer < writersEach; writer++) void write(scene, server, `w${index}.${writer}`);
  for (const { process, atMs, forMs } of plan.pauses) world.after(atMs, () => servers[process]?.process.pause(forMs));
  await world.sleep(plan.dropAtMs);
  const begunMs = world.nowMs;
  await dropped(scene);
  const ackMs = world.nowMs;
  scene.told.push({ dropped: ackMs - startMs });
  if (plan.remade) {
    await made(scene, founder(scene, "again"));
    await world.sleep(1500);
  }
  scene.healthy = true;
  scene.over = true;
  // Who was stopped in the middle of a commit goes on with it.
  await world.sleep(Math.max(0, ...plan.pauses.map(({ forMs }) => forMs)) + lateMs);
  violations.push(...(await left(scene, begunMs)));
}

async function made(scene: Scene, { store }: Server): Promise<void> {
  for (;;) {
    try {
      return await store.createCluster(cluster);
    } catch (error) {
      if (isStoreError(error, "RevisionConflict")) return;
      if (!isStoreError(error)) throw error;
      await scene.world.sleep(50);
    }
  }
}

/** Until somebody hears that it is done; who began may die. */
async function dropped(scene: Scene): Promise<void> {
  const { plan, world } = scene;
  const first = serve(scene, "dropper");
  if (plan.diesAfterMs !== undefined) {
    void first.store.dropCluster(cluster).catch(() => {});
    await world.sleep(plan.diesAfterMs);
    first.process.crash();
  }
  const second = serve(scene, "finisher");
  const wellMs = world.nowMs + illMs;
  for (;;) {
    try {
      if (world.nowMs > wellMs) scene.healthy = true;
      return await second.store.dropCluster(cluster);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      await world.sleep(50);
    }
  }
}

async function write(scene: Scene, { process, store }: Server, name: string): Promise<void> {
  for (let count = 0; !scene.over; count++) {
    await process.sleep(process.random.between(5, 60));
    const key = process.random.pick(keys);
    const value = `${name}:${count}`;
    const story: WriteStory = { value, endMs: undefined };
    try {
      const [found] = await store.latest(cluster, [key]);
      scene.writes.set(value, story);
      const [entry] = await store.commit(cluster, [
        { kind: "put", key, expected: found?.revision ?? 0, object: objectWith(key, value, "") },
      ]);
      story.endMs = scene.world.nowMs;
      scene.told.push({ value, path: pathOf(key), revision: entry?.revision, atMs: scene.world.nowMs - startMs });
    } catch (error) {
      if (!isStoreError(error)) throw error;
    }
  }
}

async function left(scene: Scene, begunMs: number): Promise<Violation[]> {
  const { plan, dynamo } = scene;
  const items = dynamo.keys().flatMap((key) => dynamo.get(key) ?? []);
  const scope = `${scopeOf(cluster)}#`;
  const heads = items.filter(({ pk }) => pk === `${scope}head`);
  const of = (item: Item): string => `${item.pk} ${item.sk}`;
  if (!plan.remade) {
    const rest = items.filter((item) => item.pk.startsWith(scope) && !isVoid(item));
    return rest.length === 0 ? [] : [{ rule: "of what was dropped nothing is left", story: rest.slice(0, 5).map(of).join(", ") }];
  }
  const incarnation = String(heads.find(({ sk }) => sk === "head")?.incarnation);
  const old = items.filter(({ pk }) => pk.startsWith(`${scope}log#`) && !pk.startsWith(`${scope}log#${incarnation}#`));
  const rest = old.filter((item) => !isVoid(item));
  const violations: Violation[] = [];
  if (rest.length > 0) violations.push({ rule: "of what was dropped nothing is left", story: rest.slice(0, 5).map(of).join(", ") });
  const { objects } = await serve(scene, "auditor").store.snapshot(cluster);
  for (const { path, value } of objects.map(seen)) {
    const story = scene.writes.get(value);
    if (story?.endMs !== undefined && story.endMs < begunMs)
      violations.push({ rule: "what was dropped is not seen again", story: `${path} holds ${value}, which was there before` });
  }
  const shown = new Set(objects.map(({ revision }) => revision));
  const lying = items.filter(
    ({ pk, deleted }) => /^(configmaps|secrets|apps)/.test(pk.slice(scope.length).replace(/^\//, "")) && deleted !== true,
  );
  const strange = lying.filter((item) => !shown.has(Number(item.revision)));
  if (strange.length > 0)
    violations.push({ rule: "nothing lies in a cluster that its log does not have", story: strange.slice(0, 5).map(of).join(", ") });
  return violations;
}
