import { namespaces } from "../../../kubernetes/known-resources.ts";
import type { Namespace } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { notFound } from "../../response.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";

const immortal: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

/** Access reviews are answered in namespaces that do not exist. */
const isReview = (group: string): boolean => group === "authorization.k8s.io";

/** NamespaceLifecycle: nothing new in a namespace that is absent or on its way out; `default`, `kube-system` and `kube-public` stay. @throws StatusError `Forbidden`, `NotFound` */
export function checkNamespace({ mirror }: ApiCluster, attributes: AdmissionAttributes): void {
  const { operation, definition, namespace: name } = attributes;
  if (definition.group === "" && definition.resource === "namespaces") {
    if (operation === "DELETE" && immortal.has(attributes.name)) throw denied(attributes, "this namespace may not be deleted");
    return;
  }
  if (!definition.namespaced || operation === "DELETE" || isReview(definition.group)) return;
  const found = mirror.get(namespaces, "", name);
  if (!found) throw notFound("", "namespaces", name);
  if (operation !== "CREATE") return;
  const namespace = found.object as Namespace;
  if (namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== "Terminating") return;
  throw denied(attributes, `unable to create new content in namespace ${name} because it is being terminated`, [
    { reason: "NamespaceTerminating", message: `namespace ${name} is being terminated`, field: "metadata.namespace" },
  ]);
}
