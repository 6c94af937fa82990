import { pods } from "../../kubernetes/known-resources.ts";
import { type LabelRequirement, matchesLabels } from "../../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { oncePer } from "../../kubernetes/once-per.ts";
import type { Pod, PodTemplateSpec, ReplicaSetStatus } from "../../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../../store/view.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "../controller.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { isNamespaceTerminating, messageOf } from "../failures.ts";
import { podsControlledBy } from "../owned-pods.ts";
import { keysOfOwners } from "../owner-keys.ts";
import { claimOwned, controllerOf, controllerReference, createOrphanIndex, type OwnerKind } from "../owners.ts";
import { isPodActive, nextAvailability } from "../pod-state.ts";
import { isOf } from "../same-resource.ts";
import { createPodControl } from "./pod-control.ts";
import { podsToDelete } from "./pod-ranking.ts";
import { podFromTemplate } from "./pod-template.ts";
import { replicaStatus, sameStatus } from "./replica-status.ts";
import { type Failure, slowStart } from "./slow-start.ts";

/** What ReplicaSet and ReplicationController have in common. */
export interface ReplicaOwner extends KubernetesObject {
  spec?: { replicas?: number; minReadySeconds?: number; template?: PodTemplateSpec };
  status?: ReplicaSetStatus;
}

export interface ReplicaKind extends OwnerKind {
  readonly controllerName: string;
  /** What its pods' labels must match; undefined when it selects nothing. */
  selectorOf(object: KubernetesObject): readonly LabelRequirement[] | undefined;
}

/** At most so many pods are made or deleted in one go (`BurstReplicas`). */
const burstReplicas = 500;

/** Keeps as many pods as `spec.replicas` says: kube-controller-manager's `replicaset` and `replicationcontroller`, which are one there too. */
export function createReplicaController(kind: ReplicaKind, events: Pick<EventRecorder, "event">): Controller {
  const orphans = createOrphanIndex(pods);
  const selectionOf = oncePer((owner: KubernetesObject) => ({ selector: kind.selectorOf(owner) }));
  const selectorOf = (owner: KubernetesObject): readonly LabelRequirement[] | undefined => selectionOf(owner).selector;
  const matches = (owner: KubernetesObject, pod: KubernetesObject): boolean => {
    const selector = selectorOf(owner);
    return selector !== undefined && matchesLabels(selector, pod.metadata.labels);
  };

  const reconcile = async (key: string, context: ControllerContext): Promise<ReconcileOutcome> => {
    const { view, client, clock } = context;
    const [namespace = "", name = ""] = key.split("/");
    const stored = view.get(kind.resource, namespace, name);
    if (!stored || selectorOf(stored.object) === undefined) return { kind: "done" };
    const owner = objectOf<ReplicaOwner>(stored);
    const owned = await claimOwned<Pod>({
      view,
      client,
      owner: kind,
      claimer: owner,
      resource: pods,
      orphans,
      matches: (pod) => matches(owner, pod),
      concerns: (pod) => isPodActive(pod as Pod),
    });
    const wanted = owner.spec?.replicas ?? 1;
    const failure = owner.metadata.deletionTimestamp === undefined ? await scale(owner, owned, wanted, context) : undefined;
    const active = failure === undefined && owned.length === wanted ? owned : ownedNow(view, owner);
    const failed = failure && { reason: owned.length < wanted ? "FailedCreate" : "FailedDelete", message: messageOf(failure.cause) };
    const status = replicaStatus(owner, active, failed, clock.now());
    if (!sameStatus(owner, status)) {
      const { resourceVersion = "" } = owner.metadata;
      const body: ReplicaOwner = { ...owner, metadata: { ...owner.metadata, resourceVersion }, status };
      await client.update(kind.resource, body, { subresource: "status" });
    }
    if (failure) throw failure.cause;
    const againMs = nextAvailability(active, owner.spec?.minReadySeconds ?? 0, clock.now());
    return againMs === undefined ? { kind: "done" } : { kind: "again", afterMs: againMs };
  };

  const ownedNow = (view: ClusterView, owner: KubernetesObject): Pod[] =>
    podsControlledBy(view, owner.metadata.uid ?? "").filter((pod) => isPodActive(pod) && matches(owner, pod));

  const scale = async (
    owner: ReplicaOwner,
    owned: readonly Pod[],
    wanted: number,
    context: ControllerContext,
  ): Promise<Failure | undefined> => {
    const missing = Math.min(wanted - owned.length, burstReplicas);
    if (missing > 0) return create(owner, missing, context);
    const surplus = Math.min(owned.length - wanted, burstReplicas);
    return surplus > 0 ? remove(owner, owned, surplus, context) : undefined;
  };

  const create = async (owner: ReplicaOwner, count: number, { client }: ControllerContext): Promise<Failure | undefined> => {
    const control = createPodControl(client, events);
    const { failure } = await slowStart(count, () =>
      control.create(podFromTemplate(owner.spec?.template ?? {}, owner, controllerReference(kind, owner)), owner),
    );
    return failure && isNamespaceTerminating(failure.cause) ? undefined : failure;
  };

  const remove = async (
    owner: ReplicaOwner,
    owned: readonly Pod[],
    count: number,
    { view, client, clock }: ControllerContext,
  ): Promise<Failure | undefined> => {
    const control = createPodControl(client, events);
    const doomed = podsToDelete(owned, relatedPods(view, owner), count, clock.now());
    const outcomes = await Promise.allSettled(doomed.map((pod) => control.delete(pod, owner)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    return failed && { cause: failed.reason };
  };

  /** The pods of every replica set of the same deployment: a pod whose node holds many of them goes first. */
  const relatedPods = (view: ClusterView, owner: ReplicaOwner): Pod[] => {
    const { uid } = controllerOf(owner) ?? {};
    if (uid === undefined) return [];
    const siblings = view.ownedBy(uid).filter(({ key, object }) => isOf(kind.resource, key) && controllerOf(object)?.uid === uid);
    return siblings.flatMap(({ object }) => ownedNow(view, object));
  };

  return {
    name: kind.controllerName,
    allKeys(view) {
      orphans.rebuild(view);
      return view.list(kind.resource).map(({ key }) => `${key.namespace}/${key.name}`);
    },
    keysOf(change, view) {
      if (isOf(kind.resource, change.key)) return [`${change.key.namespace}/${change.key.name}`];
      if (!isOf(pods, change.key)) return [];
      orphans.note(change);
      return keysOfOwners(change, view, kind, matches);
    },
    reconcile,
  };
}
