import type { ObjectKey } from "../../../shared/kubernetes/object.ts";
import { isStoreError, type Operation } from "../../../shared/store/store.ts";
import type { ActorState, Host } from "../bench.ts";
import type { WriteCall } from "../history.ts";
import { cluster, objectWith, pathOf, seenEntry } from "../objects.ts";
import { createRandom, type Random } from "../random.ts";
import { begin, codeOf } from "./calls.ts";

const collections = [
  { group: "", resource: "configmaps" },
  { group: "apps", resource: "deployments" },
  { group: "", resource: "secrets" },
];
/** Text that does not become shorter. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const source = createRandom(0, "noise");
const noise = Array.from({ length: 20_000 }, () => alphabet[source.below(alphabet.length)]).join("");

function noiseOf(random: Random): string {
  const start = random.below(10_000);
  return noise.slice(start, start + 3500 + random.below(3000));
}

export function keysOf(count: number): ObjectKey[] {
  return Array.from({ length: count }, (_, index) => {
    const { group = "", resource = "" } = collections[index % collections.length] ?? {};
    return { group, resource, namespace: "ns", name: `k${index}` };
  });
}

/** Reads what lies under some keys, changes them together on condition of what it read, and sometimes of what it should not have believed. */
export async function write(host: Host, actor: ActorState): Promise<void> {
  const { random } = host;
  const keys = random
    .shuffled(keysOf(host.scene.plan.keys))
    .slice(0, random.chance(0.7) ? 1 : 1 + random.below(random.chance(0.1) ? 12 : 4));
  const revisions = await believed(host, keys);
  const { span, note, end } = begin(host, actor);
  const operations = keys.map((key, index) => operationOf(host, actor, key, revisions[index] ?? 0));
  const call: WriteCall = note({
    ...span,
    kind: "write",
    operations: operations.map(({ kind, key, expected, value }) => ({ type: kind, path: pathOf(key), expected, value })),
    outcome: undefined,
  });
  try {
    const entries = await host.store.commit(
      cluster,
      operations.map(({ value: _, ...operation }): Operation => operation),
    );
    call.outcome = { kind: "ok", entries: entries.map(seenEntry) };
  } catch (error) {
    if (isStoreError(error, "RevisionConflict")) call.outcome = { kind: "conflict", index: error.index ?? -1 };
    else call.outcome = { kind: "failed", code: codeOf(error) };
  }
  end(call);
}

async function believed(host: Host, keys: readonly ObjectKey[]): Promise<number[]> {
  const { mirror, random } = host;
  if (mirror && random.chance(0.3)) return keys.map((key) => mirror.get(key, key.namespace, key.name)?.revision ?? 0);
  try {
    return (await host.store.latest(cluster, keys, (key) => mirror?.get(key, key.namespace, key.name))).map(
      (stored) => stored?.revision ?? 0,
    );
  } catch (error) {
    codeOf(error);
    return keys.map(() => 0);
  }
}

function operationOf({ random, scene }: Host, actor: ActorState, key: ObjectKey, revision: number): Operation & { value: string } {
  const value = `${actor.plan.name}:${++actor.values}`;
  const expected = random.chance(0.03) ? Math.max(0, revision - 1) : revision;
  if (expected > 0 && random.chance(0.3)) return { kind: "delete", key, expected, object: objectWith(key, value, ""), value };
  const padding = random.chance(scene.plan.large) ? noiseOf(random) : "";
  return { kind: "put", key, expected, object: objectWith(key, value, padding), value };
}
