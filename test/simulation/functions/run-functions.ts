import { createHash } from "node:crypto";
import { operatorApiKey } from "../../../shared/auth/api-key.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { dayMs, hourMs } from "../../../shared/metering/periods.ts";
import { createCluster, operatorSecret, urlEventOf } from "../../unit/functions/function-bed.ts";
import { createLogWitness } from "../dynamo/log-witness.ts";
import type { Tap } from "../dynamo/simulated-dynamo.ts";
import type { SeenEntry, Violation } from "../history.ts";
import { farthestMs } from "../plan.ts";
import { createRandom, type Random } from "../random.ts";
import { staged } from "../staged.ts";
import { Truth } from "../truth.ts";
import { World } from "../world.ts";
import { ApiWatcher } from "./api-watcher.ts";
import { ask, caller, fetchOver, RequestCount, type Wire } from "./client.ts";
import type { FunctionsPlan } from "./functions-plan.ts";
import { FunctionsHost, installation, startMs } from "./host.ts";
import { Machine } from "./machine.ts";
import { PodStories } from "./pod-stories.ts";
import { realWorkDone } from "./real-work.ts";
import { checkDays, checkUsage, heldUsage, leftovers } from "./usage-checks.ts";
import { podNamed, setOf } from "./wanted.ts";

const mostHappenings = 400_000;
const tenant = "acme";
const sets = "/apis/apps/v1/namespaces/default/replicasets";
/** What was not told, lost or cut short is found within this when all is well again. */
const settleMs = 200_000;
/** A cluster that goes has so long for its pods to end, and the schedule comes once a minute. */
const deleteMs = 240_000;
const lookMs = 2000;
const scheduleMs = 60_000;
const noticedMs = 5 * scheduleMs;
const killedSums = 3;
/** Share of agents' calls that are lost meanwhile: they call again, after 1, 2, 4 and so on seconds, so many lost in a row would be no news of the stream. */
const lostReports = 0.1;
const mostLostReports = 3;
/** The second change of a pair comes when the loops have begun with the first, or after this. */
const actedOnMs = 3000;
/** Changes in pairs while the schedule rests and nothing is late, and how soon the stream alone has each running. */
const promptSteps = 6;
const promptMs = 30_000;
/** By then nobody holds a lease who died with it, whatever the clocks of the others say. */
const leaseEndMs = 31_000 + 2 * farthestMs;

interface Scene {
  readonly plan: FunctionsPlan;
  readonly world: World;
  readonly host: FunctionsHost;
  readonly wire: Wire;
  readonly random: Random;
  readonly machines: Machine[];
  readonly watchers: ApiWatcher[];
  readonly stories: PodStories;
  readonly truth: Truth;
  readonly count: RequestCount;
  readonly violations: Violation[];
  /** The scheduled function is not invoked: what is done, the stream has brought about. */
  scheduleRests: boolean;
  /** Between two of its invocations that came to their end. */
  longestGapMs: number;
  over: boolean;
}

