import { persistentVolumes, volumeAttachments } from "../kubernetes/known-resources.ts";
import { claimNamesOf, configMapNamesOf, secretNamesOf, volumeNamesSecret } from "../kubernetes/pod-references.ts";
import type { PersistentVolume, Pod, PolicyRule, VolumeAttachment } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { nodeNameOf } from "./node-user.ts";
import type { Decision, RbacAuthorizer } from "./rbac.ts";
import { type RequestAttributes, ruleAllows } from "./rbac-rules.ts";

type ResourceAttributes = Extract<RequestAttributes, { kind: "resource" }>;

const allow: Decision = { allowed: true, reason: "" };
const refuse = (reason = ""): Decision => ({ allowed: false, reason });
const read = ["get", "list", "watch"];

/** What every node may, whatever runs on it (plugin/pkg/auth/authorizer/rbac/bootstrappolicy `NodeRules`, without what is told apart below). */
const nodeRules: readonly PolicyRule[] = [
  { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"] },
  { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews", "localsubjectaccessreviews"] },
  { verbs: read, apiGroups: [""], resources: ["services"] },
  { verbs: ["create", "update", "patch"], apiGroups: [""], resources: ["events"] },
  { verbs: ["get"], apiGroups: [""], resources: ["endpoints"] },
  { verbs: ["create", ...read], apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"] },
  { verbs: read, apiGroups: ["storage.k8s.io"], resources: ["csidrivers"] },
  { verbs: read, apiGroups: ["node.k8s.io"], resources: ["runtimeclasses"] },
];

/**
 * Node authorization (KEP-279 and plugin/pkg/auth/authorizer/node): a user of the group `system:nodes` reads and writes only what the pods
 * on its node have to do with. What it has no opinion on, and everybody else's requests, are for RBAC.
 */
export function createNodeAuthorizer(view: ClusterView, rbac: RbacAuthorizer): RbacAuthorizer {
  return {
    ...rbac,
    authorize(user, request) {
      const nodeName = nodeNameOf(user);
      if (nodeName === undefined) return rbac.authorize(user, request);
      const own = nodeName === "" ? refuse(`unknown node for user ${JSON.stringify(user.username)}`) : decide(view, nodeName, request);
      if (own.allowed) return own;
      const other = rbac.authorize(user, request);
      return other.allowed ? other : refuse([own.reason, other.reason].filter((reason) => reason !== "").join("\n"));
    },
  };
}

function decide(view: ClusterView, nodeName: string, request: RequestAttributes): Decision {
  if (request.kind === "nonResource") return refuse();
  const { verb, subresource, namespace, name } = request;
  const related = (isRelated: () => boolean): Decision => {
    if (name === "") return refuse("No Object name found");
    return isRelated() ? allow : refuse(`no relationship found between node '${nodeName}' and this object`);
  };
  const pods = (): Pod[] =>
    view
      .podsOnNode(nodeName)
      .map((stored) => objectOf<Pod>(stored))
      .filter(isNoMirror);
  const inNamespace = (names: (pod: Pod) => ReadonlySet<string>): boolean =>
    pods().some((pod) => pod.metadata.namespace === namespace && names(pod).has(name));
  const readNamespaced = (isRelated: () => boolean): Decision => {
    if (!read.includes(verb)) return refuse("can only read resources of this type");
    if (subresource !== "") return refuse("cannot read subresource");
    if (namespace === "") return refuse("can only read namespaced object of this type");
    return related(isRelated);
  };
  const getOne = (isRelated: () => boolean): Decision => {
    if (verb !== "get") return refuse("can only get individual resources of this type");
    return subresource === "" ? related(isRelated) : refuse("cannot get subresource");
  };
  switch (request.group === "" ? request.resource : `${request.resource}.${request.group}`) {
    case "secrets":
      return readNamespaced(
        () => inNamespace(secretNamesOf) || mountedVolumes(view, pods()).some((each) => volumeNamesSecret(each, namespace, name)),
      );
    case "configmaps":
      return readNamespaced(() => inNamespace(configMapNamesOf));
    case "persistentvolumeclaims":
      if (subresource !== "status") return getOne(() => inNamespace(claimNamesOf));
      return verb === "update" || verb === "patch"
        ? related(() => inNamespace(claimNamesOf))
        : refuse("can only get/update/patch this type");
    case "persistentvolumes":
      return getOne(() => mountedVolumes(view, pods()).some(({ metadata }) => metadata.name === name));
    case "volumeattachments.storage.k8s.io": {
      const attached = view.get(volumeAttachments, "", name);
      return getOne(() => attached !== undefined && objectOf<VolumeAttachment>(attached).spec?.nodeName === nodeName);
    }
    case "serviceaccounts":
      if (verb !== "create" || name === "") return refuse("can only create tokens for individual service accounts");
      if (subresource !== "token") return refuse("can only create token subresource of serviceaccount");
      return related(() => inNamespace(({ spec }) => new Set([spec?.serviceAccountName ?? ""])));
    case "leases.coordination.k8s.io":
      return ownObject(request, nodeName, "node lease");
    case "csinodes.storage.k8s.io":
      return ownObject(request, nodeName, "CSINode");
    case "nodes":
      return ownNode(request, nodeName);
    case "pods":
      return ownPods(
        request,
        nodeName,
        () => view.podsOnNode(nodeName).some(({ key }) => key.namespace === namespace && key.name === name),
        related,
      );
    default:
      return nodeRules.some((rule) => ruleAllows(rule, request)) ? allow : refuse();
  }
}

/** A static pod is the node's own word: it opens nothing. */
const isNoMirror = ({ metadata }: Pod): boolean => metadata.annotations?.["kubernetes.io/config.mirror"] === undefined;

function mountedVolumes(view: ClusterView, pods: readonly Pod[]): PersistentVolume[] {
  const claims = new Set(pods.flatMap((pod) => [...claimNamesOf(pod)].map((name) => `${pod.metadata.namespace}/${name}`)));
  if (claims.size === 0) return [];
  return view
    .list(persistentVolumes)
    .map((stored) => objectOf<PersistentVolume>(stored))
    .filter(({ spec }) => claims.has(`${spec?.claimRef?.namespace ?? ""}/${spec?.claimRef?.name ?? ""}`));
}

function ownObject({ verb, namespace, name, subresource }: ResourceAttributes, nodeName: string, what: "node lease" | "CSINode"): Decision {
  const article = what === "CSINode" ? "a CSINode" : "a node lease";
  if (!["get", "create", "update", "patch", "delete"].includes(verb))
    return refuse(`can only get, create, update, patch, or delete ${article}`);
  if (what === "node lease" && namespace !== "kube-node-lease")
    return refuse('can only access leases in the "kube-node-lease" system namespace');
  if (what === "CSINode" && subresource !== "") return refuse("cannot authorize CSINode subresources");
  // Who creates does not name it yet: NodeRestriction looks at that.
  return verb === "create" || name === nodeName ? allow : refuse(`can only access ${what} with the same name as the requesting node`);
}

function ownNode({ verb, name, subresource }: ResourceAttributes, nodeName: string): Decision {
  if (subresource === "status") return verb === "update" || verb === "patch" ? allow : refuse();
  if (subresource !== "") return refuse();
  if (verb === "create" || verb === "update" || verb === "patch") return allow;
  if (!read.includes(verb)) return refuse();
  if (name === nodeName) return allow;
  return refuse(
    name === ""
      ? `node '${nodeName}' cannot read all nodes, only its own Node object`
      : `node '${nodeName}' cannot read '${name}', only its own Node object`,
  );
}

function ownPods(
  { verb, name, subresource, fieldSelector = "" }: ResourceAttributes,
  nodeName: string,
  isOwn: () => boolean,
  related: (isRelated: () => boolean) => Decision,
): Decision {
  if (subresource === "status") return verb === "update" || verb === "patch" ? allow : refuse();
  if (subresource === "eviction") return verb === "create" ? allow : refuse();
  if (subresource !== "") return refuse();
  if (verb === "create" || verb === "delete") return allow;
  if (verb === "get") return related(isOwn);
  if (verb !== "list" && verb !== "watch") return refuse();
  if (fieldSelector.split(",").some((term) => /^spec\.nodeName==?/.test(term) && term.replace(/^spec\.nodeName==?/, "") === nodeName))
    return allow;
  return name === "" ? refuse("can only list/watch pods with spec.nodeName field selector") : related(isOwn);
}
