import type { ObjectClient } from "../../api/object-client.ts";
import { persistentVolumeClaims, persistentVolumes, pods } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { PersistentVolumeClaim, Pod, PodCondition } from "../../kubernetes/types.ts";
import type { Nomination, Preemption } from "../../scheduler/plan.ts";
import type { PodInfo } from "../../scheduler/pod-info.ts";
import type { ClaimBinding } from "../../scheduler/volumes.ts";
import { type ClusterView, objectOf } from "../../store/view.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { formatTime } from "../timestamp.ts";

export interface PodStatusWriter {
  /** Sets PodScheduled=False and the nomination, if that is not what the pod says already. */
  reportUnschedulable(pod: PodInfo, message: string, nomination: Nomination): Promise<void>;
  /** Marks a victim as disrupted and deletes it with its grace. */
  evict(victim: PodInfo, preemptor: PodInfo, preemption: Preemption): Promise<void>;
  clearNomination(pod: PodInfo): Promise<void>;
  /** Lets volumes be bound or provisioned for a node (`volume.kubernetes.io/selected-node`, `claimRef`). */
  requestVolume(binding: ClaimBinding, nodeName: string): Promise<void>;
}

export interface PodStatusWriterOptions {
  readonly client: ObjectClient;
  readonly view: ClusterView;
  readonly recorder: EventRecorder;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const options = { fieldManager: "kube-scheduler" } as const;
const statusOptions = { ...options, subresource: "status" } as const;

/** What the scheduler writes beside bindings. A pod that is gone by then is passed over. */
export function createPodStatusWriter({ client, view, recorder, now }: PodStatusWriterOptions): PodStatusWriter {
  const current = ({ namespace, name, uid }: PodInfo): Pod | undefined => {
    const stored = view.get(pods, namespace, name);
    const pod = stored && objectOf<Pod>(stored);
    return pod?.metadata.uid === uid ? pod : undefined;
  };
  const conditionPatch = (pod: Pod, condition: Omit<PodCondition, "lastTransitionTime">): PodCondition | undefined => {
    const before = pod.status?.conditions?.find(({ type }) => type === condition.type);
    if (before?.status === condition.status && before.reason === condition.reason && before.message === condition.message) return undefined;
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? formatTime(now()) };
  };
  const patchStatus = async (pod: Pod, condition: PodCondition | undefined, nominatedNodeName: string | undefined): Promise<void> => {
    const { namespace = "", name = "", uid } = pod.metadata;
    const status = {
      ...(condition && { conditions: [condition] }),
      ...(nominatedNodeName !== undefined && { nominatedNodeName: nominatedNodeName === "" ? null : nominatedNodeName }),
    };
    await client.patch(pods, namespace, name, { type: "strategic", body: { metadata: { uid }, status } }, statusOptions);
  };
  const unlessGone = async (write: () => Promise<unknown>): Promise<void> => {
    try {
      await write();
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
    }
  };

  return {
    async reportUnschedulable(info, message, nomination) {
      const pod = current(info);
      if (pod === undefined || pod.spec?.nodeName || pod.metadata.deletionTimestamp !== undefined) return;
      const condition = conditionPatch(pod, { type: "PodScheduled", status: "False", reason: "Unschedulable", message });
      const before = pod.status?.nominatedNodeName ?? "";
      const after = nomination.kind === "set" ? nomination.nodeName : nomination.kind === "clear" ? "" : before;
      if (condition === undefined && after === before) return;
      await unlessGone(() => patchStatus(pod, condition, after === before ? undefined : after));
    },
    async evict(victim, preemptor, { nodeName }) {
      const pod = current(victim);
      if (pod === undefined) return;
      const scheduler = preemptor.pod.spec?.schedulerName ?? "default-scheduler";
      const condition = conditionPatch(pod, {
        type: "DisruptionTarget",
        status: "True",
        reason: "PreemptionByScheduler",
        message: `${scheduler}: preempting to accommodate a higher priority pod`,
      });
      if (condition) await unlessGone(() => patchStatus(pod, condition, undefined));
      await unlessGone(() => client.delete(pods, victim.namespace, victim.name, { uid: victim.uid }));
      recorder.event(pod, "Normal", "Preempted", `Preempted by pod ${preemptor.uid} on node ${nodeName}`);
    },
    async clearNomination(info) {
      const pod = current(info);
      if (pod?.status?.nominatedNodeName) await unlessGone(() => patchStatus(pod, undefined, ""));
    },
    async requestVolume({ namespace, claim, volume }, nodeName) {
      const stored = view.get(persistentVolumeClaims, namespace, claim);
      const found = stored && objectOf<PersistentVolumeClaim>(stored);
      if (found === undefined || found.spec?.volumeName) return;
      if (volume !== undefined) {
        const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claim, uid: found.metadata.uid };
        await unlessGone(() => client.patch(persistentVolumes, "", volume, { type: "merge", body: { spec: { claimRef } } }, options));
        return;
      }
      const annotation = "volume.kubernetes.io/selected-node";
      if (found.metadata.annotations?.[annotation] === nodeName) return;
      const body = { metadata: { annotations: { [annotation]: nodeName } } };
      await unlessGone(() => client.patch(persistentVolumeClaims, namespace, claim, { type: "merge", body }, options));
    },
  };
}
