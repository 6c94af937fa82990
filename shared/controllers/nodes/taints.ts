import type { Node, Taint } from "../../kubernetes/types.ts";
import { formatTime } from "../timestamp.ts";

const notReadyTaint = "node.kubernetes.io/not-ready";
const unreachableTaint = "node.kubernetes.io/unreachable";

/** Which taint a condition's status stands for (`nodeConditionToTaintKeyStatusMap`). */
const taintsOfConditions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" },
};
const unschedulableTaint = "node.kubernetes.io/unschedulable";

const keptBySchedule: ReadonlySet<string> = new Set([unschedulableTaint, ...Object.values(taintsOfConditions).flatMap(Object.values)]);
const keptByExecution: ReadonlySet<string> = new Set([notReadyTaint, unreachableTaint]);

export const isOutage = ({ key, effect }: Taint): boolean => effect === "NoExecute" && keptByExecution.has(key);

/** Where no pod shall land: the conditions of the node and its cordon, as taints. */
function scheduleTaints({ spec, status }: Node): string[] {
  const keys = (status?.conditions ?? []).flatMap(({ type, status }) => taintsOfConditions[type]?.[status] ?? []);
  return spec?.unschedulable === true ? [...keys, unschedulableTaint] : keys;
}

/** The taint that ends pods, when the node is not ready; undefined when it is, or never said anything. */
function executionTaint({ status }: Node): string | undefined {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return taintsOfConditions.Ready?.[ready?.status ?? ""];
}

/**
 * The taints of a node whose own ones follow its conditions; others' taints stay as they are. `outage` says what may become of the taint
 * that ends pods: `set` it, `keep` what stands, or `clear` it although the node is not ready. Undefined when nothing changes.
 */
export function followConditions(node: Node, outage: "set" | "keep" | "clear", nowMs: number): Taint[] | undefined {
  const current = node.spec?.taints ?? [];
  const wantedSchedule = new Set(scheduleTaints(node));
  const ending = executionTaint(node);
  const standing = current.find(isOutage);
  const wantedExecution = ending === undefined || outage === "clear" ? undefined : outage === "set" || standing ? ending : undefined;
  const isWanted = ({ key, effect }: Taint): boolean => {
    if (effect === "NoSchedule" && keptBySchedule.has(key)) return wantedSchedule.has(key);
    return effect === "NoExecute" && keptByExecution.has(key) ? key === wantedExecution : true;
  };
  const kept = current.filter(isWanted);
  const has = (key: string, effect: Taint["effect"]): boolean => kept.some((taint) => taint.key === key && taint.effect === effect);
  const timeAdded = formatTime(nowMs);
  const added: Taint[] = [...wantedSchedule]
    .filter((key) => !has(key, "NoSchedule"))
    .map((key) => ({ key, effect: "NoSchedule" as const, timeAdded }));
  if (wantedExecution !== undefined && !has(wantedExecution, "NoExecute"))
    added.push({ key: wantedExecution, effect: "NoExecute", timeAdded });
  return added.length === 0 && kept.length === current.length ? undefined : [...kept, ...added];
}
