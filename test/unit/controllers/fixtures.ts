import { formatTime } from "../../../shared/controllers/timestamp.ts";
import { pods } from "../../../shared/kubernetes/known-resources.ts";
import type {
  DaemonSet,
  Deployment,
  Node,
  Pod,
  PodCondition,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
} from "../../../shared/kubernetes/types.ts";
import type { FakeCluster } from "./fake-cluster.ts";

export const labels = { app: "web" };
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: "web", image }] } });

export function replicaSet(replicas: number, change: Partial<ReplicaSet["spec"]> = {}, name = "web"): ReplicaSet {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { namespace: "default", name },
    spec: { replicas, selector: { matchLabels: labels }, template: template("web:1"), ...change },
  };
}

export function replicationController(replicas: number): ReplicationController {
  return {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { namespace: "default", name: "web" },
    spec: { replicas, selector: labels, template: template("web:1") },
  };
}

export function deployment(replicas: number, change: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace: "default", name: "web" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: template("web:1"),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...change,
    },
  };
}

export function statefulSet(replicas: number, change: Partial<StatefulSet["spec"]> = {}): StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { namespace: "default", name: "web" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      serviceName: "web",
      template: template("web:1"),
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      podManagementPolicy: "OrderedReady",
      revisionHistoryLimit: 10,
      ...change,
    },
  };
}

export function daemonSet(change: Partial<DaemonSet["spec"]> = {}, name = "agent"): DaemonSet {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { namespace: "default", name, annotations: { "deprecated.daemonset.template.generation": "1" } },
    spec: {
      selector: { matchLabels: labels },
      template: template("web:1"),
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
      ...change,
    },
  };
}

export function service(change: Partial<Service["spec"]> = {}, name = "web"): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "default", name },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.0.0.10",
      clusterIPs: ["10.0.0.10"],
      ipFamilies: ["IPv4"],
      selector: labels,
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
      ...change,
    },
  };
}

export function pod(name: string, change: Partial<Pod> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, labels, ...change.metadata },
    spec: { containers: [{ name: "web", image: "web:1" }], ...change.spec },
    ...(change.status && { status: change.status }),
  };
}

export function node(name: string, change: Partial<Node> = {}): Node {
  return { apiVersion: "v1", kind: "Node", metadata: { name, ...change.metadata }, spec: { ...change.spec }, status: { ...change.status } };
}

let addresses = 0;

/** What a kubelet would write once the pod runs on the node. */
export function runPod(cluster: FakeCluster, name: string, options: { node?: string; ready?: boolean; namespace?: string } = {}): void {
  const { node = "node-a", ready = true, namespace = "default" } = options;
  cluster.edit<Pod>(pods, namespace, name, (pod) => {
    const ip = pod.status?.podIP ?? `10.1.${(++addresses >> 8) % 256}.${addresses % 256}`;
    const before = pod.status?.conditions?.find(({ type }) => type === "Ready");
    const status = ready ? "True" : "False";
    const changed = before?.status === status ? before.lastTransitionTime : formatTime(cluster.clock.now());
    const condition: PodCondition = { type: "Ready", status, ...(changed && { lastTransitionTime: changed }) };
    return {
      ...pod,
      spec: { containers: [], ...pod.spec, nodeName: node },
      status: { ...pod.status, phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [condition] },
    };
  });
}

/** Runs every pod that does not run yet, and ends those that are being deleted. Answers whether there was anything to do. */
export function playKubelet(cluster: FakeCluster, isReady: (pod: Pod) => boolean = () => true): boolean {
  let acted = false;
  for (const pod of cluster.all<Pod>(pods)) {
    const { namespace = "", name = "", deletionTimestamp } = pod.metadata;
    const ready = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    if (deletionTimestamp !== undefined) cluster.kill(namespace, name);
    else if (pod.status?.phase !== "Running" || ready !== isReady(pod)) runPod(cluster, name, { namespace, ready: isReady(pod) });
    else continue;
    acted = true;
  }
  return acted;
}

/** Events as `reason: message`, in the order they were told. */
export function recordEvents(): { told: string[]; event: (object: unknown, type: string, reason: string, message: string) => void } {
  const told: string[] = [];
  return { told, event: (_object, type, reason, message) => void told.push(`${type} ${reason}: ${message}`) };
}
