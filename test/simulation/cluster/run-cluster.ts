import { createHash } from "node:crypto";
import type { Binding } from "../../../shared/api/object-client.ts";
import { createHostBase } from "../../../shared/host/base.ts";
import { pods, replicaSets } from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { Pod, ReplicaSet } from "../../../shared/kubernetes/types.ts";
import { clusterPartitions } from "../../../shared/store/cluster-records.ts";
import { objectPath } from "../../../shared/store/dynamo/keys.ts";
import type { Store } from "../../../shared/store/store.ts";
import { objectOf } from "../../../shared/store/view.ts";
import type { Backend } from "../bench.ts";
import { createDynamoBackend } from "../dynamo/dynamo-backend.ts";
import type { SeenEntry, Violation } from "../history.ts";
import { cluster } from "../objects.ts";
import { SimulatedProcess } from "../process.ts";
import { createRandom, type Random } from "../random.ts";
import { staged } from "../staged.ts";
import { World } from "../world.ts";
import type { ClusterPlan } from "./cluster-plan.ts";
import { attend, disturbPods, joinMachine, machineName, scale, tried, unbound, want } from "./people.ts";
import { checkClaims, checkFences, checkPods, type PodChange } from "./pod-checks.ts";
import { type FencedCommit, invocationMs, Server } from "./server.ts";
import { WakeUps } from "./wake-ups.ts";

const startMs = Date.UTC(2026, 0, 1);
const mostHappenings = 150_000;
/** After everything was put right, what is wanted is there within this. */
const settleMs = 70_000;
const lookMs = 3000;
/** Changes in pairs when all else is quiet, and how soon each has to be there. */
const quietSteps = 6;
const quietMs = 45_000;
const actedOnMs = 1500;
/** What a holder that was frozen at the beginning held is free by then. */
const leaseEndMs = 31_000;
const lateSteps = 4;

interface Scene {
  readonly plan: ClusterPlan;
  readonly world: World;
  readonly backend: Backend;
  readonly servers: (Server | undefined)[];
  readonly random: Random;
  readonly changes: PodChange[];
  /** Machines that have their Node. */
  readonly joined: Set<string>;
  readonly wakeUps: WakeUps;
  readonly fenced: FencedCommit[];
  readonly violations: Violation[];
  /** From then on pods run on, nobody disturbs, and the cluster settles. */
  calm: boolean;
  /** Agents rest: nothing wakes the loops but what somebody wants. */
  quiet: boolean;
  /** From then on nobody acts but the loops. */
  over: boolean;
}

export async function runCluster(
  plan: ClusterPlan,
): Promise<{ violations: readonly Violation[]; happenings: number; digest: string; changes: readonly PodChange[] }> {
  const world = new World(createRandom(plan.seed, "world"), startMs);
  const changes: PodChange[] = [];
  const joined = new Set<string>();
  const wakeUps = new WakeUps(world, invocationMs);
  const onEntry = (entry: SeenEntry, object: KubernetesObject): void => {
    wakeUps.changed(entry.revision);
    if (entry.path.startsWith("nodes\u0001")) joined.add(object.metadata.name ?? "");
    if (entry.path.startsWith("pods\u0001")) changes.push(changeOf(entry, object as Pod));
  };
  const backend = createDynamoBackend(plan, world, onEntry, createHostBase("CA", objectPath));
  const scene: Scene = {
    ...{ plan, world, backend, changes, joined, wakeUps },
    servers: [],
    random: createRandom(plan.seed, "people"),
    fenced: [],
    violations: [],
    calm: false,
    quiet: false,
    over: false,
  };
  const crash = await staged(world, play(scene), mostHappenings);
  const violations = [...(crash ? [crash] : []), ...scene.violations, ...checkPods(changes, plan.room), ...checkFences(scene.fenced)];
  const faults = backend.truth.faults.map((story) => ({ rule: "a place of the log is written once", story }));
  const digest = createHash("sha256").update(JSON.stringify(changes)).update(String(world.happenings)).digest("hex").slice(0, 16);
  return { violations: [...faults, ...violations], happenings: world.happenings, digest, changes };
}

