import { events, pods } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Event, Pod } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import type { Log } from "../../telemetry/log.ts";
import { mergePodStatus } from "./merge-pod-status.ts";
import { nodeFieldManager } from "./pod-status-report.ts";
import type { PoolCluster } from "./ports.ts";
import type { EventReport, SyncRequest } from "./protocol.ts";

type StatusEntry = SyncRequest["statuses"][number];
type EndedEntry = SyncRequest["ended"][number];

/** A pod as the view has it, if it is the one meant and runs on the node that speaks. */
function ownPod(cluster: PoolCluster, nodeName: string, entry: { namespace: string; name: string; uid: string }): Pod | undefined {
  const stored = cluster.view.get(pods, entry.namespace, entry.name);
  if (stored === undefined) return undefined;
  const pod = objectOf<Pod>(stored);
  return pod.metadata.uid === entry.uid && pod.spec?.nodeName === nodeName ? pod : undefined;
}

const attempts = 5;

/** Writes one pod's status. A pod that is gone or not this node's is skipped. `retry`: it could not be written for now. */
export async function applyStatus(cluster: PoolCluster, nodeName: string, entry: StatusEntry, log: Log): Promise<"done" | "retry"> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const pod = ownPod(cluster, nodeName, entry);
    if (pod === undefined) return "done";
    const status = mergePodStatus(pod, entry.status);
    if (status === undefined) return "done";
    try {
      const next: Pod = { ...pod, status };
      await cluster.client.update(pods, next, { subresource: "status", fieldManager: nodeFieldManager });
      return "done";
    } catch (error) {
      if (isStatus(error, "Conflict")) continue;
      if (isStatus(error, "NotFound")) return "done";
      if (isStatus(error, "Invalid") || isStatus(error, "BadRequest") || isStatus(error, "Forbidden")) {
        log.warn("pod status refused", { cluster: cluster.id, pod: `${entry.namespace}/${entry.name}`, reason: error.message });
        return "done";
      }
      log.error("pod status not written", error, { cluster: cluster.id, pod: `${entry.namespace}/${entry.name}` });
      return "retry";
    }
  }
  return "retry";
}

/** Deletes a pod whose containers have all ended, on the word of its node. Only one that is being deleted. */
export async function applyEnd(cluster: PoolCluster, nodeName: string, entry: EndedEntry, log: Log): Promise<"done" | "retry"> {
  const pod = ownPod(cluster, nodeName, entry);
  if (pod?.metadata.deletionTimestamp === undefined) return "done";
  try {
    await cluster.client.delete(pods, entry.namespace, entry.name, { uid: entry.uid, gracePeriodSeconds: 0 });
    return "done";
  } catch (error) {
    if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return "done";
    log.error("ended pod not deleted", error, { cluster: cluster.id, pod: `${entry.namespace}/${entry.name}` });
    return "retry";
  }
}

/** Creates an event or, when it is there under the same name, brings count, time and message up to date. Never retried: events are advice. */
export async function applyEvent(cluster: PoolCluster, nodeName: string, report: EventReport, log: Log): Promise<void> {
  const { involvedObject } = report;
  if (involvedObject.kind === "Node") {
    if (involvedObject.name !== nodeName) return;
  } else {
    const namespace = involvedObject.namespace ?? "";
    if (involvedObject.kind !== "Pod" || namespace !== report.namespace) return;
    if (ownPod(cluster, nodeName, { namespace, name: involvedObject.name, uid: involvedObject.uid }) === undefined) return;
  }
  const { count, lastTimestamp, message } = report;
  try {
    if (cluster.view.get(events, report.namespace, report.name) !== undefined) {
      await cluster.client.patch(events, report.namespace, report.name, { type: "merge", body: { count, lastTimestamp, message } });
      return;
    }
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: report.name, namespace: report.namespace },
      involvedObject,
      type: report.type,
      reason: report.reason,
      message,
      count,
      firstTimestamp: report.firstTimestamp,
      lastTimestamp,
      source: { component: report.component, host: nodeName },
      reportingComponent: report.component,
      reportingInstance: nodeName,
    };
    await cluster.client.create(events, event, { fieldManager: nodeFieldManager });
  } catch (error) {
    log.debug("event dropped", { cluster: cluster.id, event: report.name, cause: String(error) });
  }
}
