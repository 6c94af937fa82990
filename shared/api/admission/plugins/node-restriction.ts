import { deepEqual } from "../../../kubernetes/deep-equal.ts";
import { csiDrivers, nodes, persistentVolumeClaims, persistentVolumes, pods } from "../../../kubernetes/known-resources.ts";
import { collectionOf, type KubernetesObject } from "../../../kubernetes/object.ts";
import { claimNamesOf, configMapNamesOf, secretNamesOf } from "../../../kubernetes/pod-references.ts";
import type {
  AuthenticationV1TokenRequest,
  CertificateSigningRequest,
  CSIDriver,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { notFound } from "../../response.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";
import { subjectOf } from "../certificate-request.ts";

const mirrorPod = "kubernetes.io/config.mirror";
const leaseNamespace = "kube-node-lease";
/** Labels below kubernetes.io that a node may give itself (k8s.io/kubelet/pkg/apis `IsKubeletLabel`). */
const kubeletLabels: ReadonlySet<string> = new Set([
  ...["kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"],
  ...[
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
  ],
  ...["failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"],
]);
const kubeletSigners: readonly string[] = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

/**
 * NodeRestriction (plugin/pkg/admission/noderestriction): a node writes its own Node, Lease and CSINode and what concerns the pods bound to
 * it, and cannot draw workloads to itself by labels or taints. @throws StatusError `Forbidden`, `NotFound`
 */
export async function restrictNode(cluster: ApiCluster, attributes: AdmissionAttributes, nodeName: string): Promise<void> {
  const refuse = (why: string): Error => denied(attributes, why);
  if (nodeName === "") throw refuse(`could not determine node from user ${JSON.stringify(attributes.context.user.username)}`);
  const { subresource, operation } = attributes;
  switch (collectionOf(attributes.definition)) {
    case "pods":
      if (subresource === "") return restrictPod(cluster, attributes, nodeName, refuse);
      if (subresource === "status") return restrictPodStatus(attributes, nodeName, refuse);
      if (subresource !== "eviction")
        throw refuse(`unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`);
      if (podOf(cluster, attributes.namespace, attributes.name).spec?.nodeName !== nodeName)
        throw refuse(`node ${nodeName} can only evict pods with spec.nodeName set to itself`);
      return;
    case "nodes":
      return restrictOwnNode(attributes, nodeName, refuse);
    case "persistentvolumeclaims":
      if (subresource !== "status" || operation !== "UPDATE") throw refuse("may only update PVC status");
      return restrictClaimStatus(attributes, nodeName, refuse);
    case "serviceaccounts":
      if (operation === "CREATE" && subresource === "token") restrictToken(cluster, attributes, nodeName, refuse);
      return;
    case "coordination.k8s.io/leases":
      if (attributes.namespace !== leaseNamespace)
        throw refuse(`can only access leases in the ${JSON.stringify(leaseNamespace)} system namespace`);
      if (attributes.name !== nodeName) throw refuse("can only access node lease with the same name as the requesting node");
      return;
    case "storage.k8s.io/csinodes":
      if (attributes.name !== nodeName) throw refuse("can only access CSINode with the same name as the requesting node");
      return;
    case "certificates.k8s.io/certificatesigningrequests":
      if (operation === "CREATE") await restrictCertificate(attributes.object as CertificateSigningRequest, nodeName, refuse);
      return;
    default:
      return;
  }
}

type Refuse = (why: string) => Error;

function podOf({ mirror }: ApiCluster, namespace: string, name: string): Pod {
  const found = mirror.get(pods, namespace, name);
  if (!found) throw notFound("", "pods", name);
  return found.object as Pod;
}

function restrictPod(cluster: ApiCluster, attributes: AdmissionAttributes, nodeName: string, refuse: Refuse): void {
  const node = JSON.stringify(nodeName);
  if (attributes.operation === "UPDATE") throw refuse(`unexpected operation "UPDATE", node ${node} can only create and delete mirror pods`);
  if (attributes.operation === "DELETE") {
    if ((attributes.oldObject as Pod).spec?.nodeName !== nodeName)
      throw refuse(`node ${node} can only delete pods with spec.nodeName set to itself`);
    return;
  }
  const pod = attributes.object as Pod;
  if (pod.metadata.annotations?.[mirrorPod] === undefined)
    throw refuse(`pod does not have ${JSON.stringify(mirrorPod)} annotation, node ${node} can only create mirror pods`);
  if (pod.spec?.nodeName !== nodeName) throw refuse(`node ${node} can only create pods with spec.nodeName set to itself`);
  checkOwner(cluster, pod, nodeName, refuse);
  const reference = (what: string): Error => refuse(`node ${node} can not create pods that reference ${what}`);
  if ((pod.spec.serviceAccountName ?? "") !== "") throw reference("a service account");
  if (secretNamesOf(pod).size > 0) throw reference("secrets");
  if (configMapNamesOf(pod).size > 0) throw reference("configmaps");
  const volumes = pod.spec.volumes ?? [];
  if (volumes.some(({ projected }) => projected?.sources?.some(({ clusterTrustBundle }) => clusterTrustBundle !== undefined)))
    throw reference("clustertrustbundles");
  if (volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined)) throw reference("persistentvolumeclaims");
  if ((pod.spec.resourceClaims ?? []).length > 0) throw reference("resourceclaims");
}

