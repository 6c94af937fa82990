import { poolLabel } from "../api/agent/node-object.ts";
import { createClusterAuthority } from "../auth/certificate-signing.ts";
import type { Clock } from "../clock.ts";
import { concurrencyOf, createControllers } from "../controllers/all-controllers.ts";
import type { ApiServerAddress } from "../controllers/api-server-endpoints.ts";
import { createControllerLoop } from "../controllers/controller-loop.ts";
import { earliest } from "../controllers/earliest.ts";
import { createEventRecorder, type EventRecorder } from "../controllers/event-recorder.ts";
import { nodeLifecycleName, nodeMonitorGraceMs } from "../controllers/node-lifecycle.ts";
import type { Pace } from "../controllers/scheduling/paced-tasks.ts";
import { createSchedulerLoop } from "../controllers/scheduling/scheduler-loop.ts";
import { nodes, pods } from "../kubernetes/known-resources.ts";
import type { Node } from "../kubernetes/types.ts";
import type { Heartbeats, NodeName } from "../platform/heartbeats.ts";
import { objectOf } from "../store/view.ts";
import type { Log } from "../telemetry/log.ts";
import type { ClusterRuntime } from "./cluster-runtime.ts";

/** What turns a cluster: its controllers and its scheduler. */
export interface Loops {
  start(): void;
  /** Lets the scheduler place pods, or makes it rest. */
  schedule(on: boolean): void;
  /** Takes nothing new and resolves when what is under way has ended. */
  stop(): Promise<void>;
  /** While they are held the loops write nothing: changes only say what is worth a look. */
  hold(on: boolean): void;
  /** Where silences are told: looks at the nodes that are silent by now. */
  lookAtSilent(): void;
  /** Something is under way, or due by then; whatever may be, while the loops have not been started. */
  hasDue(byMs: number): boolean;
  /**
   * Resolves when nothing is under way and nothing is due: what waits for its time is not waited for. Answers the revision up to which that is so: what has
   * come since is not done.
   */
  idle(): Promise<number>;
  /** When the earliest key or pod is due that waits for its time, in milliseconds since 1970. */
  nextDue(): number | undefined;
  /** Nothing is under way, nothing due and nothing waits for its time. */
  readonly atRest: boolean;
}

export interface LoopsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly caPem: string;
  /** The key of that authority, from which those of the clusters' own follow. */
  readonly caKeyPem: () => string;
  /** Where the Service `kubernetes` leads. Absent: its Endpoints are not kept. */
  readonly apiServerAddress?: ApiServerAddress;
  readonly heartbeats: Pick<Heartbeats, "lastSeen">;
  /** A machine of a pool fell silent; told once or more. */
  readonly onSilence?: (node: NodeName, lastSeenMs: number) => Promise<void>;
  /** Whoever turns the loops reads the heartbeats first, calls `lookAtSilent` and looks after the next silence: the loops do not wait for it. */
  readonly silenceIsTold?: boolean;
  /** Since when this host hears heartbeats itself. Absent: they were always heard. */
  readonly listeningSinceMs?: number;
  /** How long a node may be silent; absent: as kube-controller-manager has it. */
  readonly nodeGraceMs?: number;
  /** How long the scheduler leaves a new pod alone that no controller made, in milliseconds; absent: not at all. */
  readonly graceMs?: number;
  /** How fast the scheduler tells pods that no node will do; absent: as fast as it goes. */
  readonly reportPace?: Pace;
  /** Whether the cluster's scheduler is to rest; asked when the loops start. */
  readonly schedulingPaused: () => Promise<boolean>;
}

/** The controllers and the scheduler of one cluster, turned by this process. */
export function createLoops({ ref, cluster, client, tokens, authorizer }: ClusterRuntime, options: LoopsOptions): Loops {
  const { clock, random, heartbeats, onSilence, silenceIsTold, listeningSinceMs, nodeGraceMs, apiServerAddress } = options;
  const { mirror } = cluster;
  const log = options.log.with({ cluster: ref.cluster });
  const context = { view: mirror, client, clock, log, random };
  const recorders: EventRecorder[] = [];
  const machineOf = (nodeName: string): NodeName | undefined => {
    const node = mirror.get(nodes, "", nodeName);
    const pool = node && objectOf<Node>(node).metadata.labels?.[poolLabel];
    return pool === undefined ? undefined : { tenant: ref.tenant, pool, nodeName };
  };
  const controllers = createControllers({
    recorderOf(component) {
      const recorder = createEventRecorder({ client, clock, component, random });
      recorders.push(recorder);
      return recorder;
    },
    heartbeats: {
      lastSeen(nodeName) {
        const node = machineOf(nodeName);
        return node && heartbeats.lastSeen(node);
      },
    },
    ...(onSilence && {
      async onSilence(nodeName: string, lastSeenMs: number) {
        const node = machineOf(nodeName);
        if (node) await onSilence(node, lastSeenMs);
      },
    }),
    caPem: options.caPem,
    tokens,
    certificates: {
      authorizer,
      authority: createClusterAuthority({ caKeyPem: options.caKeyPem, caPem: options.caPem, cluster: ref.cluster }),
    },
    ...(silenceIsTold !== undefined && { silenceIsTold }),
    ...(listeningSinceMs !== undefined && { listeningSinceMs }),
    ...(nodeGraceMs !== undefined && { nodeGraceMs }),
    ...(apiServerAddress !== undefined && { apiServerAddress }),
  });
  const loop = createControllerLoop({ controllers, context, concurrency: concurrencyOf });
  const scheduler = createSchedulerLoop(context, options);
  let stopped = false;
  let started = false;
  let starting = Promise.resolve();
  const schedule = (on: boolean): void => {
    if (on && !stopped) scheduler.start();
    else void scheduler.stop();
  };
  const nextDue = (): number | undefined => earliest([loop.nextDue(), scheduler.nextDue()]);
  return {
    start() {
      loop.start();
      started = true;
      starting = options.schedulingPaused().then(
        (paused) => schedule(!paused),
        (error: unknown) => log.error("whether to schedule is not known", error),
      );
    },
    schedule,
    hold(on) {
      loop.hold(on);
      scheduler.hold(on);
    },
    lookAtSilent() {
      for (const { key } of mirror.list(nodes)) {
        const machine = machineOf(key.name);
        const seenMs = machine && heartbeats.lastSeen(machine);
        if (seenMs !== undefined && seenMs + (nodeGraceMs ?? nodeMonitorGraceMs) <= clock.now()) loop.look(nodeLifecycleName, key.name);
      }
    },
    hasDue: (byMs) => !started || stopped || loop.hasDue() || scheduler.hasDue() || (nextDue() ?? Number.POSITIVE_INFINITY) <= byMs,
    async stop() {
      stopped = true;
      await Promise.all([loop.stop(), scheduler.stop()]);
    },
    async idle() {
      await starting;
      for (;;) {
        const { revision } = mirror;
        await loop.idle();
        await scheduler.idle();
        await Promise.all(recorders.map((recorder) => recorder.flush()));
        // What one of them writes may be work for another.
        const isIdle = revision === mirror.revision && !loop.hasDue() && !scheduler.hasDue();
        if (isIdle || stopped) return revision;
      }
    },
    nextDue,
    /** Clusters with machines or pods stay: their time-outs are counted here. */
    get atRest() {
      return loop.nextDue() === undefined && mirror.count(nodes) === 0 && mirror.count(pods) === 0;
    },
  };
}
