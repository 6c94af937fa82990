import type { ActorState, Host, RunActor } from "../bench.ts";
import { cluster } from "../objects.ts";
import { farthestMs, type Plan } from "../plan.ts";
import { account } from "./accountant.ts";
import { codeOf } from "./calls.ts";
import { askHead, list, look, read, readLog } from "./reader.ts";
import { watch } from "./watcher.ts";
import { write } from "./writer.ts";

/** Does an actor's steps for as long as its process lives; what is left is done by the next one. */
export const runActor: RunActor = async (host, actor) => {
  const { process, scene } = host;
  while (actor.left > 0) {
    await process.sleep(process.random.between(0, scene.plan.thinkMs));
    await step(host, actor);
    actor.left--;
  }
};

async function step(host: Host, actor: ActorState): Promise<void> {
  const { random } = host;
  switch (actor.plan.role) {
    case "writer":
      return write(host, actor);
    case "reader":
      if (random.chance(0.2)) return look(host, actor);
      return random.chance(0.1) ? askHead(host, actor) : read(host, actor);
    case "lister":
      if (random.chance(0.3)) return void (await readLog(host, actor));
      return list(host, actor);
    case "watcher":
      return watch(host, actor);
    case "accountant":
      return account(host, actor);
    case "compactor":
      return compact(host, actor);
  }
}

/** A commit is sent within 3 s of its revisions, and executed 4.3 s after that at the latest (`TableClient`). */
const longestCommitMs = 8000;
/** The product keeps an hour of history; here it is less, but more than any transaction takes to show, also by a clock that was set back. */
const retainedMs = ({ clockSteps }: Plan): number => longestCommitMs + (clockSteps.length > 0 ? 2 * farthestMs : 0);

/** Lets go of what lay in the log some time ago, as a cluster's host does. */
async function compact(host: Host, actor: ActorState): Promise<void> {
  const { process, store, scene, random } = host;
  await process.sleep(random.between(100, 2500));
  try {
    const { revision } = await store.head(cluster);
    actor.marks.push({ atMs: scene.world.nowMs, revision });
    const passed = actor.marks.filter(({ atMs }) => atMs < scene.world.nowMs - retainedMs(scene.plan)).at(-1);
    if (passed) await store.compact(cluster, passed.revision);
  } catch (error) {
    codeOf(error);
  }
}
