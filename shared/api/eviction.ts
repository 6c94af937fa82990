import { loops } from "../auth/user.ts";
import { podDisruptionBudgets, pods } from "../kubernetes/known-resources.ts";
import { matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { storageResource } from "../kubernetes/resources.ts";
import { kindSchema } from "../kubernetes/schema/kind-schema.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { Eviction, Pod, PodDisruptionBudget } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type ApiCluster, timestamp } from "./api-cluster.ts";
import type { Call } from "./cluster-api.ts";
import { bodyLimit, decodeObject, parseBody } from "./decode.ts";
import { deleteObject } from "./deletion.ts";
import { checkPlace, writeContext } from "./handlers/write.ts";
import type { Registry, WriteContext } from "./registry.ts";
import { type ApiResponse, document, notFound } from "./response.ts";

/** `pods/eviction` (policy/v1): a deletion that respects the disruption budgets. */
export async function evictPod(call: Call): Promise<ApiResponse> {
  const { served, request, target } = call;
  const context = writeContext(call, "CreateOptions");
  const expected = { kind: "Eviction", apiVersion: "policy/v1", schema: kindSchema("policy", "v1", "Eviction") };
  const eviction = decodeObject(
    parseBody(await request.body(bodyLimit), request.header("content-type"), "Eviction"),
    expected,
    "Warn",
    context.warn,
  ) as Eviction;
  checkPlace(eviction, target.namespace, target.name);
  const found = await served.registry.latest({ group: "", resource: "pods", namespace: target.namespace, name: target.name });
  if (!found) throw notFound("", "pods", target.name);
  await evict(served.registry, found.object as Pod, eviction.deleteOptions ?? {}, context);
  return document(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}

const loopContext: WriteContext = { user: loops, dryRun: false, fieldManager: "", warn: () => {} };

/** @throws StatusError `TooManyRequests` while a disruption budget forbids it */
export async function evict(
  registry: Registry,
  pod: Pod,
  given: NonNullable<Eviction["deleteOptions"]>,
  context: WriteContext = loopContext,
): Promise<void> {
  const definition = storageResource(pods);
  if (!definition) return;
  if (needsBudget(pod)) await spendBudgets(registry, registry.cluster, pod, context);
  const { gracePeriodSeconds, preconditions, propagationPolicy } = given;
  const policy = (["Orphan", "Background", "Foreground"] as const).find((known) => known === propagationPolicy);
  const options = {
    uid: preconditions?.uid ?? pod.metadata.uid ?? "",
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(policy && { propagationPolicy: policy }),
  };
  await deleteObject(registry, definition, pod.metadata.namespace ?? "", pod.metadata.name ?? "", options, context);
}

/** Pods that ended, never started or are going anyway disturb nobody. */
const needsBudget = ({ status, metadata }: Pod): boolean =>
  status?.phase !== "Succeeded" && status?.phase !== "Failed" && status?.phase !== "Pending" && metadata.deletionTimestamp === undefined;

const tooMany = (name: string, why: string): StatusError =>
  new StatusError("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message: `The disruption budget ${name} ${why}` }],
  });

async function spendBudgets(registry: Registry, cluster: ApiCluster, pod: Pod, context: WriteContext): Promise<void> {
  const budgets = cluster.mirror.list(podDisruptionBudgets, pod.metadata.namespace ?? "").filter((stored) => covers(stored, pod));
  if (budgets.length > 1)
    throw new StatusError(
      "InternalError",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  const [budget] = budgets;
  const definition = storageResource(podDisruptionBudgets);
  if (!budget || !definition) return;
  const { name } = budget.key;
  if (isUnready(pod) && mayEvictUnready(budget.object as PodDisruptionBudget)) return;
  await registry.update(
    definition,
    budget.key.namespace,
    name,
    (live: KubernetesObject) => {
      const { status, ...rest } = live as PodDisruptionBudget;
      if (!status || (status.observedGeneration ?? 0) < (live.metadata.generation ?? 0)) {
        throw new StatusError("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
          causes: [{ reason: "DisruptionBudget", message: `The disruption budget ${name} is still being processed by the server.` }],
          retryAfterSeconds: 10,
        });
      }
      if (status.disruptionsAllowed <= 0)
        throw tooMany(name, `needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`);
      const disruptedPods = { ...status.disruptedPods, [pod.metadata.name ?? ""]: timestamp(cluster.clock.now()) };
      return { ...rest, status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1, disruptedPods } } as PodDisruptionBudget;
    },
    context,
    { subresource: "status" },
  );
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
