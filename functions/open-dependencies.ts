import { Documents } from "../shared/api/non-resource.ts";
import type { PodStreams } from "../shared/api/pod-streams.ts";
import { createTokenIssuer } from "../shared/auth/token.ts";
import { createAddressGuard } from "../shared/host/address-guard.ts";
import { HttpsWebhookCaller } from "../shared/host/https-webhook-caller.ts";
import { openInstallation } from "../shared/host/installation.ts";
import { createNodeMarks } from "../shared/host/node-marks.ts";
import { optionalResources } from "../shared/kubernetes/resources.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import { createMeter } from "../shared/metering/meter.ts";
import { DynamoStore } from "../shared/store/dynamo/dynamo-store.ts";
import { createHttpTransport } from "../shared/webhooks/http-transport.ts";
import type { Dependencies } from "./dependencies.ts";
import type { FunctionPorts } from "./ports.ts";
import { createSettling } from "./settling.ts";
import { openStores, type SharedStore } from "./tenant-stores.ts";

/** Loops ask for no logs. */
const noStreams: PodStreams = { log: () => Promise.reject(new StatusError("MethodNotAllowed", "logs are served by the cluster API")) };

/** `around`: what a host puts between a store and those who use it. */
export async function openDependencies(
  ports: FunctionPorts,
  around: (store: SharedStore) => SharedStore = (store) => store,
): Promise<Dependencies> {
  const { environment, clock, log, random, uid, table, resolve } = ports;
  const secret = await ports.readSecret(environment.secret);
  const installation = await openInstallation(new DynamoStore({ clock, random, makeId: uid, table }), secret, clock);
  const { store, storeOf } = openStores(ports, installation, around);
  const tokens = createTokenIssuer({ signingKey: installation.signingKeys, clock, uid });
  const documents = new Documents("127.0.0.1", optionalResources(environment.features));
  const allowPrivate = environment.webhooksToPrivateAddresses;
  const admissionWebhooks = new HttpsWebhookCaller({
    mayConnect: allowPrivate ? () => true : createAddressGuard(environment.webhookNetworks),
    resolve: async (hostname) => (await resolve(hostname)).map(({ address }) => address),
  });
  const known = { ...ports, installation, store, storeOf, tokens, meter: createMeter(clock), version: "0.1.0" };
  return {
    ...known,
    ...createSettling(known),
    nodeGraceMs: Math.max(40_000, 3000 * environment.idlePollSeconds + 10_000),
    webhooks: { sealer: installation.sealer, random, allowPrivate, transport: createHttpTransport({ allowPrivate, resolve }) },
    marksOf: (tenant) => createNodeMarks(storeOf(tenant)),
    runtimeOptions: ({ tenant }, podStreams = noStreams) => ({
      ...{ store: storeOf(tenant), clock, log, random, tokens, documents, features: environment.features },
      podStreamsOf: () => podStreams,
      webhooks: admissionWebhooks,
    }),
  };
}
