import type { NodeTunnels } from "../shared/api/agent/node-tunnels.ts";
import type { PodStreams } from "../shared/api/pod-streams.ts";
import type { ClusterRuntime } from "../shared/host/cluster-runtime.ts";
import { createPodStreams } from "../shared/host/pod-streams.ts";
import { createPolledLogs } from "../shared/host/polled-logs.ts";
import { createRecordStreams } from "../shared/host/record-streams.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";

/** A function takes requests of up to 6 MB, and so answers of agents, whomever they are for. */
const longestLogBytes = 5_000_000;

/** How callers of the cluster API and agents meet, by tenant. */
export const createStreamsOf =
  ({ storeOf, marksOf, clock, uid }: Dependencies) =>
  (tenant: string): ReturnType<typeof createRecordStreams> =>
    createRecordStreams({ store: storeOf(tenant), tenant, marks: marksOf(tenant), clock, newId: uid });

/** Logs by way of records: the agent calls whatever process it meets. Connections by tunnels, which have to come to this one; absent: there are none. */
export function createPodStreamsOf(
  dependencies: Dependencies,
  peek: (ref: ClusterRef) => ClusterRuntime | undefined,
  tunnels?: Pick<NodeTunnels, "connect">,
): (ref: ClusterRef) => PodStreams {
  const streamsOf = createStreamsOf(dependencies);
  return (ref) => {
    const view = () => peek(ref)?.cluster.mirror;
    return createPolledLogs(createPodStreams(ref, streamsOf(ref.tenant), view, tunnels), view, dependencies.clock, longestLogBytes);
  };
}
