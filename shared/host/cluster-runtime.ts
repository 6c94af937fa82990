import { randomUUID } from "node:crypto";
import type { WebhookCaller } from "../api/admission/webhooks/caller.ts";
import type { Ending } from "../api/api-cluster.ts";
import type { ServedCluster } from "../api/cluster-api.ts";
import { createClusterTokens } from "../api/cluster-tokens.ts";
import { createLocalClient } from "../api/local-client.ts";
import { RequestMetrics } from "../api/metrics/request-metrics.ts";
import type { Documents } from "../api/non-resource.ts";
import type { ObjectClient } from "../api/object-client.ts";
import type { PodStreams } from "../api/pod-streams.ts";
import { Registry } from "../api/registry.ts";
import { ResourceCatalog } from "../api/resource-catalog.ts";
import { createNodeAuthorizer } from "../auth/node-authorizer.ts";
import { createRbacAuthorizer } from "../auth/rbac.ts";
import type { TokenIssuer } from "../auth/token.ts";
import type { Clock } from "../clock.ts";
import { type Feature, optionalResources } from "../kubernetes/resources.ts";
import { Mirror } from "../store/mirror.ts";
import type { ClusterRef, Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";

export interface ClusterRuntimeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly tokens: TokenIssuer;
  readonly documents: Documents;
  /** Gates that the operator has opened; absent: none. */
  readonly features?: readonly Feature[];
  readonly podStreamsOf: (ref: ClusterRef) => PodStreams;
  /** Absent: this host calls no webhooks. */
  readonly webhooks?: WebhookCaller;
}

/** 10.96.0.0/12, kubeadm's default. */
const serviceCidr = { first: 0x0a600000, size: 2 ** 20 } as const;

/** One cluster that a process holds in memory and serves. */
export interface ClusterRuntime extends ServedCluster {
  readonly ref: ClusterRef;
  readonly client: ObjectClient;
  /** Ends its watches in good order, and at once those that begin from now on. All else goes on. */
  endWatches(): void;
  close(): Promise<void>;
}

/** Brings clusters into this process. `undefined`: there is no such cluster. */
export interface RuntimeDirectory<Runtime extends ClusterRuntime = ClusterRuntime> {
  open(ref: ClusterRef): Promise<Runtime | undefined>;
  /** A cluster left the memory: what is known of its runtime is worth nothing. Returns the unsubscriber. */
  onEvict(listener: (ref: ClusterRef) => void): () => void;
}

/** `onEnd`: the log can no longer be followed, and the runtime has to be closed. @throws StoreError `NoSuchCluster` */
export async function openClusterRuntime(ref: ClusterRef, options: ClusterRuntimeOptions, onEnd: () => void): Promise<ClusterRuntime> {
  const log = options.log.with({ cluster: ref.cluster });
  const mirror = await Mirror.open(options.store, ref, {
    onEnd: (error) => {
      if (error.code !== "NoSuchCluster") log.error("the log can no longer be followed", error);
      onEnd();
    },
  });
  return serveMirror(ref, mirror, options);
}

/** The machinery of the API over a mirror, however much of the cluster that holds. */
export function serveMirror(ref: ClusterRef, mirror: Mirror, options: ClusterRuntimeOptions): ClusterRuntime {
  const { store, clock, random, tokens, documents, webhooks, features = [] } = options;
  const log = options.log.with({ cluster: ref.cluster });
  const resources = new ResourceCatalog(mirror, () => clock.now(), optionalResources(features));
  const ending = createEnding();
  const cluster = {
    ref,
    ending,
    store,
    mirror,
    resources,
    clock,
    log,
    random,
    uid: randomUUID,
    serviceCidr,
    ...(webhooks && { webhooks }),
  };
  const registry = new Registry(cluster);
  const authorizer = createNodeAuthorizer(mirror, createRbacAuthorizer(mirror));
  return {
    ref,
    cluster,
    registry,
    authorizer,
    client: createLocalClient(registry),
    documents,
    metrics: new RequestMetrics(() => clock.now()),
    podStreams: options.podStreamsOf(ref),
    tokens: createClusterTokens(tokens, ref, mirror, clock),
    encoders: new WeakMap(),
    endWatches: ending.end,
    async close() {
      ending.end();
      authorizer.close();
      mirror.close();
    },
  };
}

function createEnding(): Ending & { end(): void } {
  const listeners = new Set<() => void>();
  let ended = false;
  return {
    onEnd(listener) {
      if (ended) queueMicrotask(listener);
      else listeners.add(listener);
      return () => listeners.delete(listener);
    },
    end() {
      ended = true;
      for (const listener of [...listeners]) listener();
    },
  };
}
