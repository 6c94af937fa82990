import { parse } from "yaml";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { ContainerImage, Node, Pod } from "../../../shared/kubernetes/types.ts";
import { decide } from "../../../shared/scheduler/decide.ts";
import type { Decision } from "../../../shared/scheduler/plan.ts";
import { readPendingPod } from "../../../shared/scheduler/pod-info.ts";
import { type ClusterSnapshot, createSnapshot } from "../../../shared/scheduler/snapshot.ts";

/**
 * Runs a history written as text and answers it with what happened, a line beginning with `>` for every decision: a script that holds its
 * own outcome is answered as it is. What follows the names is YAML in flow style, so that any field of the API can be written down.
 *
 *     node n1 {cpu: 4, memory: 8Gi, pods: 110, labels: {zone: a}, unschedulable: true, …}
 *     pod web on n1 {cpu: 1, labels: {app: web}, priority: 5, …}
 *     schedule web x3 {cpu: 1}            decides on web-1, web-2 and web-3 in one batch
 *     delete pod web
 *     object {apiVersion: v1, kind: Service, …}
 *
 * Placements print as `web → n1`, refusals as `web: <message>`; a preemption adds ` ⇒ n1 without low, lower`. Ties go to the first node.
 */
export function transcribe(script: string): string {
  const snapshot = createSnapshot();
  const lines: string[] = [];
  let startIndex = 0;
  for (const line of script.split("\n")) {
    if (line.startsWith(">")) continue;
    lines.push(line);
    if (line === "" || line.startsWith("#")) continue;
    const [, command = "", subject = "", body = ""] = /^(\w+)\s*([^{]*?)\s*(\{.*\})?$/.exec(line) ?? [];
    const fields: unknown = body === "" ? {} : parse(body);
    switch (command) {
      case "node":
        snapshot.applyNode(nodeOf(subject, fields as NodeFields));
        break;
      case "pod":
        placePods(snapshot, subject, fields as PodFields);
        break;
      case "object":
        snapshot.applyObject(parse(body) as KubernetesObject);
        break;
      case "delete":
        remove(snapshot, subject);
        break;
      case "schedule": {
        const pending = namesOf(subject).map((name) => readPendingPod(podOf(name, fields as PodFields)));
        const plan = decide(snapshot, pending, { random: () => 0, startIndex });
        startIndex = plan.nextStartIndex;
        lines.push(...plan.decisions.map((decision) => `> ${print(decision)}`));
        break;
      }
      default:
        throw new Error(`no such command: ${line}`);
    }
  }
  return lines.join("\n");
}

/** Short forms; everything else belongs to the spec. */
interface Amounts {
  readonly cpu?: string | number;
  readonly memory?: string;
  readonly extended?: Readonly<Record<string, number>>;
  readonly labels?: Record<string, string>;
}

type NodeFields = Amounts & { readonly pods?: number; readonly images?: ContainerImage[] } & NonNullable<Node["spec"]>;

interface PodFields extends Amounts {
  readonly namespace?: string;
  readonly image?: string;
  readonly hostPort?: number;
  readonly status?: NonNullable<Pod["status"]>;
  /** A workload, `ReplicaSet/web`. */
  readonly owner?: string;
  readonly terminating?: boolean;
}

function namesOf(subject: string): string[] {
  return subject.split(/\s*,\s*/).flatMap((part) => {
    const [, name = part, times] = /^(\S+) x(\d+)$/.exec(part) ?? [];
    return times === undefined ? [name] : Array.from({ length: Number(times) }, (_, index) => `${name}-${index + 1}`);
  });
}

function nodeOf(name: string, { cpu = 4, memory = "8Gi", pods = 110, labels = {}, extended = {}, images, ...spec }: NodeFields): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    spec,
    status: { allocatable: { cpu, memory, pods, ...extended }, ...(images && { images }) },
  };
}

function podOf(name: string, fields: PodFields): Pod {
  const {
    cpu,
    memory,
    extended,
    labels = {},
    namespace = "default",
    image = "app",
    hostPort,
    status,
    owner,
    terminating,
    ...spec
  } = fields;
  const requests = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }), ...extended };
  const ports = hostPort === undefined ? [] : [{ containerPort: hostPort, hostPort }];
  const [kind = "", ownerName = ""] = owner?.split("/") ?? [];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      labels,
      ...(owner && { ownerReferences: [{ apiVersion: "apps/v1", kind, name: ownerName, uid: ownerName, controller: true }] }),
      ...(terminating && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    spec: { containers: [{ name: "main", image, ports, resources: { requests } }], ...spec },
    ...(status && { status }),
  };
}

function placePods(snapshot: ClusterSnapshot, subject: string, fields: PodFields): void {
  const [names = "", nodeName = ""] = subject.split(/\s+on\s+/);
  for (const name of namesOf(names)) {
    const pod = podOf(name, fields);
    snapshot.applyPod({ ...pod, spec: { containers: [], ...pod.spec, nodeName } });
  }
}

function remove(snapshot: ClusterSnapshot, subject: string): void {
  const [kind, name = ""] = subject.split(/\s+/);
  if (kind === "pod") snapshot.removePod(`uid-${name}`);
  else snapshot.removeNode(name);
}

function print(decision: Decision): string {
  const { name } = decision.pod;
  if (decision.kind === "placed") return `${name} → ${decision.nodeName}`;
  const { message, preemption } = decision;
  const victims = preemption?.victims.map((victim) => victim.name).join(", ");
  return `${name}: ${message}${preemption ? ` ⇒ ${preemption.nodeName} without ${victims}` : ""}`;
}