function checkOwner({ mirror }: ApiCluster, { metadata }: Pod, nodeName: string, refuse: Refuse): void {
  const node = JSON.stringify(nodeName);
  const [owner, ...others] = metadata.ownerReferences ?? [];
  if (others.length > 0) throw refuse(`node ${node} can only create pods with a single owner reference set to itself`);
  if (owner?.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== nodeName)
    throw refuse(`node ${node} can only create pods with an owner reference set to itself`);
  if (owner.controller !== true) throw refuse(`node ${node} can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion === true) throw refuse(`node ${node} must not set blockOwnerDeletion on an owner reference`);
  const found = mirror.get(nodes, "", nodeName);
  if (!found) throw notFound("", "nodes", nodeName);
  const { uid = "" } = found.object.metadata;
  if (owner.uid !== uid) throw refuse(`node ${nodeName} UID mismatch: expected ${owner.uid} got ${uid}`);
}

function restrictPodStatus(attributes: AdmissionAttributes, nodeName: string, refuse: Refuse): void {
  if (attributes.operation !== "UPDATE") throw refuse(`unexpected operation ${JSON.stringify(attributes.operation)}`);
  const [next, live] = [attributes.object as Pod, attributes.oldObject as Pod];
  const node = JSON.stringify(nodeName);
  if (live.spec?.nodeName !== nodeName) throw refuse(`node ${node} can only update pod status for pods with spec.nodeName set to itself`);
  if (!deepEqual(next.metadata.labels ?? {}, live.metadata.labels ?? {}))
    throw refuse(`node ${node} cannot update labels through pod status`);
  if (!deepEqual(next.status?.resourceClaimStatuses ?? [], live.status?.resourceClaimStatuses ?? []))
    throw refuse(`node ${node} cannot update resource claim statues`);
}

function restrictOwnNode(attributes: AdmissionAttributes, nodeName: string, refuse: Refuse): void {
  const node = JSON.stringify(nodeName);
  if (attributes.name !== nodeName) throw refuse(`node ${node} is not allowed to modify node ${JSON.stringify(attributes.name)}`);
  if (attributes.operation === "DELETE") return;
  const next = attributes.object as Node;
  const source = next.spec?.configSource;
  if (attributes.operation === "CREATE") {
    if (source !== undefined) throw refuse(`node ${node} is not allowed to create pods with a non-nil configSource`);
    const labels = forbiddenLabels(next, undefined);
    if (labels.length > 0) throw refuse(`node ${node} is not allowed to set the following labels: ${labels.join(", ")}`);
    return;
  }
  const live = attributes.oldObject as Node;
  if (source !== undefined && !deepEqual(source, live.spec?.configSource))
    throw refuse(`node ${node} is not allowed to update configSource to a new non-nil configSource`);
  if (!deepEqual(next.spec?.taints ?? [], live.spec?.taints ?? [])) throw refuse(`node ${node} is not allowed to modify taints`);
  if (!deepEqual(next.metadata.ownerReferences ?? [], live.metadata.ownerReferences ?? []))
    throw refuse(`node ${node} is not allowed to modify ownerReferences`);
  const labels = forbiddenLabels(next, live);
  if (labels.length > 0) throw refuse(`is not allowed to modify labels: ${labels.join(", ")}`);
}

/** Labels that were added, changed or taken away and are not the node's to touch. */
function forbiddenLabels(next: KubernetesObject, live: KubernetesObject | undefined): string[] {
  const [now, then] = [next.metadata.labels ?? {}, live?.metadata.labels ?? {}];
  const modified = [...new Set([...Object.keys(now), ...Object.keys(then)])].filter((label) => now[label] !== then[label]);
  return modified.filter(isForbidden).sort();
}

const isWithin = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);

function isForbidden(label: string): boolean {
  const slash = label.indexOf("/");
  const domain = slash < 0 ? "" : label.slice(0, slash);
  if (isWithin(domain, "node-restriction.kubernetes.io")) return true;
  if (!isWithin(domain, "kubernetes.io") && !isWithin(domain, "k8s.io")) return false;
  return !kubeletLabels.has(label) && !isWithin(domain, "kubelet.kubernetes.io") && !isWithin(domain, "node.kubernetes.io");
}

function restrictClaimStatus(attributes: AdmissionAttributes, nodeName: string, refuse: Refuse): void {
  const rest = (claim: PersistentVolumeClaim): object => {
    const { metadata, status, ...others } = claim;
    const { managedFields: _fields, resourceVersion: _version, ...kept } = metadata;
    const { capacity: _c, conditions: _d, allocatedResources: _a, allocatedResourceStatuses: _s, ...state } = status ?? {};
    return { ...others, metadata: kept, status: state };
  };
  const [next, live] = [rest(attributes.object as PersistentVolumeClaim), rest(attributes.oldObject as PersistentVolumeClaim)];
  if (!deepEqual(next, live))
    throw refuse(`node ${JSON.stringify(nodeName)} is not allowed to update fields other than status.quantity and status.conditions`);
}

function restrictToken(cluster: ApiCluster, attributes: AdmissionAttributes, nodeName: string, refuse: Refuse): void {
  const { spec } = attributes.object as AuthenticationV1TokenRequest;
  const { apiVersion, kind, name = "", uid = "" } = spec.boundObjectRef ?? {};
  if (apiVersion !== "v1" || kind !== "Pod" || name === "") throw refuse("node requested token not bound to a pod");
  if (uid === "") throw refuse("node requested token with a pod binding without a uid");
  const pod = podOf(cluster, attributes.namespace, name);
  if (uid !== pod.metadata.uid)
    throw refuse(
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec?.nodeName !== nodeName) throw refuse("node requested token bound to a pod scheduled on a different node");
  // A required list that nobody wrote is null.
  const audiences = spec.audiences ?? [];
  if (audiences.length > 1) throw refuse("node may only request 0 or 1 audiences");
  const [audience = ""] = audiences;
  const { user, authorizer } = attributes.context;
  const inSpec = pod.spec.volumes?.some(({ projected }) =>
    projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken && (serviceAccountToken.audience ?? "") === audience),
  );
  const question = {
    kind: "resource",
    verb: "request-serviceaccounts-token-audience",
    group: "",
    resource: audience,
    subresource: "",
  } as const;
  if (inSpec || driversOf(cluster, pod).some((driver) => wantsAudience(cluster, driver, audience)) || !authorizer) return;
  if (!authorizer.authorize(user, { ...question, namespace: attributes.namespace, name: attributes.name }).allowed) {
    const shown = `audience ${JSON.stringify(audience)} not found in pod spec volume`;
    throw refuse(`${shown}, ${user.username} is not authorized to request tokens for this audience`);
  }
}

/** The CSI drivers of a pod's volumes: named by the pod itself, or by the volumes behind its claims. */
function driversOf({ mirror }: ApiCluster, pod: Pod): string[] {
  const inline = (pod.spec?.volumes ?? []).map(({ csi }) => csi?.driver);
  const mounted = [...claimNamesOf(pod)].map((name) => {
    const claim = mirror.get(persistentVolumeClaims, pod.metadata.namespace ?? "", name)?.object as PersistentVolumeClaim | undefined;
    const volume = mirror.get(persistentVolumes, "", claim?.spec?.volumeName ?? "")?.object as PersistentVolume | undefined;
    return volume?.spec?.csi?.driver;
  });
  return [...inline, ...mounted].filter((driver) => driver !== undefined);
}

function wantsAudience({ mirror }: ApiCluster, driver: string, audience: string): boolean {
  const found = mirror.get(csiDrivers, "", driver)?.object as CSIDriver | undefined;
  return found?.spec.tokenRequests?.some((request) => request.audience === audience) === true;
}

async function restrictCertificate({ spec }: CertificateSigningRequest, nodeName: string, refuse: Refuse): Promise<void> {
  if (!kubeletSigners.includes(spec.signerName)) return;
  let commonName: string;
  try {
    ({ commonName } = await subjectOf(spec.request));
  } catch (error) {
    throw refuse(`unable to parse csr: ${error instanceof Error ? error.message : "not a certificate request"}`);
  }
  if (commonName !== `system:node:${nodeName}`) throw refuse(`can only create a node CSR with CN=system:node:${nodeName}`);
}
