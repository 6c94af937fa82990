import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createActiveClusters } from "../../../server/active-clusters.ts";
import { ClusterHost } from "../../../server/cluster-host.ts";
import { createLocalProvisioner } from "../../../server/provisioner.ts";
import { Documents } from "../../../shared/api/non-resource.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import { createHostBase } from "../../../shared/host/base.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { Node, Pod } from "../../../shared/kubernetes/types.ts";
import { createMeter } from "../../../shared/metering/meter.ts";
import { partitions } from "../../../shared/platform/record-keys.ts";
import type { ClusterRecord } from "../../../shared/platform/records.ts";
import { objectPath } from "../../../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";

const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const ref = { tenant: "acme", cluster: "dev" };
const record: ClusterRecord = {
  id: "dev",
  tenant: "acme",
  name: "dev",
  state: "deleting",
  pool: "shared",
  ownsPool: false,
  labels: {},
  createdAtMs: 0,
  updatedAtMs: 0,
};
const node: Node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1" },
  spec: { providerID: "coracle://shared/n1" },
  status: { allocatable: { cpu: "4", memory: "8Gi", pods: "110" } },
};
const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default", finalizers: ["example.com/keep"] },
  spec: { containers: [{ name: "main", image: "x", resources: { requests: { cpu: "3" } } }] },
};

/** One that cannot be read. */
const broken = { tenant: "acme", cluster: "broken" };

describe("the clusters of the embedded host", () => {
  let folder: string;
  let clock: FakeClock;
  let store: LmdbStore;
  let host: ClusterHost;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-provisioner-"));
    clock = createFakeClock();
    store = new LmdbStore({ path: join(folder, "store"), base: createHostBase("CA", objectPath), now: clock.now });
    const shown = overStore(store, {
      snapshot: (its) => (its.cluster === broken.cluster ? Promise.reject(new Error("it cannot be read")) : store.snapshot(its)),
    });
    host = new ClusterHost({
      ...{ store: shown, clock, log: silentLog, random: () => 0.5 },
      tokens: createTokenIssuer({ signingKey, clock, uid: randomUUID }),
      documents: new Documents("127.0.0.1"),
      meter: () => createMeter(clock),
      podStreamsOf: () => ({ log: () => Promise.reject(new Error("no logs")) }),
      loopsOf: () => ({
        start() {},
        schedule() {},
        stop: () => Promise.resolve(),
        idle: () => Promise.resolve(0),
        hold() {},
        lookAtSilent() {},
        hasDue: () => false,
        nextDue: () => undefined,
        atRest: true,
      }),
    });
    await store.createCluster(ref);
  });
  afterEach(async () => {
    await host.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const committed = async (): Promise<unknown> => (await store.queryRecords(partitions.commitments("acme", "shared")))[0]?.value;

  it("of the last run are in memory again, though one of them cannot be read", async () => {
    await store.createCluster(broken);
    const active = createActiveClusters(store, silentLog);
    for (const each of [broken, ref]) active.opened(each);
    await host.resume();
    expect(host.peek(ref)).toBeDefined();
    expect(await active.list()).toContainEqual(broken);
  });

  it("that are deleted wait for their pods, and after a minute take what does not end, with what it holds of a shared machine", async () => {
    const provisioner = createLocalProvisioner({
      clock,
      host: () => host,
      agents: { resize: () => Promise.resolve(), remove: () => Promise.reject(new Error("the pool is not its own")) },
    });
    const runtime = await host.open(ref);
    if (!runtime) throw new Error("no cluster");
    await runtime.client.create(nodes, node);
    const { object } = await runtime.client.create(pods, pod);
    const uid = object.metadata.uid ?? "";
    await runtime.client.bind([{ namespace: "default", name: "web", uid, nodeName: "n1" }]);
    expect(await committed()).toMatchObject({ cpu: 3000, pods: 1 });

    expect(await provisioner.deleting(record)).toBe("pending");
    clock.advance(59_000);
    expect(await provisioner.deleting(record)).toBe("pending");
    expect(await committed()).toMatchObject({ cpu: 3000, pods: 1 });
    clock.advance(1_000);
    expect(await provisioner.deleting(record)).toBe("done");
    expect(await committed()).toMatchObject({ cpu: 0, pods: 0 });
    expect(host.peek(ref)).toBeUndefined();
  });
});
