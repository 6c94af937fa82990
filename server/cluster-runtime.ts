import { randomUUID } from "node:crypto";
import type { ServedCluster } from "../shared/api/cluster-api.ts";
import { createClusterTokens } from "../shared/api/cluster-tokens.ts";
import { createLocalClient } from "../shared/api/local-client.ts";
import type { Documents } from "../shared/api/non-resource.ts";
import type { ObjectClient } from "../shared/api/object-client.ts";
import type { PodStreams } from "../shared/api/pod-streams.ts";
import { Registry } from "../shared/api/registry.ts";
import { createRbacAuthorizer } from "../shared/auth/rbac.ts";
import type { TokenIssuer } from "../shared/auth/token.ts";
import type { Clock } from "../shared/clock.ts";
import { Mirror } from "../shared/store/mirror.ts";
import type { ClusterRef, Store } from "../shared/store/store.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { keepHistory } from "./history.ts";

/** What turns a cluster: its controllers and its scheduler. */
export interface Loops {
  start(): void;
  /** Lets the scheduler place pods, or makes it rest. */
  schedule(on: boolean): void;
  stop(): Promise<void>;
  /** Nothing is under way, nothing due and nothing waits for its time. */
  readonly atRest: boolean;
}

export interface ClusterRuntimeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly tokens: TokenIssuer;
  readonly documents: Documents;
  readonly podStreamsOf: (ref: ClusterRef) => PodStreams;
  readonly loopsOf: (runtime: { ref: ClusterRef; mirror: Mirror; client: ObjectClient }) => Loops;
}

/** 10.96.0.0/12, kubeadm's default. */
export const serviceCidr = { first: 0x0a600000, size: 2 ** 20 } as const;

/** One cluster that this process holds in memory, served and turned. */
export interface ClusterRuntime extends ServedCluster {
  readonly ref: ClusterRef;
  readonly client: ObjectClient;
  readonly loops: Loops;
  close(): Promise<void>;
}

export async function openClusterRuntime(ref: ClusterRef, options: ClusterRuntimeOptions, onEnd: () => void): Promise<ClusterRuntime> {
  const { store, clock, random, tokens, documents } = options;
  const log = options.log.with({ cluster: ref.cluster });
  const mirror = await Mirror.open(store, ref, {
    onEnd: (error) => {
      if (error.code !== "NoSuchCluster") log.error("the log can no longer be followed", error);
      onEnd();
    },
  });
  const cluster = { ref, store, mirror, clock, log, random, uid: randomUUID, serviceCidr };
  const registry = new Registry(cluster);
  const authorizer = createRbacAuthorizer(mirror);
  const client = createLocalClient(registry);
  const loops = options.loopsOf({ ref, mirror, client });
  loops.start();
  const stopHistory = keepHistory(store, ref, clock, log);
  return {
    ref,
    cluster,
    registry,
    authorizer,
    client,
    loops,
    documents,
    podStreams: options.podStreamsOf(ref),
    tokens: createClusterTokens(tokens, ref, mirror, clock),
    encoders: new Map(),
    async close() {
      stopHistory();
      await loops.stop();
      authorizer.close();
      mirror.close();
    },
  };
}
