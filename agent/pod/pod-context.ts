import type { PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Clock } from "../../shared/clock.ts";
import type { ConfigMap, Pod, Secret } from "../../shared/kubernetes/types.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import type { AgentEventRecorder } from "../event-recorder.ts";
import type { PodFiles } from "../pod-files.ts";
import type { ContainerRuntime, SandboxSpec } from "../runtime.ts";
import type { RuntimeObserver } from "../runtime-observer.ts";

/** What the pods of a node share. */
export interface NodeContext {
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly observer: RuntimeObserver;
  readonly files: PodFiles;
  readonly events: AgentEventRecorder;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly hostIps: readonly string[];
  readonly allocatable: () => Readonly<Record<string, string | number>>;
  /** What else runs on the node, with the resources that it has been granted. */
  readonly others: (podUid: string) => readonly Pod[];
  readonly configuration: PodConfiguration;
  /** Absent where pods have no network of their own making. */
  readonly network: PodNetwork | undefined;
  report(cluster: string, pod: Pod, status: PodStatusReport): void;
  /** The pod has ended for good: nothing of it is left on the node. */
  gone(cluster: string, pod: Pod, removed: boolean): void;
}

/** Where pods find what they name. */
export interface PodConfiguration {
  configMap(cluster: string, namespace: string, name: string): ConfigMap | undefined;
  secret(cluster: string, namespace: string, name: string): Secret | undefined;
  serviceEnvironment(cluster: string, pod: Pod): ReadonlyMap<string, string>;
  /** A token for the pod's ServiceAccount; asking again near its end brings a fresh one. */
  token(cluster: string, pod: Pod, audience: string, expirationSeconds: number): Promise<string>;
  /** When one of the pod's tokens should be fetched anew, ms; `undefined` when it has none. */
  tokenRefreshAtMs(podUid: string): number | undefined;
}

/** The node's network as its pods need it. */
export interface PodNetwork {
  dnsFor(cluster: string, pod: Pod): Promise<SandboxSpec["dns"]>;
  /** The pod has these addresses. Resolves when services and names count it in; cheap to repeat. Never rejects. */
  addressed(cluster: string, pod: Pod, ips: readonly string[]): Promise<void>;
}
