import { Documents } from "../shared/api/non-resource.ts";
import type { PodStreams } from "../shared/api/pod-streams.ts";
import { createTokenIssuer, type TokenIssuer } from "../shared/auth/token.ts";
import { createAddressGuard } from "../shared/host/address-guard.ts";
import { createHostBase } from "../shared/host/base.ts";
import type { ClusterRuntimeOptions } from "../shared/host/cluster-runtime.ts";
import { HttpsWebhookCaller } from "../shared/host/https-webhook-caller.ts";
import { type Installation, openInstallation } from "../shared/host/installation.ts";
import { createNodeMarks, type NodeMarks } from "../shared/host/node-marks.ts";
import { overStore } from "../shared/host/over-store.ts";
import { optionalResources } from "../shared/kubernetes/resources.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import { createMeter, type Meter } from "../shared/metering/meter.ts";
import { createUsageWriter } from "../shared/metering/usage-writer.ts";
import { DynamoStore } from "../shared/store/dynamo/dynamo-store.ts";
import { objectPath } from "../shared/store/dynamo/keys.ts";
import type { Table } from "../shared/store/dynamo/table.ts";
import type { ClusterRef, Store } from "../shared/store/store.ts";
import { createHttpTransport } from "../shared/webhooks/http-transport.ts";
import type { WebhookSettings } from "../shared/webhooks/webhooks.ts";
import type { FunctionPorts } from "./ports.ts";

/** The store over a table that other processes write to as well. */
export type SharedStore = Store & Pick<DynamoStore, "wake">;

/** What every function stands on. */
export interface Dependencies extends FunctionPorts {
  readonly installation: Installation;
  /** Everything: the platform's records, and the clusters of all tenants. */
  readonly store: SharedStore;
  /** What serves one tenant goes through this: it reaches that tenant's clusters and records alone. */
  readonly storeOf: (tenant: string) => SharedStore;
  readonly tokens: TokenIssuer;
  readonly webhooks: WebhookSettings;
  /** How long a node may be silent: three idle polls and some time for clocks that differ, and never less than kube-controller-manager's 40 s. */
  readonly nodeGraceMs: number;
  /** Of this program. */
  readonly version: string;
  readonly meter: Meter;
  /** The options of a cluster served for its tenant. */
  readonly runtimeOptions: (ref: ClusterRef, podStreams?: PodStreams) => ClusterRuntimeOptions;
  readonly marksOf: (tenant: string) => NodeMarks;
  /** Work that an answer does not wait for, but the end of the invocation does. A failure is logged. */
  readonly later: (name: string, work: Promise<unknown>) => void;
  /** Waits for all of that, and writes usage when it is time. */
  readonly settle: () => Promise<void>;
  /** Waits, and writes what is left: the process ends. */
  readonly finish: () => Promise<void>;
}

/** `around`: what a host puts between a store and those who use it. */
export async function openDependencies(
  ports: FunctionPorts,
  around: (store: SharedStore) => SharedStore = (store) => store,
): Promise<Dependencies> {
  const { environment, clock, log, random, uid, table } = ports;
  const common = { clock, random, makeId: uid };
  const secret = await ports.readSecret(environment.secret);
  const installation = await openInstallation(new DynamoStore({ ...common, table }), secret, clock);
  const base = createHostBase(installation.caPem, objectPath);
  const storeOn = (its: Table): SharedStore => new DynamoStore({ ...common, table: its, sealer: installation.sealer, base });
  const store: SharedStore = around(
    dropsByTenant(storeOn(table), (tenant) => (ports.tableOf(tenant) === table ? undefined : storeOf(tenant))),
  );
  const stores = new WeakMap<Table, SharedStore>([[table, store]]);
  const storeOf = (tenant: string): SharedStore => {
    const its = ports.tableOf(tenant);
    const known = stores.get(its) ?? around(storeOn(its));
    stores.set(its, known);
    return known;
  };
  const tokens = createTokenIssuer({ signingKey: installation.signingKeys, clock, uid });
  const documents = new Documents("127.0.0.1", optionalResources(environment.features));
  const allowPrivate = environment.webhooksToPrivateAddresses;
  const admissionWebhooks = new HttpsWebhookCaller({
    mayConnect: allowPrivate ? () => true : createAddressGuard(environment.webhookNetworks),
    resolve: async (hostname) => (await ports.resolve(hostname)).map(({ address }) => address),
  });
  const meter = createMeter(clock);
  const usage = createUsageWriter({ store, clock, log, meter, writerId: uid() });
  let usageWrittenMs = clock.now();
  const underWay = new Set<Promise<unknown>>();
  const later: Dependencies["later"] = (name, work) => {
    const watched: Promise<unknown> = work
      .catch((error: unknown) => log.error("left undone", error, { name }))
      .finally(() => underWay.delete(watched));
    underWay.add(watched);
  };
  const finish = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
    usageWrittenMs = clock.now();
    await usage.flush();
  };
  return {
    ...ports,
    ...{ installation, store, storeOf, tokens, meter, version: "0.1.0" },
    nodeGraceMs: Math.max(40_000, 3000 * environment.idlePollSeconds + 10_000),
    webhooks: {
      sealer: installation.sealer,
      random,
      allowPrivate,
      transport: createHttpTransport({ allowPrivate, resolve: ports.resolve }),
    },
    marksOf: (tenant) => createNodeMarks(storeOf(tenant)),
    runtimeOptions: ({ tenant }, podStreams = noStreams) => ({
      ...{ store: storeOf(tenant), clock, log, random, tokens, documents, features: environment.features },
      podStreamsOf: () => podStreams,
      webhooks: admissionWebhooks,
    }),
    later,
    async settle() {
      later("signing keys", installation.signingKeys.keepUp());
      while (underWay.size > 0) await Promise.all(underWay);
      if (clock.now() - usageWrittenMs >= environment.usageSeconds * 1000) await finish();
    },
    finish,
  };
}

/** What is in a cluster goes in its tenant's name, where there are such. */
const dropsByTenant = (own: SharedStore, storeOf: (tenant: string) => SharedStore | undefined): SharedStore => ({
  ...overStore(own, { dropCluster: (ref) => (storeOf(ref.tenant) ?? own).dropCluster(ref) }),
  wake: (ref) => own.wake(ref),
});

/** Loops ask for no logs. */
const noStreams: PodStreams = { log: () => Promise.reject(new StatusError("MethodNotAllowed", "logs are served by the cluster API")) };

/** Opened once an instance; an opening that failed is tried again by the next invocation. */
export function opener<T>(open: (dependencies: Dependencies) => T | Promise<T>, ports: () => FunctionPorts): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= openDependencies(ports()).then(open);
    opening.catch(() => {
      opening = undefined;
    });
    return opening;
  };
}
