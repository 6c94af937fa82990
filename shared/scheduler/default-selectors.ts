import { type LabelRequirement, matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import type { ReplicaSet, ReplicationController, Service, StatefulSet } from "../kubernetes/types.ts";
import type { PodInfo } from "./pod-info.ts";

/** Kinds whose selectors tell which pods belong together. */
export type SelectingObject = Service | ReplicationController | ReplicaSet | StatefulSet;

const selectingKinds = new Set(["Service", "ReplicationController", "ReplicaSet", "StatefulSet"]);

export function isSelecting(object: KubernetesObject): object is SelectingObject {
  return selectingKinds.has(object.kind ?? "");
}

/**
 * Which pods belong together with a pod, for the default spreading: the services that select it and the workload that controls it
 * (scheduler/framework/plugins/helper `DefaultSelector`).
 */
export class DefaultSelectors {
  /** Changes with the answers. */
  generation = 1;
  readonly #services = new Map<string, Map<string, readonly LabelRequirement[]>>();
  readonly #workloads = new Map<string, readonly LabelRequirement[]>();

  set(object: SelectingObject): void {
    const requirements = selectorOf(object);
    const { kind, metadata } = object;
    const { namespace = "", name = "" } = metadata;
    const key = kind === "Service" ? name : workloadKey(kind, namespace, name);
    const map = kind === "Service" ? this.#servicesOf(namespace) : this.#workloads;
    if (JSON.stringify(map.get(key)) === JSON.stringify(requirements)) return;
    if (requirements === undefined) map.delete(key);
    else map.set(key, requirements);
    this.generation++;
  }

  remove({ kind, metadata }: KubernetesObject): void {
    const { namespace = "", name = "" } = metadata;
    const isGone =
      kind === "Service" ? this.#servicesOf(namespace).delete(name) : this.#workloads.delete(workloadKey(kind ?? "", namespace, name));
    if (isGone) this.generation++;
  }

  /** Empty: the pod belongs to nothing, so it is not spread by default. */
  of({ pod, namespace, labels }: PodInfo): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (const selector of this.#services.get(namespace)?.values() ?? []) {
      if (matchesLabels(selector, labels)) requirements.push(...selector);
    }
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller);
    if (owner) requirements.push(...(this.#workloads.get(workloadKey(owner.kind, namespace, owner.name)) ?? []));
    return requirements;
  }

  #servicesOf(namespace: string): Map<string, readonly LabelRequirement[]> {
    let services = this.#services.get(namespace);
    if (services === undefined) {
      services = new Map();
      this.#services.set(namespace, services);
    }
    return services;
  }
}

function workloadKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

/** Undefined: it selects nothing. */
function selectorOf(object: SelectingObject): readonly LabelRequirement[] | undefined {
  switch (object.kind) {
    case "Service":
    case "ReplicationController": {
      const selector = (object as Service | ReplicationController).spec?.selector;
      return selector && requirementsOf({ matchLabels: selector });
    }
    default: {
      const selector = (object as ReplicaSet | StatefulSet).spec?.selector;
      return selector && requirementsOf(selector);
    }
  }
}
