import type { FilterPlugin } from "./failure.ts";
import type { PendingPod, PodInfo } from "./pod-info.ts";
import type { ClaimBinding } from "./volumes.ts";

/** What to do with each pod that was looked at, in the order of the pods. */
export interface Plan {
  readonly decisions: readonly Decision[];
  /** Where the next search should begin, so that every node gets its turn: give it to the next `decide`. */
  readonly nextStartIndex: number;
}

export type Decision =
  | {
      readonly kind: "placed";
      readonly pod: PendingPod;
      readonly nodeName: string;
      /** Claims that are to be bound for this node before the pod is. */
      readonly claims: readonly ClaimBinding[];
    }
  | {
      readonly kind: "unschedulable";
      readonly pod: PendingPod;
      /** Nodes by Kubernetes' reason. Empty when there are no nodes, or none was looked at. */
      readonly reasons: ReadonlyMap<string, number>;
      /** As kube-scheduler prints it into the event and the condition. */
      readonly message: string;
      /** The filters that refused a node: only what they look at can change the outcome. */
      readonly plugins: ReadonlySet<FilterPlugin>;
      /** Pods to remove so that the pod fits on a node later. */
      readonly preemption: Preemption | undefined;
      /** What becomes of `status.nominatedNodeName`. */
      readonly nomination: Nomination;
    };

export interface Preemption {
  readonly nodeName: string;
  /** By falling importance. */
  readonly victims: readonly PodInfo[];
  /** Less important pods that were nominated to the node: their nomination is taken back. */
  readonly displaced: readonly PodInfo[];
}

export type Nomination = { readonly kind: "set"; readonly nodeName: string } | { readonly kind: "clear" } | { readonly kind: "keep" };
