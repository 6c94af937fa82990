import { randomUUID } from "node:crypto";
import { expect, it, vi } from "vitest";
import { systemClock } from "../../../shared/clock.ts";
import { createHostBase } from "../../../shared/host/base.ts";
import { createLoops } from "../../../shared/host/loops.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { openTurnedCluster } from "../../../shared/host/turned-cluster.ts";
import { nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { objectPath } from "../../../shared/store/dynamo/keys.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { nodeObject } from "../../simulation/cluster/people.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";
import { runtimeOptions } from "./runtime-fixture.ts";

const ref = { tenant: "t", cluster: "c" };
const base = createHostBase("CA", objectPath);
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
};

it("is thrown away while a binding waits for a mirror that follows nothing any more", async () => {
  const table = new DynamoStore({ table: new MemoryTable(), clock: systemClock, random: Math.random, makeId: randomUUID, base });
  await table.createCluster(ref);
  const bound = Promise.withResolvers<void>();
  const store = overStore(table, {
    async commit(cluster, operations, records) {
      const isBinding = operations.some((each) => each.kind === "put" && (each.object as Pod).spec?.nodeName !== undefined);
      if (isBinding) turned.runtime.cluster.mirror.suspend();
      const entries = await table.commit(cluster, operations, records);
      if (isBinding) bound.resolve();
      return entries;
    },
  });
  const turned = await openTurnedCluster(
    ref,
    store,
    { token: 0, doneRevision: 0 },
    {
      ...runtimeOptions(store, systemClock),
      loopsOf: (runtime) =>
        createLoops(runtime, {
          ...{ clock: systemClock, log: silentLog, random: Math.random, caPem: "CA", caKeyPem: () => "none" },
          heartbeats: { lastSeen: () => undefined },
          schedulingPaused: () => Promise.resolve(false),
        }),
      prepare: () => Promise.resolve("turn"),
    },
  );
  const { client } = turned.runtime;
  await client.create(nodes, nodeObject(0, 1));
  turned.loops.start();
  // Once there is an account for it.
  await vi.waitFor(() => client.create(pods, pod as KubernetesObject), { timeout: 10_000 });
  await bound.promise;
  await turned.close();
  expect(turned.over).toBe(true);
  await table.close();
});
