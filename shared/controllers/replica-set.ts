import { replicaSets } from "../kubernetes/known-resources.ts";
import { requirementsOf } from "../kubernetes/label-selector.ts";
import type { ReplicaSet } from "../kubernetes/types.ts";
import type { Controller } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import type { OwnerKind } from "./owners.ts";
import { createReplicaController } from "./replicas/replica-controller.ts";

export const replicaSetKind: OwnerKind = { resource: replicaSets, apiVersion: "apps/v1", kind: "ReplicaSet" };

/** Keeps the pods of ReplicaSets. `events` tells as `replicaset-controller`. */
export function createReplicaSetController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return createReplicaController(
    {
      ...replicaSetKind,
      controllerName: "replicaset",
      selectorOf(object) {
        const { spec } = object as ReplicaSet;
        return spec && requirementsOf(spec.selector);
      },
    },
    events,
  );
}
