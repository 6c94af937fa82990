import type { StreamBroker } from "../api/agent/stream-broker.ts";
import type { PodStreams } from "../api/pod-streams.ts";
import { nodes } from "../kubernetes/known-resources.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { Node } from "../kubernetes/types.ts";
import type { ClusterRef } from "../store/store.ts";
import type { ClusterView } from "../store/view.ts";

/** Logs come from the node's agent over the connection that it opened itself. */
export function createPodStreams(ref: ClusterRef, broker: Pick<StreamBroker, "open">, viewOf: () => ClusterView | undefined): PodStreams {
  return {
    log({ pod, container, follow, previous, timestamps, sinceSeconds, sinceTime, tailLines, limitBytes }) {
      const nodeName = pod.spec?.nodeName ?? "";
      const node = viewOf()?.get(nodes, "", nodeName)?.object as Node | undefined;
      const pool = node?.metadata.labels?.["coracle.dev/pool"];
      if (pool === undefined) throw new StatusError("InternalError", `Get "https://${nodeName}/containerLogs": the node has no agent`, {});
      const { namespace = "", name = "", uid = "" } = pod.metadata;
      return broker.open(
        { pool, nodeName },
        {
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
        },
      );
    },
  };
}
