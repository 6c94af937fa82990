import type { ObjectClient } from "../api/object-client.ts";
import { acceptNames, isConditionTrue, isServable } from "../kubernetes/custom/accepted-names.ts";
import { approvalCondition } from "../kubernetes/custom/api-approval.ts";
import { cleanupFinalizer } from "../kubernetes/custom/cleanup-finalizer.ts";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import { customResourceDefinitions } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";
import { formatTime } from "./timestamp.ts";

const done: ReconcileOutcome = { kind: "done" };
const parallelDeletions = 50;
/** How long to wait before looking again at objects that have finalizers of their own. */
const lookAgainMs = 5_000;

type NewCondition = Pick<CustomResourceDefinitionCondition, "type" | "status" | "reason" | "message">;

/**
 * Writes down which names a CustomResourceDefinition has and that it is served (the API serves it without waiting for this), and empties
 * one that is being deleted before it goes (apiextensions `controller/status`, `controller/establish`, `controller/finalizer`).
 */
export function createCustomResourceDefinitionController(): Controller {
  return {
    name: "customresourcedefinition",
    allKeys: (view) => view.list(customResourceDefinitions).map(({ key }) => key.name),
    keysOf(change, view) {
      if (!isOf(customResourceDefinitions, change.key)) return ownerOf(change.key.group, change.key.resource, change.type, view);
      // Names that became free are for the others of the group.
      if (change.type === "DELETED") return view.list(customResourceDefinitions).map(({ key }) => key.name);
      return [change.key.name];
    },
    async reconcile(name, context) {
      const stored = context.view.get(customResourceDefinitions, "", name);
      if (!stored) return done;
      const definition = objectOf<CustomResourceDefinition>(stored);
      if (definition.metadata.deletionTimestamp !== undefined) return clean(definition, context);
      await establish(definition, context);
      return done;
    },
  };
}

/** An object that went may have been the last of a definition that waits for it. */
function ownerOf(group: string, resource: string, type: string, view: ClusterView): string[] {
  if (type !== "DELETED" || group === "") return [];
  const definition = view.get(customResourceDefinitions, "", `${resource}.${group}`);
  return definition?.object.metadata.deletionTimestamp === undefined ? [] : [definition.key.name];
}

async function establish(definition: CustomResourceDefinition, { view, client, clock }: ControllerContext): Promise<void> {
  const { group } = definition.spec;
  const others = view
    .list(customResourceDefinitions)
    .map((stored) => objectOf<CustomResourceDefinition>(stored))
    .filter(({ metadata, spec }) => spec.group === group && metadata.name !== definition.metadata.name);
  const taken = others.flatMap(({ status }) => (status?.acceptedNames ? [status.acceptedNames] : []));
  const { names, condition } = acceptNames(definition, taken);
  const established = isConditionTrue(definition, "Established") || (condition.status === "True" && isServable(names));
  const wanted: NewCondition[] = [
    condition,
    established
      ? { type: "Established", status: "True", reason: "InitialNamesAccepted", message: "the initial names have been accepted" }
      : { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" },
    ...approvalCondition(definition),
  ];
  const conditions = withConditions(definition.status?.conditions ?? [], wanted, formatTime(clock.now()));
  const status = { ...definition.status, acceptedNames: names, conditions };
  if (deepEqual(status, definition.status)) return;
  await updateStatus({ ...definition, status }, client);
}

const updateStatus = (next: CustomResourceDefinition, client: ObjectClient): Promise<void> =>
  unlessMissing(client.update(customResourceDefinitions, next, { subresource: "status", fieldManager: "kube-apiserver" }));

/** Conditions keep their places and, where nothing changed, their times. */
function withConditions(
  conditions: readonly CustomResourceDefinitionCondition[],
  wanted: readonly NewCondition[],
  timeIso: string,
): CustomResourceDefinitionCondition[] {
  const next = [...conditions];
  for (const one of wanted) {
    const at = next.findIndex(({ type }) => type === one.type);
    const before = next[at];
    if (before === undefined) next.push({ ...one, lastTransitionTime: timeIso });
    else if (before.status !== one.status || before.reason !== one.reason || before.message !== one.message)
      next[at] = { ...one, lastTransitionTime: before.status === one.status ? (before.lastTransitionTime ?? timeIso) : timeIso };
  }
  return next;
}

async function clean(definition: CustomResourceDefinition, context: ControllerContext): Promise<ReconcileOutcome> {
  const { finalizers = [] } = definition.metadata;
  if (!finalizers.includes(cleanupFinalizer)) return done;
  const { view, client, clock } = context;
  const { group } = definition.spec;
  const resource = { group, resource: (definition.status?.acceptedNames ?? definition.spec.names).plural || definition.spec.names.plural };
  const doomed = view.list(resource).filter(({ object }) => object.metadata.deletionTimestamp === undefined);
  const failures = await forEachBounded(doomed, parallelDeletions, async ({ key, object: { metadata } }) => {
    try {
      await unlessMissing(client.delete(key, key.namespace, key.name, { ...(metadata.uid !== undefined && { uid: metadata.uid }) }));
    } catch (error) {
      // Another object of that name: the next look takes it.
      if (!isStatus(error, "Conflict")) throw error;
    }
  });
  if (failures.length > 0) throw failures[0];
  const left = view.count(resource);
  const ended: NewCondition =
    left === 0
      ? { type: "Terminating", status: "False", reason: "InstanceDeletionCompleted", message: "removed all instances" }
      : {
          type: "Terminating",
          status: "True",
          reason: "InstanceDeletionCheck",
          message: "could not confirm zero CustomResources remaining: timed out waiting for the condition",
        };
  const conditions = withConditions(definition.status?.conditions ?? [], [ended], formatTime(clock.now()));
  const status = { ...definition.status, conditions };
  const metadata =
    left === 0 ? { ...definition.metadata, finalizers: finalizers.filter((one) => one !== cleanupFinalizer) } : definition.metadata;
  // The finalizer goes through the status too, as Kubernetes has it: there `storedVersions`, which clients may write, are not held against the definition.
  if (left === 0 || !deepEqual(status, definition.status)) await updateStatus({ ...definition, metadata, status }, client);
  return left === 0 ? done : { kind: "again", afterMs: lookAgainMs };
}
