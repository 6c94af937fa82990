import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { Node, Pod } from "../../../shared/kubernetes/types.ts";
import { createMeter } from "../../../shared/metering/meter.ts";
import { tallyCluster } from "../../../shared/metering/pod-tally.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { Mirror } from "../../../shared/store/mirror.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";

const ref = { tenant: "acme", cluster: "dev" };
const requests = { cpu: "250m", memory: "1Ki" };
const podOf = (name: string, nodeName?: string, phase: NonNullable<Pod["status"]>["phase"] = "Running"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: `uid-${name}` },
  spec: { containers: [{ name: "c", image: "i", resources: { requests } }], ...(nodeName !== undefined && { nodeName }) },
  status: { phase },
});
const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: { providerID: "coracle://pl/n1" } };

let folder: string;
let clock: FakeClock;
let store: LmdbStore;
let mirror: Mirror;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "coracle-tally-"));
  clock = createFakeClock();
  store = new LmdbStore({ path: folder, now: clock.now });
  await store.createCluster(ref);
  mirror = await Mirror.open(store, ref, { onEnd: () => {} });
});
afterEach(async () => {
  mirror.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function put(object: KubernetesObject): Promise<void> {
  const resource = object.kind === "Node" ? nodes : pods;
  const key = { ...resource, namespace: object.metadata.namespace ?? "", name: object.metadata.name ?? "" };
  const [known] = await store.latest(ref, [key]);
  const [entry] = await store.commit(ref, [{ kind: "put", key, expected: known?.revision ?? 0, object: structuredClone(object) }]);
  await mirror.reached(entry?.revision ?? 0);
}
const remove = async (pod: Pod): Promise<void> => {
  const key = { ...pods, namespace: "default", name: pod.metadata.name ?? "" };
  const [known] = await store.latest(ref, [key]);
  const [entry] = await store.commit(ref, [{ kind: "delete", key, expected: known?.revision ?? 0, object: structuredClone(pod) }]);
  await mirror.reached(entry?.revision ?? 0);
};

it("counts pods from their binding to their end, by what they ask for and by the pool of their node, and stored bytes", async () => {
  const meter = createMeter(clock);
  const usage = () => Object.fromEntries((meter.take().get("acme") ?? []).map(({ pool, amounts }) => [pool, amounts]));
  await put(node);
  await put(podOf("early", "n1"));
  const stop = tallyCluster(meter, ref, mirror);
  await put(podOf("late"));
  clock.advance(10_000);
  expect(usage().pl).toEqual({ podSeconds: 10, cpuMilliSeconds: 2500, memoryByteSeconds: 10_240 });
  await put(podOf("late", "n1"));
  await put(podOf("late", "n1", "Pending"));
  clock.advance(10_000);
  expect(usage().pl).toMatchObject({ podSeconds: 20 });
  await put(podOf("early", "n1", "Succeeded"));
  clock.advance(10_000);
  expect(usage().pl).toMatchObject({ podSeconds: 10 });
  await remove(podOf("late"));
  clock.advance(10_000);
  const stored = mirror.list(pods).concat(mirror.list(nodes));
  const bytes = stored.reduce((sum, each) => sum + each.bytes.length, 0);
  expect(usage()).toEqual({ "": { storedByteSeconds: bytes * 10 } });
  stop();
  clock.advance(10_000);
  expect(usage()).toEqual({});
});