/** Plays a history of the functions from the founding of a cluster to its end. */
export async function runFunctions(plan: FunctionsPlan) {
  const items = await installation();
  const world = new World(createRandom(plan.seed, "world"), startMs, realWorkDone);
  const truth = new Truth();
  const stories = new PodStories(plan.room, () => world.nowMs);
  const onEntry = (entry: SeenEntry, object: KubernetesObject): void => {
    if (entry.path.startsWith("pods\u0001")) stories.changed(entry, object as Pod);
  };
  let witness: Tap | undefined;
  const host = new FunctionsHost(plan, world, items, (before, after) => {
    const [scope] = after?.pk.match(new RegExp(`^${tenant}#[^#]+(?=#log#)`)) ?? [];
    if (scope !== undefined) witness ??= createLogWitness(scope, truth, onEntry);
    // From then on its log is nobody's.
    if (after?.dropping === true) witness = () => {};
    witness?.(before, after);
  });
  const random = createRandom(plan.seed, "people");
  const wire: Wire = { world, random: createRandom(plan.seed, "wire"), lostCalls: () => (host.healthy ? 0 : plan.lostCalls) };
  const scene: Scene = {
    ...{ plan, world, host, wire, random, machines: [], watchers: [], stories, truth, count: new RequestCount() },
    ...{ violations: [], scheduleRests: false, longestGapMs: 0, over: false },
  };
  const crash = await staged(world, play(scene), mostHappenings);
  const faults = truth.faults.map((story) => ({ rule: "a place of the log is written once", story }));
  const watched = scene.watchers.flatMap((watcher) => [...watcher.check(truth)]);
  const violations = [...(crash ? [crash] : []), ...faults, ...scene.violations, ...stories.violations, ...watched];
  const digest = createHash("sha256").update(JSON.stringify(stories.told)).update(String(world.happenings)).digest("hex").slice(0, 16);
  return { violations, happenings: world.happenings, digest, tell: () => stories.told.map((line) => JSON.stringify(line)) };
}

async function play(scene: Scene): Promise<void> {
  const { plan, world, host, wire, random, watchers } = scene;
  const platform = caller(wire, host.platform);
  const made = await createCluster({ operatorKey: operatorApiKey(operatorSecret).token }, { platform }, tenant);
  const api = apiOf(scene, `/clusters/${made.id}`, made.credentials.token);
  void keepSchedule(scene);
  for (let index = 0; index < plan.machines; index++) await addMachine(scene, index, made.join.token);
  for (let index = 0; index < plan.watchers; index++)
    watchers.push(new ApiWatcher(`w${index}`, (path) => api("GET", `/api/v1/namespaces/default${path}`)));
  for (const watcher of watchers) void keepWatching(scene, watcher);
  await world.sleep(3000);
  host.healthy = false;
  disturb(scene);
  for (let step = 0; step < plan.steps; step++) {
    await world.sleep(random.between(100, 4000));
    await want(scene, api);
  }
  await world.sleep(random.between(100, 5000));
  await calm(scene);
  await eventually(scene, settleMs, "what is wanted comes to run", () => unsettled(scene, api));
  await promptly(scene, api);
  await behindAnAgentsBack(scene, api);
  host.healthy = false;
  void want(scene, api);
  await world.sleep(random.between(0, 60));
  const remove = () => platform("DELETE", `/v1/clusters/${made.id}`, made.key).catch(() => undefined);
  await remove();
  await want(scene, api);
  await world.sleep(random.between(0, 10_000));
  await calm(scene);
  await remove();
  await eventually(scene, deleteMs, "what was deleted is gone", () => unfinished(scene, made.id));
  // An instance that rested when the cluster went notices with its next invocation, and writes what it had counted until then.
  await world.sleep(noticedMs);
  const held = heldUsage(host, tenant);
  await world.sleep(3 * scheduleMs);
  const more = heldUsage(host, tenant) - held;
  if (more > 0) scene.violations.push({ rule: "what is gone is not metered", story: `${more} were added` });
  scene.over = true;
  await world.sleep(12_000);
  await host.cluster.invokeAll(urlEventOf("GET", "/healthz", ""));
  await world.sleep(4000);
  scene.violations.push(...checkUsage(host, tenant, scene.count, scene.stories.podSeconds(scene.longestGapMs)));
  await closeDay(scene, made.id);
}

/** The stream tells everything again an hour late; the day ends, and is summed up by invocations of which some are ended in the middle, and two at once. */
async function closeDay({ world, host, random, machines, violations }: Scene, id: string): Promise<void> {
  for (const machine of machines) machine.crash();
  await world.sleep(hourMs);
  await host.source.repeat();
  for (const left of leftovers(host, id))
    violations.push({ rule: "what was deleted is gone", story: `after a batch that came late: ${left}` });
  await world.sleep(dayMs - (world.nowMs % dayMs) + hourMs + farthestMs);
  const sum = (): Promise<unknown> => host.meter.invoke({ source: "aws.events" }).catch(() => {});
  for (let index = 0; index < killedSums; index++) {
    const summing = sum();
    await world.sleep(random.between(1, 80));
    host.meter.endBusy();
    await summing;
  }
  await Promise.all([sum(), sum()]);
  await sum();
  // Queries may show a transaction late.
  await world.sleep(lookMs);
  violations.push(...checkDays(host, tenant));
}

