import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { configMaps, endpointSlices, pods, secrets, services } from "../../kubernetes/known-resources.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import type { ConfigMap, EndpointSlice, Pod, Secret, Service } from "../../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../../store/view.ts";
import { podReferences, referenceKey } from "./pod-references.ts";
import { nodeFieldManager, nodeOwnedPodConditions } from "./pod-status-report.ts";
import type { ClusterNews, ObjectReference } from "./protocol.ts";

/**
 * What each node of one cluster has to be told, kept up to date by the view's changes. A mark is the epoch of this feed and a
 * revision: a mark of another epoch, or one older than what the feed remembers of removals, is answered with the whole state.
 */
export interface ClusterFeed {
  readonly view: ClusterView;
  /** O(1): compares the mark with the newest revision that concerned the node. */
  hasNews(nodeName: string, mark: string | undefined, routes: boolean): boolean;
  news(nodeName: string, mark: string | undefined, routes: boolean): Omit<ClusterNews, "id" | "apiPath">;
  /** Node names that have news now; `undefined` stands for every node that routes. */
  onNews(listener: (nodeName: string | undefined) => void): () => void;
  close(): void;
}

interface PodEntry {
  readonly node: string;
  readonly references: readonly ObjectReference[];
  /** The newest revision that changed more than what the node itself reported. */
  readonly revision: number;
}

type Removal = { readonly revision: number } & ({ readonly pod: string; readonly node: string } | { readonly reference: ObjectReference });

const remembered = 4096;