const changeOf = ({ revision, type }: SeenEntry, { metadata, spec, status }: Pod): PodChange => ({
  ...{ revision, type, name: metadata.name ?? "", uid: metadata.uid ?? "", node: spec?.nodeName ?? "" },
  ended: status?.phase === "Succeeded" || status?.phase === "Failed",
});

async function play(scene: Scene): Promise<void> {
  const { plan, world, backend } = scene;
  backend.healthy = true;
  const founder = new SimulatedProcess("founder", world, createRandom(plan.seed, "founder"));
  await backend.openStore(founder).createCluster(cluster);
  for (let index = 0; index < plan.servers; index++) start(scene, index, 0);
  await world.sleep(1500);
  for (let index = 0; index < plan.machines; index++) await onSome(scene, ({ api }) => api && joinMachine(api.client, index, plan.room));
  backend.healthy = false;
  const away = new Set<number>();
  const peace = disturb(scene, away);
  for (let index = 0; index < plan.machines; index++) void agent(scene, index, away);
  for (let index = 0; index < plan.rivals; index++) void rival(scene);
  const begunMs = world.nowMs;
  await disturbances(scene, plan.steps);
  if (stopsMs(plan) > 0) {
    // Others have work when who was frozen comes back.
    await world.sleep(begunMs + leaseEndMs - world.nowMs);
    await disturbances(scene, lateSteps);
  }
  peace();
  away.clear();
  backend.healthy = true;
  scene.calm = true;
  for (let index = 0; index < plan.servers; index++) start(scene, index, 99);
  // What was stopped goes on before anybody looks.
  await world.sleep(Math.max(lookMs, stopsMs(plan)));
  // Who asked to join a server that was stopped, and gave up, asks again.
  for (let index = 0; index < plan.machines; index++)
    if (!scene.joined.has(machineName(index))) await onSome(scene, ({ api }) => api && joinMachine(api.client, index, plan.room));
  const auditor = backend.openStore(new SimulatedProcess("auditor", world, createRandom(plan.seed, "auditor")));
  let problem = await settled(scene, auditor, settleMs);
  scene.quiet = true;
  for (let step = 0; step < quietSteps && !problem; step++) {
    // The second comes while the loops are at the first, or end with it.
    const changed = scene.changes.length;
    await onSome(scene, ({ api }) => api && scale(api.client, 0, step % 2));
    await world.until(() => scene.changes.length > changed + 1, scene.random.pick([0, actedOnMs]));
    await world.sleep(scene.random.between(0, 1000));
    await onSome(scene, ({ api }) => api && scale(api.client, 1, step % 2));
    problem = await settled(scene, auditor, quietMs);
  }
  scene.over = true;
  await world.sleep(lookMs);
  if (problem) scene.violations.push({ rule: "what is wanted comes to be", story: problem });
  scene.violations.push(...checkClaims(scene.changes, await committed(auditor)));
}

/** Looks until all is as it is wanted; answers what is not so when that lasts too long. */
async function settled({ world, plan }: Scene, auditor: Store, withinMs: number): Promise<string | undefined> {
  const untilMs = world.nowMs + withinMs;
  let problem = await unsettled(auditor, plan);
  for (; problem && world.nowMs < untilMs; problem = await unsettled(auditor, plan)) await world.sleep(lookMs);
  return problem;
}

async function disturbances(scene: Scene, steps: number): Promise<void> {
  const { plan, world, random } = scene;
  const room = plan.machines * plan.room;
  const [least, most] = plan.crowded ? [room, room + 3] : [0, Math.max(1, Math.floor((room * 2) / 3))];
  for (let step = 0; step < steps; step++) {
    await world.sleep(random.between(100, 1200));
    await onSome(scene, (server) =>
      random.chance(0.3) ? disturbPods(server, random) : server.api && want(server.api.client, random, least, most),
    );
  }
}

