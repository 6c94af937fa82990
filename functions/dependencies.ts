import type { PodStreams } from "../shared/api/pod-streams.ts";
import type { TokenIssuer } from "../shared/auth/token.ts";
import type { ClusterRuntimeOptions } from "../shared/host/cluster-runtime.ts";
import type { Installation } from "../shared/host/installation.ts";
import type { NodeMarks } from "../shared/host/node-marks.ts";
import type { Meter } from "../shared/metering/meter.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { WebhookSettings } from "../shared/webhooks/webhooks.ts";
import type { FunctionPorts } from "./ports.ts";
import type { TenantStores } from "./tenant-stores.ts";

/** What every function stands on. */
export interface Dependencies extends FunctionPorts, TenantStores {
  readonly installation: Installation;
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
