import { serviceAccounts } from "../../../kubernetes/known-resources.ts";
import { secretNamesOf } from "../../../kubernetes/pod-references.ts";
import { generateName } from "../../../kubernetes/random-suffix.ts";
import type { Container, EphemeralContainer, Pod, PodSpec, ServiceAccount, Volume } from "../../../kubernetes/types.ts";
import type { StoredObject } from "../../../store/store.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, type AdmissionPlugin, denied } from "../attributes.ts";

const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
/** An hour and some seconds by which kube-apiserver recognises that a token may be extended (KEP-1205). */
const tokenSeconds = 3607;
const serviceAccountWaitMs = 2000;
const mirrorPod = "kubernetes.io/config.mirror";
const enforceMountable = "kubernetes.io/enforce-mountable-secrets";

/** A pod's account: `default` where none is named; its token is mounted, its pull secrets are taken over, and it may confine which Secrets are used. */
export const serviceAccount: AdmissionPlugin = {
  async mutate(cluster, attributes) {
    const { operation, subresource, object, namespace } = attributes;
    if (operation !== "CREATE" || subresource !== "") return;
    const pod = object as Pod;
    pod.spec ??= { containers: [] };
    const { spec } = pod;
    if (isMirrorPod(pod)) return;
    spec.serviceAccountName ??= spec.serviceAccount ?? "default";
    if (spec.serviceAccountName === "") spec.serviceAccountName = "default";
    spec.serviceAccount = spec.serviceAccountName;
    const found =
      cluster.mirror.get(serviceAccounts, namespace, spec.serviceAccountName) ??
      (await findServiceAccount(cluster, namespace, spec.serviceAccountName));
    if (!found) throw noAccount(attributes, spec.serviceAccountName);
    const account = found.object as ServiceAccount;
    if ((spec.imagePullSecrets?.length ?? 0) === 0 && account.imagePullSecrets)
      spec.imagePullSecrets = account.imagePullSecrets.map((secret) => ({ ...secret }));
    if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(cluster, spec);
  },
  validate({ mirror }, attributes) {
    const { operation, subresource, object, namespace } = attributes;
    const ephemeral = operation === "UPDATE" && subresource === "ephemeralcontainers";
    if (!ephemeral && (operation !== "CREATE" || subresource !== "")) return;
    const pod = object as Pod;
    if (!ephemeral && isMirrorPod(pod)) return checkMirrorPod(attributes, pod);
    const name = pod.spec?.serviceAccountName ?? "";
    if (name === "") throw denied(attributes, `no service account specified for pod ${namespace}/${pod.metadata.name ?? ""}`);
    const found = mirror.get(serviceAccounts, namespace, name);
    if (!found) throw noAccount(attributes, name);
    const account = found.object as ServiceAccount;
    if (!isTrue(account.metadata.annotations?.[enforceMountable])) return;
    const problem = ephemeral ? unmountableEphemeral(account, pod) : unmountable(account, pod);
    if (problem !== undefined) throw denied(attributes, problem);
  },
};

const isMirrorPod = ({ metadata }: Pod): boolean => metadata.annotations?.[mirrorPod] !== undefined;
/** `strconv.ParseBool` */
const isTrue = (text: string | undefined): boolean => text !== undefined && /^(1|t|T|TRUE|true|True)$/.test(text);

const noAccount = (attributes: AdmissionAttributes, name: string): Error =>
  denied(attributes, `error looking up service account ${attributes.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`);

/** The default account of a fresh namespace may still be on its way: kube-apiserver waits for it too. */
async function findServiceAccount({ mirror, clock }: ApiCluster, namespace: string, name: string): Promise<StoredObject | undefined> {
  if (name !== "default") return undefined;
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

/** A static pod is the node's word: it can have nothing that only the API could vouch for. */
function checkMirrorPod(attributes: AdmissionAttributes, pod: Pod): void {
  const { spec } = pod;
  if ((spec?.serviceAccountName ?? "") !== "") throw denied(attributes, "a mirror pod may not reference service accounts");
  if (secretNamesOf(pod).size > 0) throw denied(attributes, "a mirror pod may not reference secrets");
  const volumes = spec?.volumes ?? [];
  if (volumes.some(({ projected }) => projected?.sources?.some((source) => source.serviceAccountToken !== undefined)))
    throw denied(attributes, "a mirror pod may not use ServiceAccountToken volume projections");
}

function unmountable(account: ServiceAccount, { spec }: Pod): string | undefined {
  const known = new Set(account.secrets?.map(({ name }) => name));
  const name = account.metadata.name ?? "";
  for (const { secret } of spec?.volumes ?? []) {
    if (secret && !known.has(secret.secretName ?? ""))
      return `volume with secret.secretName="${secret.secretName ?? ""}" is not allowed because service account ${name} does not reference that secret`;
  }
  const problem =
    unmountableIn("init container", spec?.initContainers ?? [], known, name) ??
    unmountableIn("container", spec?.containers ?? [], known, name);
  if (problem !== undefined) return problem;
  const pulls = new Set(account.imagePullSecrets?.map((each) => each.name));
  for (const [index, secret] of (spec?.imagePullSecrets ?? []).entries()) {
    if (!pulls.has(secret.name))
      return `imagePullSecrets[${index}].name="${secret.name ?? ""}" is not allowed because service account ${name} does not reference that imagePullSecret`;
  }
  return undefined;
}

const unmountableEphemeral = (account: ServiceAccount, { spec }: Pod): string | undefined =>
  unmountableIn(
    "ephemeral container",
    spec?.ephemeralContainers ?? [],
    new Set(account.secrets?.map(({ name }) => name)),
    account.metadata.name ?? "",
  );

function unmountableIn(
  what: string,
  containers: readonly (Container | EphemeralContainer)[],
  known: ReadonlySet<string | undefined>,
  account: string,
): string | undefined {
  const because = `is not allowed because service account ${account} does not reference that secret`;
  for (const { name, env, envFrom } of containers) {
    for (const variable of env ?? []) {
      const secret = variable.valueFrom?.secretKeyRef;
      if (secret && !known.has(secret.name))
        return `${what} ${name} with envVar ${variable.name} referencing secret.secretName="${secret.name ?? ""}" ${because}`;
    }
    for (const { secretRef } of envFrom ?? []) {
      if (secretRef && !known.has(secretRef.name))
        return `${what} ${name} with envFrom referencing secret.secretName="${secretRef.name ?? ""}" ${because}`;
    }
  }
  return undefined;
}
