import type { Binding, ObjectClient } from "../../../shared/api/object-client.ts";
import { nodes, pods, replicaSets } from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { isStatus } from "../../../shared/kubernetes/status-error.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { isStoreError } from "../../../shared/store/store.ts";
import { objectOf } from "../../../shared/store/view.ts";
import type { Random } from "../random.ts";
import type { Server } from "./server.ts";

export const podMillis = 100;

/** What a client does with an answer that is no success: it goes on. @throws what is neither the API's nor the store's: a bug */
export async function tried<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isStatus(error) || isStoreError(error)) return undefined;
    throw error;
  }
}

export const machineName = (index: number): string => `m${index}`;

export function nodeObject(index: number, room: number): KubernetesObject {
  const amounts = { cpu: `${room * podMillis}m`, memory: "1Gi", pods: "110" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: machineName(index) },
    spec: {},
    status: { capacity: amounts, allocatable: amounts, conditions: [{ type: "Ready", status: "True" }] },
  } as KubernetesObject;
}

const template = {
  metadata: { labels: { app: "a" } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image: "i", resources: { requests: { cpu: `${podMillis}m` } } }],
  },
};

const setOf = (name: string, replicas: number): KubernetesObject =>
  ({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "default" },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: { ...template, metadata: { labels: { app: name } } } },
  }) as KubernetesObject;

/** Makes, scales and deletes, on whichever server answers. */
export async function want(client: ObjectClient, random: Random, least: number, most: number): Promise<void> {
  const name = `s${random.below(2)}`;
  const replicas = least + random.below(most + 1 - least);
  const made = await tried(client.create(replicaSets, setOf(name, Math.max(1, replicas))));
  if (made) return;
  if (random.chance(0.15)) await tried(client.delete(replicaSets, "default", name, { propagationPolicy: "Background" }));
  else await tried(client.patch(replicaSets, "default", name, { type: "merge", body: { spec: { replicas } } }));
}

/** As many of each as this, on whichever server answers. */
export async function scale(client: ObjectClient, index: number, replicas: number): Promise<void> {
  const name = `s${index}`;
  const patched = await tried(client.patch(replicaSets, "default", name, { type: "merge", body: { spec: { replicas } } }));
  if (!patched) await tried(client.create(replicaSets, setOf(name, replicas)));
}

/** Takes one of the pods away that the server shows. */
export async function disturbPods({ api }: Server, random: Random): Promise<void> {
  const shown = api?.cluster.mirror.list(pods, "default") ?? [];
  if (!api || shown.length === 0) return;
  const { key } = random.pick(shown);
  await tried(api.client.delete(pods, key.namespace, key.name, { gracePeriodSeconds: 0 }));
}

/** What a second scheduler binds: all that was unbound when it looked, to one machine or another, whether there is room or not. */
export function unbound({ api }: Server, random: Random, machines: number): Binding[] {
  const shown = api?.cluster.mirror.list(pods, "default") ?? [];
  return shown.flatMap((stored) => {
    const { metadata, spec } = objectOf<Pod>(stored);
    const { namespace, name } = stored.key;
    return spec?.nodeName ? [] : [{ namespace, name, uid: metadata.uid ?? "", nodeName: machineName(random.below(machines)) }];
  });
}

/** What an agent says of its machine's pods: that they run, that one has ended, and that those are gone which were to go. */
export async function attend({ api }: Server, machine: string, random: Random, ending: number): Promise<void> {
  if (!api) return;
  for (const stored of api.cluster.mirror.podsOnNode(machine)) {
    const pod = objectOf<Pod>(stored);
    const { namespace, name } = stored.key;
    if (pod.metadata.deletionTimestamp !== undefined)
      await tried(api.client.delete(pods, namespace, name, { gracePeriodSeconds: 0, ...(pod.metadata.uid && { uid: pod.metadata.uid }) }));
    else {
      const phase = pod.status?.phase === "Running" ? "Succeeded" : "Running";
      if (phase === "Succeeded" ? random.chance(ending) : pod.status?.phase === "Pending")
        await tried(
          api.client.patch(
            pods,
            namespace,
            name,
            { type: "merge", body: { metadata: { resourceVersion: String(stored.revision) }, status: { phase } } },
            { subresource: "status" },
          ),
        );
    }
  }
}

export const joinMachine = (client: ObjectClient, index: number, room: number): Promise<unknown> =>
  tried(client.create(nodes, nodeObject(index, room)));
