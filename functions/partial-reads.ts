import type { PodStreams } from "../shared/api/pod-streams.ts";
import type { ApiRequest } from "../shared/api/request-info.ts";
import type { ClusterDirectory } from "../shared/api/surface.ts";
import type { VerifiedToken } from "../shared/auth/token.ts";
import { needsOf, openPartialCluster } from "../shared/host/partial-cluster.ts";
import { type ClusterRef, isStoreError } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";

/** Who reads more than this of a cluster within a minute is served from memory: by then a mirror pays. */
const partsBeforeMirror = 3;
const forgetMs = 60_000;

/** Serves the first reads of a cluster that this instance does not hold from the table, with what each of them needs. */
export function createPartialReads(
  { clock, runtimeOptions }: Dependencies,
  isHeld: (ref: ClusterRef) => boolean,
  podStreamsOf: (ref: ClusterRef) => PodStreams,
): NonNullable<ClusterDirectory["openPart"]> {
  const reads = new Map<string, { count: number; untilMs: number }>();
  return async (token: VerifiedToken, request: ApiRequest) => {
    const { cluster: ref } = token;
    if (isHeld(ref)) return undefined;
    const needs = needsOf(request, token);
    if (!needs) return undefined;
    const key = `${ref.tenant}#${ref.cluster}`;
    const known = reads.get(key);
    const current = known && known.untilMs > clock.now() ? known : { count: 0, untilMs: clock.now() + forgetMs };
    if (current.count >= partsBeforeMirror) {
      reads.delete(key);
      return undefined;
    }
    reads.set(key, { ...current, count: current.count + 1 });
    try {
      return await openPartialCluster(token, needs, runtimeOptions(ref, podStreamsOf(ref)));
    } catch (error) {
      // Opening it says so, too.
      if (isStoreError(error, "NoSuchCluster")) return undefined;
      throw error;
    }
  };
}
