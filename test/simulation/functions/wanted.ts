import { podMillis } from "./machine.ts";

const spec = {
  terminationGracePeriodSeconds: 0,
  containers: [{ name: "main", image: "i", resources: { requests: { cpu: `${podMillis}m` } } }],
};

export const setOf = (name: string, replicas: number) => ({
  ...{ apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name } },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec } },
});

/** A pod that ends by itself and is not begun again. */
export const podNamed = (name: string, endsAfterMs: number) => ({
  ...{ apiVersion: "v1", kind: "Pod" },
  metadata: { name, annotations: { "hollow.coracle.dev/ends-after-ms": `main=${Math.floor(endsAfterMs)}` } },
  spec: { ...spec, restartPolicy: "Never" },
});
