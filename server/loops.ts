import { networkInterfaces } from "node:os";
import type { ObjectClient } from "../shared/api/object-client.ts";
import type { Clock } from "../shared/clock.ts";
import { concurrencyOf, createControllers } from "../shared/controllers/all-controllers.ts";
import { createControllerLoop } from "../shared/controllers/controller-loop.ts";
import { createEventRecorder } from "../shared/controllers/event-recorder.ts";
import { createSchedulerLoop } from "../shared/controllers/scheduling/scheduler-loop.ts";
import { nodes, pods } from "../shared/kubernetes/known-resources.ts";
import type { Node } from "../shared/kubernetes/types.ts";
import type { Heartbeats } from "../shared/platform/heartbeats.ts";
import type { Mirror } from "../shared/store/mirror.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import { objectOf } from "../shared/store/view.ts";
import type { Log } from "../shared/telemetry/log.ts";
import type { Loops } from "./cluster-runtime.ts";

export interface LoopsOptions {
  readonly ref: ClusterRef;
  readonly mirror: Mirror;
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly caPem: string;
  readonly apiServerPort: number;
  readonly heartbeats: Heartbeats;
  /** Whether the cluster's scheduler is to rest; asked when the loops start. */
  readonly schedulingPaused: () => Promise<boolean>;
}

const poolLabel = "coracle.dev/pool";

/**
 * The address that the endpoints of the `kubernetes` Service show: Kubernetes allows no loopback there. Pods get to the server through
 * their agent, whatever stands here.
 */
function machineAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.find((address) => address?.family === "IPv4" && !address.internal)?.address;
}

/** The controllers and the scheduler of one cluster, turned by this process. */
export function createLoops(options: LoopsOptions): Loops {
  const { ref, mirror, client, clock, random, heartbeats } = options;
  const log = options.log.with({ cluster: ref.cluster });
  const context = { view: mirror, client, clock, log, random };
  const advertised = machineAddress();
  const controllers = createControllers({
    recorderOf: (component) => createEventRecorder({ client, clock, component, random }),
    heartbeats: {
      lastSeen(nodeName) {
        const node = mirror.get(nodes, "", nodeName);
        const pool = node && objectOf<Node>(node).metadata.labels?.[poolLabel];
        return pool === undefined ? undefined : heartbeats.lastSeen({ tenant: ref.tenant, pool, nodeName });
      },
    },
    listeningSinceMs: clock.now(),
    caPem: options.caPem,
    ...(advertised !== undefined && { apiServerAddress: { ip: advertised, port: options.apiServerPort } }),
  });
  const loop = createControllerLoop({ controllers, context, concurrency: concurrencyOf });
  const scheduler = createSchedulerLoop(context);
  let stopped = false;
  const schedule = (on: boolean): void => {
    if (on && !stopped) scheduler.start();
    else void scheduler.stop();
  };
  return {
    start() {
      loop.start();
      options.schedulingPaused().then(
        (paused) => schedule(!paused),
        (error: unknown) => log.error("whether to schedule is not known", error),
      );
    },
    schedule,
    async stop() {
      stopped = true;
      await Promise.all([loop.stop(), scheduler.stop()]);
    },
    /** Clusters with machines or pods stay: their time-outs are counted here. */
    get atRest() {
      return loop.nextDue() === undefined && mirror.count(nodes) === 0 && mirror.count(pods) === 0;
    },
  };
}
