import { type Connections, connect, inParallel } from "./endpoint.ts";
import { openWatch } from "./event-stream.ts";
import type { HostProcess } from "./host-process.ts";

export interface SchedulingFigures {
  readonly nodes: number;
  readonly pods: number;
  /** From resuming the scheduler to the last binding that a watch showed. */
  readonly seconds: number;
  readonly podsPerSecond: number;
}

const namespace = "scheduling";
const atOnce = 32;
const quantities = { cpu: "32", memory: "256Gi", pods: "110" };
const mergePatch = "application/merge-patch+json";
const json = "application/json";

/** Makes ready nodes and, while the scheduler rests, pods; then times it from its start to the last binding. Nothing runs the pods. */
export async function measureScheduling(
  host: HostProcess,
  { nodes, pods }: { readonly nodes: number; readonly pods: number },
): Promise<SchedulingFigures> {
  const cluster = connect(host.cluster, atOnce);
  const platform = connect(host.platform, 1);
  const pause = (schedulingPaused: boolean) =>
    platform.json({ method: "PATCH", path: "/v1/clusters/default", contentType: mergePatch, body: JSON.stringify({ schedulingPaused }) });
  await pause(true);
  const namespaceBody = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await cluster.json({ method: "POST", path: "/api/v1/namespaces", contentType: json, body: namespaceBody });
  await inParallel(nodes, atOnce, (index) => makeNode(cluster, index));
  await inParallel(pods, atOnce, (index) => makePod(cluster, index));
  const podsPath = `/api/v1/namespaces/${namespace}/pods`;
  const { metadata } = await cluster.json<{ metadata: { resourceVersion: string } }>({ method: "GET", path: `${podsPath}?limit=1` });
  const bound = new Set<string>();
  let tellAllBound = (): void => {};
  const allBound = new Promise<void>((resolve) => {
    tellAllBound = resolve;
  });
  const stop = await openWatch(host.cluster, `${podsPath}?watch=1&resourceVersion=${metadata.resourceVersion}`, ({ object }) => {
    if (object.spec?.nodeName !== undefined) bound.add(object.metadata.name);
    if (bound.size === pods) tellAllBound();
  });
  const resumedAt = performance.now();
  await pause(false);
  await allBound;
  const seconds = (performance.now() - resumedAt) / 1000;
  stop();
  await Promise.all([cluster.close(), platform.close()]);
  return { nodes, pods, seconds, podsPerSecond: pods / seconds };
}

async function makeNode(cluster: Connections, index: number): Promise<void> {
  const name = `load-${String(index).padStart(6, "0")}`;
  const labels = { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${index % 3}` };
  const now = new Date().toISOString();
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime: now, lastTransitionTime: now };
  const path = `/api/v1/nodes/${name}`;
  const patch = (suffix: string, value: object) =>
    cluster.json({ method: "PATCH", path: path + suffix, contentType: mergePatch, body: JSON.stringify(value) });
  const body = JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name, labels } });
  await cluster.json({ method: "POST", path: "/api/v1/nodes", contentType: json, body });
  await patch("", { spec: { taints: null } });
  await patch("/status", { status: { capacity: quantities, allocatable: quantities, conditions: [ready] } });
}

async function makePod(cluster: Connections, index: number): Promise<void> {
  const body = JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${index}`, labels: { app: `a${index % 20}` } },
    spec: { containers: [{ name: "c", image: "x", resources: { requests: { cpu: "100m", memory: "200Mi" } } }] },
  });
  await cluster.json({ method: "POST", path: `/api/v1/namespaces/${namespace}/pods`, contentType: json, body });
}
