import { describe, expect, it } from "vitest";
import { openDependencies } from "../../../functions/open-dependencies.ts";
import { createDirectory, createFunctionProvisioner } from "../../../functions/platform-domain.ts";
import { createNodeOperations } from "../../../shared/host/node-operations.ts";
import { createMeter } from "../../../shared/metering/meter.ts";
import { closeUsageDays } from "../../../shared/metering/usage-days.ts";
import { readUsage } from "../../../shared/metering/usage-reader.ts";
import { createUsageWriter } from "../../../shared/metering/usage-writer.ts";
import { runOnce } from "../../../shared/platform/api/idempotency.ts";
import { createHeartbeats } from "../../../shared/platform/heartbeats.ts";
import { createPlatformServices, type DomainServices } from "../../../shared/platform/platform-services.ts";
import { recordKeys } from "../../../shared/platform/record-keys.ts";
import type { Store } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createCluster, createFunctionBed } from "./function-bed.ts";
import { machine } from "./machine.ts";

/** Another tenant with all that a tenant can have, and the services of the platform that work for a tenant through one store, whatever tenant they are asked for. */
async function withOther(storeFor: (stores: { store: Store; storeOf: (tenant: string) => Store }) => Store) {
  const bed = createFunctionBed();
  const fn = bed.instance();
  await createCluster(bed, fn);
  const other = await createCluster(bed, fn, "other");
  const joined = await fn.agent("POST", "/agent/v1/join", "", { token: other.join.token, node: machine("n1") });
  const dependencies = await openDependencies(bed.ports(undefined, "platformApi")());
  const store = storeFor(dependencies);
  const { directory } = createDirectory(dependencies);
  const services: DomainServices = createPlatformServices({
    ...{ ...dependencies, storeOf: () => store },
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => services.pools),
  });
  return { bed, services, store, other, joinStatus: joined.status, clock: dependencies.clock };
}

const isDenied = (error: unknown): boolean => error instanceof Error && (error.message.startsWith("AccessDenied") || isDenied(error.cause));

describe("a service that works for one tenant", () => {
  const page = { limit: 10 };
  const pool = { name: "more", size: 1, runtime: "auto", labels: {}, taints: [] } as const;
  const cluster = { name: "more", labels: {}, nodes: 0, runtime: "auto" } as const;
  const hook = { url: "https://hooks.example/", events: ["*"], description: "" };

  it.each<[string, Parameters<typeof withOther>[0]]>([
    ["in a session of that tenant's", ({ storeOf }) => storeOf("acme")],
    ["in the program's own name", ({ store }) => store],
  ])("reaches nothing of another one %s, whatever it is asked", async (_, storeFor) => {
    const { bed, services, store, other, joinStatus, clock } = await withOther(storeFor);
    expect(joinStatus).toBe(201);
    const { keys, clusters, pools, joinTokens, nodes, heartbeats, webhooks, onDayClosed } = services;
    if (!webhooks) throw new Error("there are no webhooks");
    const { endpoints, deliverer } = webhooks;
    const node = { tenant: "other", pool: other.pool, nodeName: "n1" };
    const meter = createMeter(clock);
    const usage = { fromMs: 0, toMs: clock.now(), granularity: "hour", groupBy: "tenant", limit: 10 } as const;
    const request = { tenant: "other", keyId: "key-1", secret: "s", idempotencyKey: "k", content: "c" };
    const before = new Map(bed.table.items);
    const asked: (() => Promise<unknown>)[] = [
      () => keys.list("other", page),
      () => keys.create("other", { name: "mine", scopes: ["clusters:write"] }),
      () => keys.revoke("other", "key-1"),
      () => clusters.create("other", cluster),
      () => clusters.get("other", other.id),
      () => clusters.find(other.id),
      () => clusters.findByName("other", "dev"),
      () => clusters.list("other", page),
      () => clusters.update("other", other.id, { nodes: 7 }),
      () => clusters.markReady("other", other.id),
      () => clusters.remove("other", other.id),
      () => pools.create("other", pool),
      () => pools.get("other", other.pool),
      () => pools.getMany("other", [other.pool]),
      () => pools.findByName("other", "dev"),
      () => pools.list("other", page),
      () => pools.update("other", other.pool, { size: 7 }),
      () => pools.remove("other", other.pool),
      () => pools.clustersOn("other", other.pool),
      () => joinTokens.create("other", other.pool, { ttlSeconds: 60 }),
      () => joinTokens.list("other", other.pool, page),
      () => joinTokens.revoke("other", other.pool, "jt-1"),
      () => nodes.settleNetwork(node, { runtime: "containerd", podCidr: "10.244.0.0/24" }),
      () => nodes.peers("other", other.pool),
      () => nodes.get("other", other.pool, "n1"),
      () => nodes.list("other", other.pool, page),
      () => nodes.drain("other", other.pool, "n1"),
      () => nodes.uncordon("other", other.pool, "n1"),
      () => nodes.remove("other", other.pool, "n1"),
      () => nodes.removeAll("other", other.pool),
      () =>
        nodes.finishRemoval({ tenant: "other", pool: other.pool, name: "n1" }, recordKeys.removingNode("other", other.pool, "n1", "hash")),
      () => nodes.noteSilence(node, clock.now()),
      () => heartbeats.ofPool("other", other.pool),
      () => endpoints.create("other", hook),
      () => endpoints.list("other", page),
      () => endpoints.update("other", "wh-1", { enabled: false }),
      () => endpoints.rotateSecret("other", "wh-1"),
      () => endpoints.remove("other", "wh-1"),
      () => endpoints.deliveries("other", "wh-1", page),
      () => endpoints.test("other", "wh-1"),
      () => deliverer.deliver({ tenant: "other", endpoint: "wh-1", sort: "1" }),
      () => onDayClosed("other", "2026-01-01", {}),
      () => readUsage(store, "other", usage),
      () => runOnce({ store, clock }, request, () => Promise.reject(new Error("it ran"))),
    ];
    for (const ask of asked) await expect(ask(), String(ask)).rejects.toSatisfy(isDenied);
    meter.request({ tenant: "other", cluster: other.id }, "read");
    const errors: unknown[] = [];
    const log = { ...silentLog, error: (_text: string, error: unknown) => void errors.push(error) };
    await createUsageWriter({ storeOf: () => store, clock, log, meter, writerId: "w" }).flush();
    const heard = createHeartbeats({ storeOf: () => store, clock, log });
    heard.seen(node, clock.now());
    await heard.flush();
    expect(errors).toEqual([expect.toSatisfy(isDenied), expect.toSatisfy(isDenied)]);
    expect(new Map(bed.table.items)).toEqual(before);
  });

  it("closes no day of another one", async () => {
    const { bed, store, clock } = await withOther(({ storeOf }) => storeOf("acme"));
    const open = { partition: "platform#usage-open", sort: "2026-01-01/other" };
    const { store: own } = await openDependencies(bed.ports()());
    await own.writeRecords([{ ...open, kind: "put", expected: 0, value: { tenant: "other", day: "2026-01-01" } }]);
    const { store: ofMeter } = await openDependencies(bed.ports(undefined, "meter")());
    const closed = await closeUsageDays({ store: ofMeter, storeOf: () => store, clock, log: silentLog, onClosed: async () => [] });
    expect(closed).toBe(0);
    expect(await own.getRecords([open])).toHaveLength(1);
  });
});