/** The longest that somebody is stopped. */
const stopsMs = ({ pauses, freezes }: ClusterPlan): number => Math.max(0, ...[...pauses, ...freezes].map(({ forMs }) => forMs));

function start(scene: Scene, index: number, run: number): void {
  const { plan, world, backend, servers, fenced } = scene;
  if (servers[index]) return;
  const name = `s${index}.${run}`;
  const process = new SimulatedProcess(name, world, createRandom(plan.seed, name), plan.clocks[index]);
  const freezes = plan.freezes.filter(({ server }) => server === index);
  let commits = 0;
  servers[index] = new Server(
    process,
    backend.openStore(process),
    {
      before() {
        commits++;
        if (!scene.calm) for (const { commit, forMs } of freezes) if (commit === commits) process.pause(forMs);
      },
      landed: (commit) => fenced.push(commit),
    },
    scene.wakeUps,
  );
}

/** A client waits for an answer as long as clients do, then asks another server. */
async function onSome({ servers, world, random }: Scene, ask: (server: Server) => Promise<unknown> | undefined): Promise<void> {
  const up = servers.filter((server) => server?.api !== undefined);
  if (up.length === 0) return;
  const server = random.pick(up);
  if (server) await Promise.race([ask(server), world.sleep(3000)]);
}

async function agent(scene: Scene, index: number, away: ReadonlySet<number>): Promise<void> {
  while (!scene.over) {
    await scene.world.sleep(scene.random.between(200, 900));
    if (!away.has(index) && !scene.quiet)
      await onSome(scene, (server) => attend(server, machineName(index), scene.random, scene.calm ? 0 : scene.plan.ending));
  }
}

/** A scheduler that is always behind: it binds what it saw unbound when it looked the last time. */
async function rival(scene: Scene): Promise<void> {
  const { plan, world, random } = scene;
  let seen: Binding[] = [];
  while (!scene.calm) {
    await world.sleep(random.between(50, 600));
    await onSome(scene, async (server) => {
      const late = seen;
      seen = unbound(server, random, plan.machines);
      if (server.api && late.length > 0) await tried(server.api.client.bind(late));
    });
  }
}

function disturb(scene: Scene, away: Set<number>): () => void {
  const { plan, world, servers } = scene;
  let over = false;
  let runs = 0;
  const at = (atMs: number, run: () => void): void => {
    world.after(atMs, () => {
      if (!over) run();
    });
  };
  for (const { server, atMs, downMs } of plan.crashes) {
    at(atMs, () => {
      servers[server]?.process.crash();
      servers[server] = undefined;
    });
    at(atMs + downMs, () => start(scene, server, ++runs));
  }
  for (const { server, atMs, forMs } of plan.pauses) at(atMs, () => servers[server]?.process.pause(forMs));
  for (const { machine, atMs, downMs } of plan.agentStops) {
    at(atMs, () => away.add(machine));
    at(atMs + downMs, () => away.delete(machine));
  }
  return () => {
    over = true;
  };
}

/** When all is well again, what is wanted is there as far as there is room: answers what is not as it should be. */
async function unsettled(store: Store, plan: ClusterPlan): Promise<string | undefined> {
  const { objects } = await store.snapshot(cluster);
  const of = (resource: string) => objects.filter(({ key }) => key.resource === resource);
  const wanted = of(replicaSets.resource).reduce((sum, stored) => sum + (objectOf<ReplicaSet>(stored).spec?.replicas ?? 0), 0);
  const bound = of(pods.resource).filter((stored) => {
    const { spec, status } = objectOf<Pod>(stored);
    return (spec?.nodeName ?? "") !== "" && status?.phase !== "Succeeded";
  }).length;
  const room = plan.machines * plan.room;
  return bound === Math.min(wanted, room) ? undefined : `${wanted} pods are wanted, there is room for ${room}, ${bound} are bound`;
}

async function committed(store: Store): Promise<Map<string, number>> {
  const records = await store.queryRecords(clusterPartitions.poollessCommitments(cluster));
  return new Map(records.map(({ sort, value }) => [sort, Number(value.cpu ?? 0)]));
}
