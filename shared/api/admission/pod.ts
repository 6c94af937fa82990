import { priorityClasses, serviceAccounts } from "../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { generateName } from "../../kubernetes/random-suffix.ts";
import type { Pod, PodSpec, PriorityClass, ServiceAccount, Toleration, Volume } from "../../kubernetes/types.ts";
import type { StoredObject } from "../../store/store.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { forbidden } from "../response.ts";

const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
/** An hour and some seconds by which kube-apiserver recognises that a token may be extended (KEP-1205). */
const tokenSeconds = 3607;
const serviceAccountWaitMs = 2000;
const evictionSeconds = 300;
const systemPriorities: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

/** ServiceAccount, DefaultTolerationSeconds, Priority. */
export async function admitPod(cluster: ApiCluster, object: KubernetesObject): Promise<void> {
  const pod = object as Pod;
  pod.spec ??= { containers: [] };
  if (pod.metadata.annotations?.["kubernetes.io/config.mirror"] === undefined) await admitServiceAccount(cluster, pod, pod.spec);
  addTolerations(pod.spec);
  applyPriority(cluster, pod, pod.spec);
}

async function admitServiceAccount(cluster: ApiCluster, pod: Pod, spec: PodSpec): Promise<void> {
  spec.serviceAccountName ??= spec.serviceAccount ?? "default";
  if (spec.serviceAccountName === "") spec.serviceAccountName = "default";
  spec.serviceAccount = spec.serviceAccountName;
  const namespace = pod.metadata.namespace ?? "";
  const found = await findServiceAccount(cluster, namespace, spec.serviceAccountName);
  if (!found) {
    const name = spec.serviceAccountName;
    throw forbidden(
      "",
      "pods",
      pod.metadata.name ?? "",
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  }
  const account = found.object as ServiceAccount;
  if ((spec.imagePullSecrets?.length ?? 0) === 0 && account.imagePullSecrets)
    spec.imagePullSecrets = account.imagePullSecrets.map((secret) => ({ ...secret }));
  if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(cluster, spec);
}

/** The default account of a fresh namespace may still be on its way: kube-apiserver waits for it too. */
async function findServiceAccount(cluster: ApiCluster, namespace: string, name: string): Promise<StoredObject | undefined> {
  const { mirror, clock } = cluster;
  const found = mirror.get(serviceAccounts, namespace, name);
  if (found || name !== "default") return found;
  return new Promise((resolve) => {
    const finish = (stored: StoredObject | undefined): void => {
      stopListening();
      stopWaiting();
      resolve(stored);
    };
    const stopWaiting = clock.after(serviceAccountWaitMs, () => finish(mirror.get(serviceAccounts, namespace, name)));
    const stopListening = mirror.onMove(() => {
      const now = mirror.get(serviceAccounts, namespace, name);
      if (now) finish(now);
    });
  });
}

function mountToken(cluster: ApiCluster, spec: PodSpec): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const lacking = containers.filter((container) => !container.volumeMounts?.some(({ mountPath }) => mountPath === tokenMountPath));
  if (lacking.length === 0) return;
  const present = spec.volumes?.find(({ name }) => name.startsWith("kube-api-access-"));
  const name = present?.name ?? generateName("kube-api-access-", cluster.random);
  if (!present) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
  for (const container of lacking)
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: tokenMountPath }];
}

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenSeconds, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
    ],
    defaultMode: 420,
  },
});

function addTolerations(spec: PodSpec): void {
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const tolerated = spec.tolerations?.some(
      (toleration) =>
        (toleration.key === key || (toleration.key ?? "") === "") && (toleration.effect === undefined || toleration.effect === "NoExecute"),
    );
    if (tolerated) continue;
    const added: Toleration = { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: evictionSeconds };
    spec.tolerations = [...(spec.tolerations ?? []), added];
  }
}

function applyPriority(cluster: ApiCluster, pod: Pod, spec: PodSpec): void {
  const refuse = (why: string): Error => forbidden("", "pods", pod.metadata.name ?? "", why);
  let name = spec.priorityClassName ?? "";
  let priority = 0;
  let preemptionPolicy: PodSpec["preemptionPolicy"] = "PreemptLowerPriority";
  const chosen =
    name === "" ? globalDefault(cluster) : (cluster.mirror.get(priorityClasses, "", name)?.object as PriorityClass | undefined);
  if (chosen) {
    name = chosen.metadata.name ?? "";
    priority = chosen.value;
    preemptionPolicy = chosen.preemptionPolicy ?? "PreemptLowerPriority";
  } else if (name !== "") {
    const system = systemPriorities[name];
    if (system === undefined) throw refuse(`no PriorityClass with name ${name} was found`);
    priority = system;
  }
  if (spec.priority !== undefined && spec.priority !== priority)
    throw refuse(
      "the integer value of priority (" +
        `${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    );
  if (name !== "") spec.priorityClassName = name;
  spec.priority = priority;
  spec.preemptionPolicy ??= preemptionPolicy ?? "PreemptLowerPriority";
}

function globalDefault(cluster: ApiCluster): PriorityClass | undefined {
  const defaults = cluster.mirror
    .list(priorityClasses)
    .map((stored) => stored.object as PriorityClass)
    .filter((item) => item.globalDefault === true);
  return defaults.sort((a, b) => a.value - b.value)[0];
}
