import { daemonSets, nodes } from "../../kubernetes/known-resources.ts";
import { oncePer } from "../../kubernetes/once-per.ts";
import type { DaemonSet, Node, Pod, PodSpec } from "../../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { podsControlledBy } from "../owned-pods.ts";
import { selectsByLabels } from "../owner-keys.ts";
import type { OwnerKind } from "../owners.ts";
import { createPodControl } from "../replicas/pod-control.ts";
import { type Failure, slowStart } from "../replicas/slow-start.ts";
import { byNode, type DaemonState, placementsOf, podFor } from "./daemon-pods.ts";
import type { FailedPodBackOff } from "./failed-pod-back-off.ts";
import { daemonPodSpec } from "./placement.ts";
import { type DaemonPlan, type EndedPod, planNodes } from "./plan.ts";
import { planRollingUpdate } from "./rolling-update.ts";

export const daemonSetKind: OwnerKind = { resource: daemonSets, apiVersion: "apps/v1", kind: "DaemonSet" };

/** At most so many pods are made or deleted in one go (`BurstReplicas`). */
const burstReplicas = 250;

/** The spec that the set's pods have but for their node. */
export const podSpecOf = oncePer((set: DaemonSet): PodSpec => daemonPodSpec(set.spec?.template.spec ?? { containers: [] }));

/** What the set controls now and its selector selects. */
export const podsOf = (set: DaemonSet, view: ClusterView): Pod[] =>
  podsControlledBy(view, set.metadata.uid ?? "").filter((pod) => selectsByLabels(set, pod));

export function stateOf(set: DaemonSet, hash: string, { view, clock }: ControllerContext): DaemonState {
  const all = view.list(nodes).map((stored) => objectOf<Node>(stored));
  return { set, hash, placements: placementsOf(podSpecOf(set), all), podsByNode: byNode(podsOf(set, view)), nowMs: clock.now() };
}

export interface Keeping {
  readonly context: ControllerContext;
  readonly events: Pick<EventRecorder, "event">;
  readonly backOff: FailedPodBackOff;
}

/**
 * First a pod on each node, then, from what that has made of it, a step of the rolling update. Answers what failed, and in how many
 * milliseconds a failed pod may be replaced that cannot be yet.
 */
export async function keepPods(
  set: DaemonSet,
  hash: string,
  keeping: Keeping,
): Promise<{ readonly failure: Failure | undefined; readonly waitMs: number | undefined }> {
  const plan = planNodes(stateOf(set, hash, keeping.context));
  const { replaced, waitMs } = replaceEnded(set, plan.ended, keeping);
  const failure = await carryOut(set, hash, { create: plan.create, delete: [...plan.delete, ...replaced] }, keeping);
  if (failure || set.spec?.updateStrategy?.type !== "RollingUpdate") return { failure, waitMs };
  return { failure: await carryOut(set, hash, planRollingUpdate(stateOf(set, hash, keeping.context)), keeping), waitMs };
}

/** Which of the ended pods to delete now, and in how many milliseconds the next one, where they failed too often. */
function replaceEnded(set: DaemonSet, ended: readonly EndedPod[], { context, events, backOff }: Keeping) {
  const nowMs = context.clock.now();
  const replaced: Pod[] = [];
  const waits: number[] = [];
  for (const { nodeName, pod } of ended) {
    const where = `daemon pod ${pod.metadata.namespace}/${pod.metadata.name} on node ${nodeName}`;
    if (pod.status?.phase === "Succeeded") {
      events.event(set, "Normal", "SucceededDaemonPod", `Found succeeded ${where}, will try to delete it`);
    } else {
      const key = `${set.metadata.uid}/${set.status?.observedGeneration ?? 0}/${nodeName}`;
      const waitMs = backOff.waitMs(key, nowMs);
      if (waitMs > 0) {
        waits.push(waitMs);
        continue;
      }
      backOff.note(key, nowMs);
      events.event(set, "Warning", "FailedDaemonPod", `Found failed ${where}, will try to kill it`);
    }
    replaced.push(pod);
  }
  return { replaced, waitMs: waits.length > 0 ? Math.min(...waits) : undefined };
}

async function carryOut(set: DaemonSet, hash: string, plan: DaemonPlan, { context, events }: Keeping): Promise<Failure | undefined> {
  const control = createPodControl(context.client, events);
  const create = plan.create.slice(0, burstReplicas);
  const { failure } = await slowStart(create.length, (index) =>
    control.create(podFor(create[index] ?? "", daemonSetKind, set, podSpecOf(set), hash), set),
  );
  const outcomes = await Promise.allSettled(plan.delete.slice(0, burstReplicas).map((pod) => control.delete(pod, set)));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  return failure ?? (failed && { cause: failed.reason });
}