export function createClusterFeed(view: ClusterView, epoch: string): ClusterFeed {
  const touched = new Map<string, number>();
  const entries = new Map<string, PodEntry>();
  const users = new Map<string, Map<string, number>>();
  const listeners = new Set<(nodeName: string | undefined) => void>();
  const removals: Removal[] = [];
  let floor = view.revision;
  let routedRevision = view.revision;

  const remember = (removal: Removal): void => {
    removals.push(removal);
    if (removals.length <= remembered) return;
    const dropped = removals.splice(0, remembered / 2);
    floor = dropped.at(-1)?.revision ?? floor;
  };
  const count = (node: string, references: readonly ObjectReference[], by: 1 | -1): void => {
    for (const reference of references) {
      const key = referenceKey(reference);
      const nodes = users.get(key) ?? new Map<string, number>();
      const left = (nodes.get(node) ?? 0) + by;
      if (left > 0) nodes.set(node, left);
      else nodes.delete(node);
      if (nodes.size > 0) users.set(key, nodes);
      else users.delete(key);
    }
  };
  const enter = (pod: Pod, revision: number): string | undefined => {
    const node = pod.spec?.nodeName;
    const uid = pod.metadata.uid;
    if (node === undefined || node === "" || uid === undefined) return undefined;
    const references = podReferences(pod);
    const before = entries.get(uid);
    if (before !== undefined) count(before.node, before.references, -1);
    count(node, references, 1);
    entries.set(uid, { node, references, revision });
    return node;
  };

  const onPod = (change: Change, news: Set<string | undefined>): void => {
    const pod = objectOf<Pod>(change);
    const uid = pod.metadata.uid ?? "";
    if (change.type === "DELETED") {
      const entry = entries.get(uid);
      if (entry === undefined) return;
      entries.delete(uid);
      count(entry.node, entry.references, -1);
      remember({ revision: change.revision, pod: uid, node: entry.node });
      touched.set(entry.node, change.revision);
      news.add(entry.node);
      return;
    }
    if (change.previous !== undefined && entries.has(uid) && !concernsNode(objectOf<Pod>(change.previous), pod)) return;
    const node = enter(pod, change.revision);
    if (node === undefined) return;
    touched.set(node, change.revision);
    news.add(node);
  };
  const onReferenced = (change: Change, resource: "configmaps" | "secrets", news: Set<string | undefined>): void => {
    const reference = { resource, namespace: change.key.namespace, name: change.key.name };
    const nodes = users.get(referenceKey(reference));
    if (nodes === undefined) return;
    for (const node of nodes.keys()) {
      touched.set(node, change.revision);
      news.add(node);
    }
  };
  const onRouted = (change: Change, resource: "services" | "endpointslices", news: Set<string | undefined>): void => {
    routedRevision = change.revision;
    if (change.type === "DELETED") {
      remember({ revision: change.revision, reference: { resource, namespace: change.key.namespace, name: change.key.name } });
    }
    news.add(undefined);
  };

  for (const stored of view.list(pods)) enter(objectOf<Pod>(stored), stored.revision);
  const unsubscribe = view.onChange((changes) => {
    const news = new Set<string | undefined>();
    for (const change of changes) {
      const collection = collectionOf(change.key);
      if (collection === "pods") onPod(change, news);
      else if (collection === "configmaps" || collection === "secrets") onReferenced(change, collection, news);
      else if (collection === "services") onRouted(change, "services", news);
      else if (collection === collectionOf(endpointSlices)) onRouted(change, "endpointslices", news);
    }
    for (const node of news) for (const listener of listeners) listener(node);
  });

  const revisionOf = (mark: string | undefined): number | undefined => {
    if (mark === undefined || !mark.startsWith(`${epoch}.`)) return undefined;
    const revision = Number(mark.slice(epoch.length + 1));
    return Number.isSafeInteger(revision) && revision <= view.revision ? revision : undefined;
  };

  return {
    view,
    hasNews(nodeName, mark, routes) {
      const since = revisionOf(mark);
      if (since === undefined) return true;
      return (touched.get(nodeName) ?? 0) > since || (routes && routedRevision > since);
    },
    news(nodeName, mark, routes) {
      const known = revisionOf(mark);
      const full = known === undefined || known < floor;
      const since = full ? -1 : known;
      const own = view.podsOnNode(nodeName);
      const changed: Pod[] = [];
      const wanted = new Map<string, { reference: ObjectReference; fresh: boolean }>();
      for (const stored of own) {
        const pod = objectOf<Pod>(stored);
        const entry = entries.get(pod.metadata.uid ?? "");
        if (entry === undefined) continue;
        const fresh = entry.revision > since;
        if (fresh) changed.push(pod);
        for (const reference of entry.references) {
          const key = referenceKey(reference);
          wanted.set(key, { reference, fresh: fresh || (wanted.get(key)?.fresh ?? false) });
        }
      }
      const configMapsOut: ConfigMap[] = [];
      const secretsOut: Secret[] = [];
      const gone = new Map<string, ObjectReference>();
      for (const { reference, fresh } of wanted.values()) {
        const stored = view.get(reference.resource === "secrets" ? secrets : configMaps, reference.namespace, reference.name);
        if (stored === undefined) gone.set(referenceKey(reference), reference);
        else if (!fresh && stored.revision <= since) continue;
        else if (reference.resource === "secrets") secretsOut.push(objectOf<Secret>(stored));
        else configMapsOut.push(objectOf<ConfigMap>(stored));
      }
      const removedPods: string[] = [];
      for (const removal of full ? [] : removals) {
        if (removal.revision <= since) continue;
        if ("pod" in removal) {
          if (removal.node === nodeName) removedPods.push(removal.pod);
        } else if (routes) {
          gone.set(referenceKey(removal.reference), removal.reference);
        }
      }
      const newer = <T extends Service | EndpointSlice>(resource: typeof services): T[] =>
        routes ? view.list(resource).flatMap((stored) => (stored.revision > since ? [objectOf<T>(stored)] : [])) : [];
      const servicesOut = newer<Service>(services);
      const endpointSlicesOut = newer<EndpointSlice>(endpointSlices);
      for (const { metadata } of servicesOut) gone.delete(`services/${metadata.namespace}/${metadata.name}`);
      for (const { metadata } of endpointSlicesOut) gone.delete(`endpointslices/${metadata.namespace}/${metadata.name}`);
      return {
        mark: `${epoch}.${view.revision}`,
        full,
        pods: changed,
        removedPods,
        configMaps: configMapsOut,
        secrets: secretsOut,
        services: servicesOut,
        endpointSlices: endpointSlicesOut,
        removed: full ? [] : [...gone.values()],
      };
    },
    onNews(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: unsubscribe,
  };
}

const ownConditions: ReadonlySet<string> = new Set(nodeOwnedPodConditions);

/**
 * False when only the node's own report can have changed: telling it what it said would be idle talk. What others changed of it, such as the readiness of
 * the pods of a silent node (`MarkPodsNotReady`), the node has to hear of, to set it right.
 */
function concernsNode(before: Pod, after: Pod): boolean {
  return !deepEqual(nodeInput(before), nodeInput(after)) || !deepEqual(writesOfOthers(before), writesOfOthers(after));
}

const writesOfOthers = ({ metadata }: Pod): readonly unknown[] =>
  (metadata.managedFields ?? [])
    .filter(({ manager }) => manager !== nodeFieldManager)
    .map(({ manager, operation, subresource, time }) => [manager, operation, subresource, time]);

function nodeInput({ metadata, spec, status }: Pod): readonly unknown[] {
  const { uid, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  const foreign = (status?.conditions ?? [])
    .filter((condition) => !ownConditions.has(condition.type))
    .map(({ type, status: value }) => [type, value]);
  return [uid, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds, spec, foreign];
}
