import { poolLabel } from "../api/agent/node-object.ts";
import type { NodeTunnels } from "../api/agent/node-tunnels.ts";
import type { NodeIdentity } from "../api/agent/ports.ts";
import type { StreamBroker } from "../api/agent/stream-broker.ts";
import type { PodStreams } from "../api/pod-streams.ts";
import { nodes } from "../kubernetes/known-resources.ts";
import { StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import type { Node } from "../kubernetes/types.ts";
import type { ClusterRef } from "../store/store.ts";
import { type ClusterView, objectOf } from "../store/view.ts";

/** Logs come from the node's agent over the connection that it opened itself; so does all else, where the host has tunnels. */
export function createPodStreams(
  ref: ClusterRef,
  broker: Pick<StreamBroker, "open">,
  viewOf: () => ClusterView | undefined,
  tunnels?: Pick<NodeTunnels, "connect">,
): PodStreams {
  const placeOf = (nodeName: string): NodeIdentity | undefined => {
    const node = viewOf()?.get(nodes, "", nodeName);
    const pool = node && objectOf<Node>(node).metadata.labels?.[poolLabel];
    return pool === undefined ? undefined : { tenant: ref.tenant, pool, nodeName };
  };
  return {
    ...(tunnels && {
      async connect(nodeName, target) {
        const place = placeOf(nodeName);
        if (!place) throw new UnexplainedError(`error dialing backend: node ${nodeName} has no agent`);
        return tunnels.connect(place, { ...target, cluster: ref.cluster });
      },
    }),
    log({ pod, container, follow, previous, timestamps, sinceSeconds, sinceTime, tailLines, limitBytes }) {
      const nodeName = pod.spec?.nodeName ?? "";
      const place = placeOf(nodeName);
      if (!place) throw new StatusError("InternalError", `Get "https://${nodeName}/containerLogs": the node has no agent`, {});
      const { namespace = "", name = "", uid = "" } = pod.metadata;
      return broker.open(place, {
        kind: "log",
        cluster: ref.cluster,
        namespace,
        pod: name,
        podUid: uid,
        container,
        options: {
          follow,
          previous,
          timestamps,
          ...(sinceSeconds !== undefined && { sinceSeconds }),
          ...(sinceTime !== undefined && { sinceTime }),
          ...(tailLines !== undefined && { tailLines }),
          ...(limitBytes !== undefined && { limitBytes }),
        },
      });
    },
  };
}
