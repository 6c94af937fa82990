import { loops } from "../auth/user.ts";
import { podDisruptionBudgets, pods } from "../kubernetes/known-resources.ts";
import { matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";
import { type ResourceDefinition, storageResource } from "../kubernetes/resources.ts";
import { kindSchema } from "../kubernetes/schema/kind-schema.ts";
import { isJsonObject } from "../kubernetes/schema/schema-node.ts";
import { isStatus, StatusError } from "../kubernetes/status-error.ts";
import type { Condition, Eviction, Pod, PodDisruptionBudget } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { admitRequest } from "./admission.ts";
import { type ApiCluster, timestamp } from "./api-cluster.ts";
import type { Call } from "./cluster-api.ts";
import { decodeObject } from "./decode.ts";
import { deleteObject } from "./deletion.ts";
import { checkPlace, writeContext } from "./handlers/write.ts";
import { negotiate } from "./negotiation.ts";
import { parseFieldValidation } from "./options.ts";
import { bodyLimit, parseStrictly } from "./parse-body.ts";
import type { Registry, WriteContext } from "./registry.ts";
import { respondWith } from "./rendering.ts";
import { type ApiResponse, ForeignStatusError, forbidden, notFound } from "./response.ts";

const podKey = (pod: Pod): ObjectKey => ({ ...pods, namespace: pod.metadata.namespace ?? "", name: pod.metadata.name ?? "" });

/** `pods/eviction` (policy/v1): a deletion that respects the disruption budgets. */
export async function evictPod(call: Call): Promise<ApiResponse> {
  const { served, request, target, definition } = call;
  const negotiated = negotiate(call);
  const given = writeContext(call, "CreateOptions");
  const expected = { kind: "Eviction", apiVersion: "policy/v1", schema: kindSchema("policy", "v1", "Eviction") };
  const validation = parseFieldValidation("CreateOptions", call.info.query);
  const { value: body, strictProblems } = parseStrictly(
    await request.body(bodyLimit),
    request.header("content-type"),
    "Eviction",
    validation,
  );
  // The older version has the same fields, and is still read here.
  if (isJsonObject(body) && body.apiVersion === "policy/v1beta1") Object.assign(body, { apiVersion: expected.apiVersion });
  const eviction = decodeObject(body, expected, validation, given.warn, strictProblems) as Eviction;
  checkPlace(eviction, target.namespace, "");
  if (target.name !== eviction.metadata.name) throw new StatusError("BadRequest", "name in URL does not match name in Eviction object");
  const context = { ...given, dryRun: given.dryRun || (eviction.deleteOptions?.dryRun?.length ?? 0) > 0 };
  const place = { served: definition, definition, schema: expected.schema, subresource: "eviction", namespace: target.namespace };
  await admitRequest(served.cluster, { ...place, operation: "CREATE", name: target.name, object: eviction, context });
  const found = await served.registry.latest({ ...pods, namespace: target.namespace, name: target.name });
  if (!found) throw notFound("", "pods", target.name);
  await evict(served.registry, found, eviction.deleteOptions ?? {}, context);
  return respondWith(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, negotiated);
}

/** Admission was asked about the eviction, and is not about the deletion that comes of it (`rest.ValidateAllObjectFunc`). */
const notAsked = (): Promise<void> => Promise.resolve();
const loopContext: WriteContext = { user: loops, dryRun: false, fieldManager: "", warn: () => {} };

/** For the platform's own drains. @throws StatusError `TooManyRequests` while a disruption budget forbids it */
export async function evictByLoop(registry: Registry, pod: Pod): Promise<void> {
  const found = await registry.latest(podKey(pod));
  if (found && found.object.metadata.uid === pod.metadata.uid) await evict(registry, found, {}, loopContext);
}

/**
 * pkg/registry/core/pod/storage/eviction.go: pods that disturb nobody go at once; others spend one disruption of their budget. What was
 * decided on how the pod looked holds for that state of it alone.
 * @throws StatusError `TooManyRequests`
 */
async function evict(
  registry: Registry,
  stored: StoredObject,
  { gracePeriodSeconds, preconditions, propagationPolicy }: NonNullable<Eviction["deleteOptions"]>,
  context: WriteContext,
): Promise<void> {
  const definition = storageResource(pods);
  if (!definition) return;
  const pod = stored.object as Pod;
  const { namespace, name } = stored.key;
  const spent = needsBudget(pod) ? await spendBudgets(registry, registry.cluster, pod, context) : { kind: "none" as const };
  const decidedOnState = spent.kind === "unready" || pod.status?.phase === "Pending";
  const policy = (["Orphan", "Background", "Foreground"] as const).find((known) => known === propagationPolicy);
  const options = {
    uid: preconditions?.uid ?? pod.metadata.uid ?? "",
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(policy && { propagationPolicy: policy }),
  };
  const asked = preconditions?.resourceVersion;
  const resourceVersion = asked ?? (decidedOnState ? String(stored.revision) : undefined);
  try {
    const marked = context.dryRun ? undefined : await markDisrupted(registry, definition, stored, options.uid, resourceVersion, context);
    const condition = resourceVersion === undefined ? {} : { resourceVersion: marked ?? resourceVersion };
    await deleteObject(registry, definition, namespace, name, { ...options, ...condition }, context, notAsked);
  } catch (error) {
    if (!isStatus(error, "Conflict") || asked !== undefined || spent.kind !== "unready") throw error;
    throw stillProcessed(spent.budget);
  }
}

/** The condition by which others see why the pod goes (KEP-3329). Answers the pod's new revision. */
async function markDisrupted(
  registry: Registry,
  definition: ResourceDefinition,
  { key }: StoredObject,
  uid: string,
  resourceVersion: string | undefined,
  context: WriteContext,
): Promise<string> {
  const type = "DisruptionTarget";
  const lastTransitionTime = timestamp(registry.cluster.clock.now());
  const condition = { type, status: "True", reason: "EvictionByEvictionAPI", message: "Eviction API: evicting", lastTransitionTime };
  const change = (live: KubernetesObject): KubernetesObject => {
    const { status } = live as Pod;
    const others = (status?.conditions ?? []).filter((each) => each.type !== type);
    const present = status?.conditions?.find((each) => each.type === type && each.status === "True");
    const kept = present ? { ...condition, lastTransitionTime: present.lastTransitionTime ?? lastTransitionTime } : condition;
    return { ...live, status: { ...status, conditions: [...others, kept] } } as Pod;
  };
  const options = { subresource: "status" as const, uid, ...(resourceVersion !== undefined && { resourceVersion }) };
  const marked = await registry.update(definition, key.namespace, key.name, change, context, options);
  return String(marked.revision);
}

/** Pods that ended, never started or are going anyway disturb nobody. */
const needsBudget = ({ status, metadata }: Pod): boolean =>
  status?.phase !== "Succeeded" && status?.phase !== "Failed" && status?.phase !== "Pending" && metadata.deletionTimestamp === undefined;

const mostDisruptedPods = 2000;
const violated = "Cannot evict pod as it would violate the pod's disruption budget.";
const cause = (message: string) => ({ causes: [{ reason: "DisruptionBudget", message }] });

const tooMany = (name: string, why: string): StatusError =>
  new StatusError("TooManyRequests", violated, cause(`The disruption budget ${name} ${why}`));

const stillProcessed = (name: string): StatusError =>
  new StatusError("TooManyRequests", violated, {
    ...cause(`The disruption budget ${name} is still being processed by the server.`),
    retryAfterSeconds: 10,
  });

/** `unready`: the pod may go without spending anything, as long as it is not ready. */
type Spending = { readonly kind: "none" | "spent" } | { readonly kind: "unready"; readonly budget: string };

async function spendBudgets(registry: Registry, cluster: ApiCluster, pod: Pod, context: WriteContext): Promise<Spending> {
  const budgets = cluster.mirror.list(podDisruptionBudgets, pod.metadata.namespace ?? "").filter((stored) => covers(stored, pod));
  if (budgets.length > 1) {
    const message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 };
    throw new ForeignStatusError(body, "InternalError", undefined);
  }
  const [budget] = budgets;
  const definition = storageResource(podDisruptionBudgets);
  if (!budget || !definition) return { kind: "none" };
  const { name } = budget.key;
  if (isUnready(pod) && mayEvictUnready(budget.object as PodDisruptionBudget)) return { kind: "unready", budget: name };
  const change = (live: KubernetesObject): KubernetesObject => spendOne(live as PodDisruptionBudget, pod, timestamp(cluster.clock.now()));
  await registry.update(definition, budget.key.namespace, name, change, context, { subresource: "status" });
  return { kind: "spent" };
}

