import type { ObjectClient } from "../../api/object-client.ts";
import { pods } from "../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Pod } from "../../kubernetes/types.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { isNamespaceTerminating, messageOf } from "../failures.ts";

/** Makes and deletes pods on behalf of what owns them, and tells of it in the owner's events (`controller.RealPodControl`). */
export interface PodControl {
  /** @throws what the API answers; that the namespace is being terminated is thrown too, but not told */
  create(pod: Pod, owner: KubernetesObject): Promise<void>;
  /** Only the pod with this uid. One that is gone already is no failure and no event. */
  delete(pod: Pod, owner: KubernetesObject): Promise<void>;
}

export function createPodControl(client: ObjectClient, events: Pick<EventRecorder, "event">): PodControl {
  return {
    async create(pod, owner) {
      try {
        const created = await client.create(pods, pod);
        events.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.key.name}`);
      } catch (error) {
        if (!isNamespaceTerminating(error)) events.event(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(error)}`);
        throw error;
      }
    },
    async delete({ metadata: { namespace = "", name = "", uid = "" } }, owner) {
      try {
        await client.delete(pods, namespace, name, { uid });
        events.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
      } catch (error) {
        if (isStatus(error, "NotFound")) return;
        events.event(owner, "Warning", "FailedDelete", `Error deleting: ${messageOf(error)}`);
        throw error;
      }
    },
  };
}