const apiOf =
  ({ wire, host, count }: Scene, prefix: string, token: string) =>
  (method: string, path: string, body?: unknown) =>
    ask(wire, host.cluster, urlEventOf(method, `${prefix}${path}`, token, body), count);
type Api = ReturnType<typeof apiOf>;

async function addMachine(scene: Scene, index: number, token: string): Promise<void> {
  const { plan, world, host, machines, stories } = scene;
  const name = `n${index}`;
  const wire: Wire = {
    ...scene.wire,
    lostCalls: () => (scene.scheduleRests ? lostReports : scene.wire.lostCalls()),
    mostLost: () => (scene.scheduleRests ? mostLostReports : Number.POSITIVE_INFINITY),
  };
  const machine = new Machine({
    ...{ seed: plan.seed, name, index, room: plan.room, world, fetchOf: fetchOver(wire, host.agents) },
    onBegin: (podUid, container) => stories.began(name, podUid, container),
  });
  await machine.join(token);
  machine.start();
  machines.push(machine);
}

async function keepSchedule(scene: Scene): Promise<void> {
  const { world, host } = scene;
  let lastMs = world.nowMs;
  const invoked = (): void => {
    scene.longestGapMs = Math.max(scene.longestGapMs, world.nowMs - lastMs);
    lastMs = world.nowMs;
  };
  while (!scene.over) {
    await world.sleep(scheduleMs);
    if (!scene.scheduleRests) await host.reconcile.invoke({ source: "aws.events" }).then(invoked, () => {});
  }
}

async function keepWatching(scene: Scene, watcher: ApiWatcher): Promise<void> {
  while (!scene.over) {
    await scene.world.sleep(scene.random.between(50, 1500));
    await watcher.step();
  }
}

/** The second change of a pair comes while the loops are at the first, or end with it: the stream alone has both acted on. */
async function promptly(scene: Scene, api: Api): Promise<void> {
  const { plan, world, host, random, violations } = scene;
  await world.sleep(leaseEndMs);
  if (violations.length > 0) return;
  scene.scheduleRests = true;
  host.source.calm({ repeated: 0.2, poisoned: 0.2 });
  const most = Math.floor((plan.machines * plan.room) / 2);
  for (let step = 0; step < promptSteps && violations.length === 0; step++) {
    const replicas = (): number => 1 + (step % 2) * random.below(most);
    const toldAt = scene.stories.told.length;
    await scale(api, "s0", replicas());
    await world.until(() => scene.stories.told.length > toldAt + 1, actedOnMs);
    await world.sleep(random.between(0, 1000));
    await scale(api, "s1", replicas());
    await eventually(scene, promptMs, "the stream alone has a change acted on", () => unsettled(scene, api));
  }
  host.source.calm();
  scene.scheduleRests = false;
}

/** What is deleted while its agent is away runs on until the agent is back, and no longer. */
async function behindAnAgentsBack(scene: Scene, api: Api): Promise<void> {
  const { plan, world, machines, stories, violations } = scene;
  if (violations.length > 0) return;
  const random = createRandom(plan.seed, "behind an agent's back");
  const bound = stories.state().live.filter(({ node }) => node !== "");
  if (bound.length === 0) return;
  const { name, node } = random.pick(bound);
  const machine = machines.find((each) => each.name === node);
  machine?.crash();
  await api("DELETE", `/api/v1/namespaces/default/pods/${name}`);
  await world.sleep(random.between(0, 3000));
  machine?.start();
  await eventually(scene, settleMs, "what was deleted behind an agent's back runs no more", () => unsettled(scene, api));
}

