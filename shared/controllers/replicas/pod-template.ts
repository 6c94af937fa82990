import { cloneJson } from "../../kubernetes/clone.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { OwnerReference, Pod, PodTemplateSpec } from "../../kubernetes/types.ts";

/** Longest name of a pod, RFC 1123's limit of a subdomain. */
const longestName = 253;

/** The pod that a controller makes of its template (`controller.GetPodFromTemplate`). */
export function podFromTemplate(template: PodTemplateSpec, owner: KubernetesObject, reference: OwnerReference): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { namespace = "", name = "" } = owner.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      generateName: name.length < longestName ? `${name}-` : name,
      ...(labels && { labels: { ...labels } }),
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [reference],
    },
    ...(template.spec && { spec: cloneJson(template.spec) }),
  };
}
