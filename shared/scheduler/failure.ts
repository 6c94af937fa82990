/** The filter plugins of kube-scheduler, in the order in which they run, by their registered names. */
export type FilterPlugin =
  | "NodeUnschedulable"
  | "NodeName"
  | "TaintToleration"
  | "NodeAffinity"
  | "NodePorts"
  | "NodeResourcesFit"
  | "VolumeRestrictions"
  | "NodeVolumeLimits"
  | "VolumeBinding"
  | "VolumeZone"
  | "PodTopologySpread"
  | "InterPodAffinity";

/** Why a node was refused. Plugins answer the same object for the same failure. */
export interface Failure {
  readonly plugin: FilterPlugin;
  /** Kubernetes' texts, each counted by node in the message. */
  readonly reasons: readonly string[];
  /** Removing pods from the node might help (`Unschedulable`, as against `UnschedulableAndUnresolvable`). */
  readonly isResolvable: boolean;
}

/** A failure that no removal of pods cures. */
export function unresolvable(plugin: FilterPlugin, ...reasons: string[]): Failure {
  return { plugin, reasons, isResolvable: false };
}

/** A failure that removing pods may cure. */
export function resolvable(plugin: FilterPlugin, ...reasons: string[]): Failure {
  return { plugin, reasons, isResolvable: true };
}

/** `1 Insufficient cpu, 2 node(s) were unschedulable`: counts and reasons, sorted as texts (framework.FitError). */
export function formatReasons(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

/** `0/3 nodes are available: <details>. <what preemption says>` */
export function formatFitError(nodeCount: number, details: string, afterwards: string): string {
  return [
    `0/${nodeCount} nodes are available:`,
    ...(details === "" ? [] : [`${details}.`]),
    ...(afterwards === "" ? [] : [afterwards]),
  ].join(" ");
}
