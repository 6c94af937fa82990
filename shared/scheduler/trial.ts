import type { Cycle } from "./cycle.ts";
import type { Failure } from "./failure.ts";
import type { PodInfo } from "./pod-info.ts";
import type { ClusterSnapshot } from "./snapshot.ts";

/**
 * Checks a node also as it will be when the pods nominated to it have come, as far as they are as important as this one: the pod must fit
 * both with them and without (framework `RunFilterPluginsWithNominatedPods`).
 */
export function checkWithNominated(snapshot: ClusterSnapshot, cycle: Cycle, pod: PodInfo, slot: number): Failure | undefined {
  const nominated = snapshot.nominatedTo(slot);
  if (nominated.size === 0) return cycle.check(slot);
  const ahead = [...nominated.values()].filter(({ uid, priority }) => uid !== pod.uid && priority >= pod.priority);
  if (ahead.length === 0) return cycle.check(slot);
  for (const other of ahead) snapshot.change(other, slot, 1);
  const crowded = cycle.check(slot);
  for (const other of ahead) snapshot.change(other, slot, -1);
  return crowded ?? cycle.check(slot);
}
