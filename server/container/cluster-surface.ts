import { clustersById } from "../../functions/clusters-by-id.ts";
import type { Dependencies } from "../../functions/dependencies.ts";
import { createPartialReads } from "../../functions/partial-reads.ts";
import { createPodStreamsOf } from "../../functions/streams.ts";
import type { NodeTunnels } from "../../shared/api/agent/node-tunnels.ts";
import { createClusterSurface } from "../../shared/api/surface.ts";
import { createRateLimiter } from "../../shared/platform/api/rate-limit.ts";
import type { HeldClusters } from "./held-clusters.ts";

/** The Kubernetes API from clusters held in memory; the first reads of others come from the table. */
export function createHeldSurface(dependencies: Dependencies, held: HeldClusters, tunnels: Pick<NodeTunnels, "connect"> | undefined) {
  const { environment, clock, log, tokens, meter, uid } = dependencies;
  const limiter = createRateLimiter(clock, environment.requests);
  const openPart = createPartialReads(
    dependencies,
    { peek: (ref) => held.peek(ref), look: (ref) => held.open(ref) },
    createPodStreamsOf(dependencies, (ref) => held.peek(ref), tunnels),
  );
  return createClusterSurface({
    directory: { open: (ref) => held.open(ref), openPart, ...clustersById(dependencies) },
    ...{ tokens, clock, log, meter },
    requestId: uid,
    throttle: (tenant) => limiter.take(tenant),
  });
}