/** `checkAndDecrement` */
function spendOne(budget: PodDisruptionBudget, pod: Pod, now: string): PodDisruptionBudget {
  const { status, metadata } = budget;
  const name = metadata.name ?? "";
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw stillProcessed(name);
  if (status.disruptionsAllowed < 0) throw forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative");
  if (Object.keys(status.disruptedPods ?? {}).length > mostDisruptedPods) {
    const why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
    throw forbidden("policy", "poddisruptionbudget", name, why);
  }
  if (status.disruptionsAllowed === 0)
    throw tooMany(name, `needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`);
  const disruptionsAllowed = status.disruptionsAllowed - 1;
  const disruptedPods = { ...status.disruptedPods, [pod.metadata.name ?? ""]: now };
  const conditions = disruptionsAllowed === 0 ? withoutRoom(status.conditions ?? [], metadata.generation ?? 0, now) : status.conditions;
  return { ...budget, status: { ...status, disruptionsAllowed, disruptedPods, ...(conditions && { conditions }) } };
}

function withoutRoom(conditions: readonly Condition[], observedGeneration: number, now: string): Condition[] {
  const type = "DisruptionAllowed";
  const present = conditions.find((each) => each.type === type);
  const lastTransitionTime = present?.status === "False" ? present.lastTransitionTime : now;
  const none: Condition = { type, status: "False", reason: "InsufficientPods", message: "", observedGeneration, lastTransitionTime };
  return present ? conditions.map((each) => (each === present ? none : each)) : [...conditions, none];
}

function covers(stored: StoredObject, pod: Pod): boolean {
  const selector = (stored.object as PodDisruptionBudget).spec?.selector;
  return selector !== undefined && matchesLabels(requirementsOf(selector), pod.metadata.labels);
}

const isUnready = (pod: Pod): boolean => !pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");

/** KEP-3017: with AlwaysAllow, or while enough others are healthy, unready pods may go. */
function mayEvictUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  return status !== undefined && status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0;
}
