import { replicationControllers } from "../kubernetes/known-resources.ts";
import { requirementsOf } from "../kubernetes/label-selector.ts";
import type { ReplicationController } from "../kubernetes/types.ts";
import type { Controller } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { createReplicaController } from "./replicas/replica-controller.ts";

/** Keeps the pods of ReplicationControllers. `events` tells as `replication-controller`. */
export function createReplicationControllerController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return createReplicaController(
    {
      resource: replicationControllers,
      apiVersion: "v1",
      kind: "ReplicationController",
      controllerName: "replicationcontroller",
      selectorOf(object) {
        const selector = (object as ReplicationController).spec?.selector ?? {};
        return Object.keys(selector).length > 0 ? requirementsOf({ matchLabels: selector }) : undefined;
      },
    },
    events,
  );
}
