import { type ClusterDirectory, createClusterSurface } from "../shared/api/surface.ts";
import { openClusterRuntime } from "../shared/host/cluster-runtime.ts";
import { ServedClusters } from "../shared/host/served-clusters.ts";
import { createRateLimiter } from "../shared/platform/api/rate-limit.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import { clustersById } from "./clusters-by-id.ts";
import type { Dependencies } from "./dependencies.ts";
import { createPartialReads } from "./partial-reads.ts";
import { createRequestHeads } from "./request-heads.ts";
import { createPodStreamsOf } from "./streams.ts";

/** The Kubernetes API of every cluster, from mirrors that follow while a request is served; the first reads of a cluster come from the table. */
export function createFunctionSurface(dependencies: Dependencies) {
  const { environment, clock, log, tokens, meter, uid, runtimeOptions } = dependencies;
  const { connectionsUrl } = environment;
  const podStreams = createPodStreamsOf(dependencies, (ref) => clusters.peek(ref));
  const podStreamsOf = (ref: ClusterRef) => ({ ...podStreams(ref), connectionsUrl });
  const heads = createRequestHeads();
  const clusters: ServedClusters = new ServedClusters((ref, onEnd) => {
    const options = runtimeOptions(ref, podStreamsOf(ref));
    return openClusterRuntime(ref, { ...options, store: heads.over(options.store) }, onEnd);
  });
  const partly = createPartialReads(dependencies, clusters, podStreamsOf);
  const limiter = createRateLimiter(clock, environment.requests);
  const throttle = (tenant: string): number => limiter.take(tenant);
  const { findSecret } = clustersById(dependencies);
  const directory: ClusterDirectory = { open: (ref) => clusters.open(ref), openPart: partly, findSecret };
  const surface = createClusterSurface({ directory, tokens, clock, log, requestId: uid, meter, throttle });
  return { surface, heads, clusters, dependencies };
}
