import type { Node, Pod } from "../../../../shared/kubernetes/types.ts";

/** A ready node with room for `cpu` and `pods`. */
export function nodeOf(name: string, { cpu = "4", pods = "110", ...spec }: { cpu?: string; pods?: string } & Node["spec"] = {}): Node {
  const quantities = { cpu, memory: "16Gi", pods };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    spec,
    status: { capacity: quantities, allocatable: quantities },
  };
}

/** A pending pod in the namespace `default` that asks for `cpu`. */
export function podOf(name: string, cpu = "100m", spec: Partial<NonNullable<Pod["spec"]>> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      containers: [{ name: "main", image: "app", resources: { requests: { cpu } } }],
      schedulerName: "default-scheduler",
      ...spec,
    },
    status: { phase: "Pending" },
  };
}
