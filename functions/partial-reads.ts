import type { PodStreams } from "../shared/api/pod-streams.ts";
import { type ApiRequest, parseRequest } from "../shared/api/request-info.ts";
import type { ClusterDirectory } from "../shared/api/surface.ts";
import type { VerifiedToken } from "../shared/auth/token.ts";
import { needsOf, openPartialCluster } from "../shared/host/partial-cluster.ts";
import type { ServedClusters } from "../shared/host/served-clusters.ts";
import { type ClusterRef, isStoreError } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";

/** Who reads more than this of a cluster within a minute is served from memory: by then a mirror pays. */
const partsBeforeMirror = 3;
const forgetMs = 60_000;

const objectSubresources = new Set(["", "status", "scale"]);

/** A get or a list: who watches, reads a log or runs something in a pod has to hear what comes after. */
function isPlainRead({ method, url }: ApiRequest): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const { resource } = parseRequest(method, url);
  return !resource || (resource.verb !== "watch" && objectSubresources.has(resource.subresource));
}

/**
 * Serves the first reads of a cluster that this instance does not hold from the table, with what each of them needs; and those of one that it holds without
 * following its log.
 */
export function createPartialReads(
  { clock, runtimeOptions }: Dependencies,
  clusters: Pick<ServedClusters, "peek" | "look">,
  podStreamsOf: (ref: ClusterRef) => PodStreams,
): NonNullable<ClusterDirectory["openPart"]> {
  const reads = new Map<string, { count: number; untilMs: number }>();
  return async (token: VerifiedToken, request: ApiRequest) => {
    const { cluster: ref } = token;
    if (clusters.peek(ref)) return isPlainRead(request) ? clusters.look(ref) : undefined;
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
