import { podReferences, referenceKey } from "../shared/api/agent/pod-references.ts";
import type { ClusterNews } from "../shared/api/agent/protocol.ts";
import type { ConfigMap, EndpointSlice, Pod, Secret, Service } from "../shared/kubernetes/types.ts";

/** What the server has told of one cluster: what its pods on this node name, and, where the node routes, services. */
export interface ClusterState {
  readonly id: string;
  mark: string;
  readonly pods: Map<string, Pod>;
  readonly configMaps: Map<string, ConfigMap>;
  readonly secrets: Map<string, Secret>;
  readonly services: Map<string, Service>;
  readonly endpointSlices: Map<string, EndpointSlice>;
}

export function newClusterState(id: string): ClusterState {
  return { id, mark: "", pods: new Map(), configMaps: new Map(), secrets: new Map(), services: new Map(), endpointSlices: new Map() };
}

export interface ClusterDelta {
  readonly changed: readonly Pod[];
  readonly removed: readonly string[];
  /** Uids of pods that name something that changed. */
  readonly reconfigured: ReadonlySet<string>;
  readonly routingChanged: boolean;
}

interface Named {
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}

const pathOf = ({ metadata }: Named): string => `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;

/** Takes news in and says what follows from it. */
export function applyNews(state: ClusterState, news: ClusterNews): ClusterDelta {
  const removed = new Set(news.removedPods);
  const touched = new Set<string>();
  const bring = <T extends Named>(resource: keyof typeof collections, objects: readonly T[], into: Map<string, T>): void => {
    const fresh = new Set(objects.map(pathOf));
    if (news.full) for (const path of into.keys()) if (!fresh.has(path) && into.delete(path)) touched.add(`${resource}/${path}`);
    for (const object of objects) {
      into.set(pathOf(object), object);
      touched.add(`${resource}/${pathOf(object)}`);
    }
  };
  const collections = {
    configmaps: state.configMaps,
    secrets: state.secrets,
    services: state.services,
    endpointslices: state.endpointSlices,
  };
  bring("configmaps", news.configMaps, state.configMaps);
  bring("secrets", news.secrets, state.secrets);
  bring("services", news.services, state.services);
  bring("endpointslices", news.endpointSlices, state.endpointSlices);
  for (const { resource, namespace, name } of news.removed) {
    if (collections[resource].delete(`${namespace}/${name}`)) touched.add(`${resource}/${namespace}/${name}`);
  }

  const named = new Set(news.pods.map(({ metadata }) => metadata.uid ?? ""));
  if (news.full) for (const uid of state.pods.keys()) if (!named.has(uid)) removed.add(uid);
  for (const uid of removed) state.pods.delete(uid);
  for (const pod of news.pods) state.pods.set(pod.metadata.uid ?? "", pod);
  state.mark = news.mark;

  const reconfigured = new Set<string>();
  if (touched.size > 0) {
    for (const [uid, pod] of state.pods) {
      if (!named.has(uid) && podReferences(pod).some((reference) => touched.has(referenceKey(reference)))) reconfigured.add(uid);
    }
  }
  const routingChanged = [...touched].some((key) => key.startsWith("services/") || key.startsWith("endpointslices/"));
  return { changed: news.pods, removed: [...removed], reconfigured, routingChanged };
}
