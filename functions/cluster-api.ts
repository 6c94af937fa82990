import { type ClusterDirectory, createClusterSurface } from "../shared/api/surface.ts";
import { openClusterRuntime } from "../shared/host/cluster-runtime.ts";
import { createPodStreams } from "../shared/host/pod-streams.ts";
import { createPolledLogs } from "../shared/host/polled-logs.ts";
import { ServedClusters } from "../shared/host/served-clusters.ts";
import { createRateLimiter } from "../shared/platform/api/rate-limit.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import { clustersById } from "./clusters-by-id.ts";
import { type Dependencies, opener } from "./dependencies.ts";
import { createUrlHandler } from "./function-url.ts";
import { createPartialReads } from "./partial-reads.ts";
import { type FunctionPorts, lambdaPorts } from "./ports.ts";
import { createRequestHeads } from "./request-heads.ts";
import { endWatchBy, toApiRequest, urlOf } from "./requests.ts";
import { createStreamsOf } from "./streams.ts";

/** Watches end after this, whatever the client asked: one whose client has gone is not noticed by a function, and costs until it ends. */
const longestWatchSeconds = 290;
/** A function takes requests of up to 6 MB, and so answers of agents. */
const longestLogBytes = 5_000_000;

function createClusterApi(dependencies: Dependencies) {
  const { environment, clock, log, tokens, meter, uid, runtimeOptions } = dependencies;
  const streamsOf = createStreamsOf(dependencies);
  const podStreamsOf = (ref: ClusterRef) => {
    const view = () => clusters.peek(ref)?.cluster.mirror;
    const { connectionsUrl } = environment;
    return { ...createPolledLogs(createPodStreams(ref, streamsOf(ref.tenant), view), view, clock, longestLogBytes), connectionsUrl };
  };
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

export function createHandler(ports: () => FunctionPorts) {
  const open = opener(createClusterApi, ports);
  return createUrlHandler({
    async serve(event, { untilMs }) {
      const { surface, heads, dependencies } = await open();
      heads.begin();
      const seconds = Math.min(longestWatchSeconds, (untilMs - dependencies.clock.now()) / 1000 - 1);
      return surface(toApiRequest(event, endWatchBy(urlOf(event), seconds)));
    },
    async settle() {
      const { clusters, dependencies } = await open();
      clusters.rest();
      await dependencies.settle();
    },
    ports,
  });
}

export const handler = createHandler(lambdaPorts);
