import { clustersById } from "../../functions/clusters-by-id.ts";
import type { Dependencies } from "../../functions/dependencies.ts";
import { createPartialReads } from "../../functions/partial-reads.ts";
import { createStreamsOf } from "../../functions/streams.ts";
import type { NodeTunnels } from "../../shared/api/agent/node-tunnels.ts";
import type { PodStreams } from "../../shared/api/pod-streams.ts";
import { createClusterSurface } from "../../shared/api/surface.ts";
import { createPodStreams } from "../../shared/host/pod-streams.ts";
import { createPolledLogs } from "../../shared/host/polled-logs.ts";
import { createRateLimiter } from "../../shared/platform/api/rate-limit.ts";
import type { ClusterRef } from "../../shared/store/store.ts";
import type { HeldClusters } from "./held-clusters.ts";

/** An agent may answer to a function, which takes 6 MB. */
const longestLogBytes = 5_000_000;

/** Logs by way of records: the agent calls whatever process it meets. Connections by tunnels, which have to come to this one. */
export function podStreamsBy(
  dependencies: Dependencies,
  held: () => HeldClusters,
  tunnels: Pick<NodeTunnels, "connect"> | undefined,
): (ref: ClusterRef) => PodStreams {
  const streamsOf = createStreamsOf(dependencies);
  return (ref) => {
    const view = () => held().peek(ref)?.cluster.mirror;
    return createPolledLogs(createPodStreams(ref, streamsOf(ref.tenant), view, tunnels), view, dependencies.clock, longestLogBytes);
  };
}

/** The Kubernetes API from clusters held in memory; the first reads of others come from the table. */
export function createHeldSurface(dependencies: Dependencies, held: HeldClusters, tunnels: Pick<NodeTunnels, "connect"> | undefined) {
  const { environment, clock, log, tokens, meter, uid } = dependencies;
  const limiter = createRateLimiter(clock, environment.requests);
  const openPart = createPartialReads(
    dependencies,
    { peek: (ref) => held.peek(ref), look: (ref) => held.open(ref) },
    podStreamsBy(dependencies, () => held, tunnels),
  );
  return createClusterSurface({
    directory: { open: (ref) => held.open(ref), openPart, ...clustersById(dependencies) },
    ...{ tokens, clock, log, meter },
    requestId: uid,
    throttle: (tenant) => limiter.take(tenant),
  });
}