/** Makes, scales and deletes. */
async function want({ random, plan, stories }: Scene, api: Api): Promise<void> {
  const pods = "/api/v1/namespaces/default/pods";
  const room = plan.machines * plan.room;
  const replicas = random.below(room);
  const name = `s${random.below(2)}`;
  if (random.chance(0.25)) return void (await api("POST", pods, podNamed(`j${stories.told.length}`, random.between(500, 8000))));
  if (random.chance(0.2)) {
    const victim = stories.someLive(random);
    if (victim) await api("DELETE", `${pods}/${victim}`);
    return;
  }
  await scale(api, name, replicas);
}

async function scale(api: Api, name: string, replicas: number): Promise<void> {
  const answer = await api("POST", sets, setOf(name, replicas));
  if (answer?.status === 409) await api("PATCH", `${sets}/${name}`, { spec: { replicas } });
}

function disturb({ plan, world, machines, host }: Scene): void {
  const at = (atMs: number, run: () => void): void => {
    world.after(atMs, () => {
      if (!host.healthy) run();
    });
  };
  for (const { machine, atMs, downMs } of plan.agentCrashes) {
    at(atMs, () => machines[machine]?.crash());
    at(atMs + downMs, () => machines[machine]?.start());
  }
  for (const { machine, atMs, forMs } of plan.agentPauses) at(atMs, () => machines[machine]?.pause(forMs));
}

async function calm({ host, machines, world, plan }: Scene): Promise<void> {
  host.healthy = true;
  host.source.calm();
  for (const machine of machines) machine.start();
  await world.sleep(Math.max(0, ...plan.agentPauses.map(({ forMs }) => forMs)));
}

async function eventually(scene: Scene, withinMs: number, rule: string, problemOf: () => Promise<string | undefined>): Promise<void> {
  const { world, violations } = scene;
  const untilMs = world.nowMs + withinMs;
  let problem = await problemOf();
  for (; problem !== undefined && world.nowMs < untilMs; problem = await problemOf()) await world.sleep(lookMs);
  if (problem !== undefined) violations.push({ rule, story: problem });
}

/** Every pod that is wanted runs on the machine that it is bound to, and nothing else runs there; and clients have been told of it. */
async function unsettled({ machines, stories, watchers }: Scene, api: Api): Promise<string | undefined> {
  const answer = await api("GET", sets);
  if (answer?.status !== 200) return "the API does not answer";
  const { items } = JSON.parse(answer.text) as { items: { spec: { replicas: number } }[] };
  const wanted = items.reduce((sum, { spec }) => sum + spec.replicas, 0);
  const { live, bound } = stories.state();
  for (const machine of machines) {
    const runs = (await machine.running()).sort().join();
    const right = (bound.get(machine.name) ?? []).sort().join();
    if (runs !== right) return `${machine.name} runs ${runs || "nothing"} and shall run ${right || "nothing"}`;
  }
  const ofSets = live.filter(({ name }) => name.startsWith("s")).length;
  if (ofSets !== wanted) return `${wanted} pods are wanted and there are ${ofSets}`;
  const running = live.filter(({ phase }) => phase === "Running").length;
  const room = machines.length * stories.room;
  if (running < Math.min(wanted, room)) return `${wanted} pods are wanted and ${running} run, of ${live.length}`;
  const behind = watchers.find(({ revision }) => revision < stories.revision);
  return behind && `${behind.name} has been told up to ${behind.revision} of ${stories.revision}`;
}

async function unfinished({ host, machines }: Scene, id: string): Promise<string | undefined> {
  const left = leftovers(host, id);
  if (left.length > 0) return `${left.length} items are left: ${left.slice(0, 3).join(", ")}`;
  for (const machine of machines) {
    const runs = await machine.running();
    if (runs.length > 0) return `${machine.name} still runs ${runs.join()}`;
  }
  return undefined;
}
