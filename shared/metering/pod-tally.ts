import { nodes, pods } from "../kubernetes/known-resources.ts";
import type { Node, Pod } from "../kubernetes/types.ts";
import { podRequests } from "../scheduler/requests.ts";
import type { ClusterRef, StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Level, Meter } from "./meter.ts";

/** What a cluster contains from the start is computed, not stored. */
const firstRevision = 1;
/** The `spec.providerID` of a machine that joined a pool: unlike a label it cannot be changed. */
const providerId = /^coracle:\/\/([^/]+)\//;

/**
 * Meters what a cluster holds for as long as it is in this process: pods from the moment they are bound until they end or go, by what they ask for
 * as the scheduler counts it, and the bytes of its objects. Returns what stops it. One look at each object in the beginning, then a
 * comparison a change.
 */
export function tallyCluster(meter: Meter, { tenant, cluster }: ClusterRef, view: ClusterView): () => void {
  const running = new Map<string, { readonly pool: string; readonly level: Level }>();
  let storedBytes = 0;

  const start = (uid: string, pod: Pod): void => {
    const node = view.get(nodes, "", pod.spec?.nodeName ?? "");
    const pool = providerId.exec((node && objectOf<Node>(node).spec?.providerID) ?? "")?.[1] ?? "";
    const { cpuMillis, memoryBytes } = podRequests(pod);
    const level = { pods: 1, cpuMillis, memoryBytes };
    running.set(uid, { pool, level });
    meter.change(tenant, { cluster, pool }, level);
  };
  const stop = (uid: string): void => {
    const known = running.get(uid);
    if (!known) return;
    running.delete(uid);
    meter.change(tenant, { cluster, pool: known.pool }, negative(known.level));
  };
  const takePod = (stored: StoredObject, deleted: boolean): void => {
    const pod = objectOf<Pod>(stored);
    const { uid = "" } = pod.metadata;
    const runs = !deleted && isHeld(pod);
    if (runs && !running.has(uid)) start(uid, pod);
    else if (!runs) stop(uid);
  };
  const grow = (bytes: number): void => {
    if (bytes === 0) return;
    storedBytes += bytes;
    meter.change(tenant, { cluster, pool: "" }, { storedBytes: bytes });
  };
  const take = (changes: readonly Change[]): void => {
    let bytes = 0;
    for (const change of changes) {
      const deleted = change.type === "DELETED";
      bytes += (deleted ? 0 : sizeOf(change)) - (change.previous ? sizeOf(change.previous) : 0);
      if (change.key.resource === pods.resource && change.key.group === "") takePod(change, deleted);
    }
    grow(bytes);
  };

  for (const stored of view.list(pods)) takePod(stored, false);
  let bytes = 0;
  for (const resource of view.resources()) for (const stored of view.list(resource)) bytes += sizeOf(stored);
  grow(bytes);
  const unsubscribe = view.onChange(take);
  return () => {
    unsubscribe();
    for (const uid of [...running.keys()]) stop(uid);
    grow(-storedBytes);
  };
}

const sizeOf = ({ revision, bytes }: StoredObject): number => (revision > firstRevision ? bytes.length : 0);

/** Bound to a node, and not at its end. */
const isHeld = ({ spec, status }: Pod): boolean =>
  spec?.nodeName !== undefined && spec.nodeName !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed";

const negative = ({ pods = 0, cpuMillis = 0, memoryBytes = 0 }: Level): Level => ({
  pods: -pods,
  cpuMillis: -cpuMillis,
  memoryBytes: -memoryBytes,
});
