import fc from "fast-check";
import type { Node, Pod, TopologySpreadConstraint } from "../../shared/kubernetes/types.ts";

/** Small random clusters, crowded enough that every rule comes to bear. */
export interface RandomCluster {
  readonly nodes: Node[];
  readonly pods: Pod[];
  readonly seed: number;
}

const zones = ["a", "b", "c"] as const;
const apps = ["web", "db", "cache"] as const;
const app = fc.constantFrom(...apps);
const selector = app.map((name) => ({ matchLabels: { app: name } }));
const topologyKey = fc.constantFrom("kubernetes.io/hostname", "zone");
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq });

const node = (name: string): fc.Arbitrary<Node> =>
  fc
    .record({
      cpu: fc.integer({ min: 1, max: 4 }),
      memory: fc.integer({ min: 1, max: 4 }),
      pods: fc.integer({ min: 1, max: 6 }),
      gpus: fc.integer({ min: 0, max: 2 }),
      zone: maybe(fc.constantFrom(...zones), 8),
      isTainted: fc.boolean(),
      isCordoned: fc.integer({ min: 0, max: 5 }),
    })
    .map(({ cpu, memory, pods, gpus, zone, isTainted, isCordoned }) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name, ...(zone && { zone }) } },
      spec: {
        ...(isTainted && { taints: [{ key: "dedicated", value: "x", effect: "NoSchedule" as const }] }),
        ...(isCordoned === 0 && { unschedulable: true }),
      },
      status: { allocatable: { cpu, memory: `${memory}Gi`, pods, "example.com/gpu": gpus } },
    }));

const spread: fc.Arbitrary<TopologySpreadConstraint> = fc.record(
  {
    maxSkew: fc.integer({ min: 1, max: 2 }),
    topologyKey,
    whenUnsatisfiable: fc.constantFrom("DoNotSchedule", "ScheduleAnyway"),
    labelSelector: selector,
    minDomains: fc.integer({ min: 1, max: 3 }),
    nodeAffinityPolicy: fc.constantFrom("Honor", "Ignore"),
    nodeTaintsPolicy: fc.constantFrom("Honor", "Ignore"),
  },
  { requiredKeys: ["maxSkew", "topologyKey", "whenUnsatisfiable", "labelSelector"] },
);

const term = fc.record({ topologyKey, labelSelector: selector });
const weighted = fc.record({ weight: fc.integer({ min: 1, max: 100 }), podAffinityTerm: term });

const pod = (name: string): fc.Arbitrary<Pod> =>
  fc
    .record({
      labels: fc.record({ app }),
      namespace: fc.constantFrom("one", "one", "two"),
      cpuMillis: fc.integer({ min: 0, max: 20 }),
      memoryMiB: fc.integer({ min: 0, max: 20 }),
      gpus: fc.constantFrom(0, 0, 0, 1),
      toleratesTaint: fc.boolean(),
      zone: maybe(fc.constantFrom(...zones), 1),
      hostPort: maybe(fc.constantFrom(80, 81), 1),
      spreads: maybe(fc.array(spread, { minLength: 1, maxLength: 2 })),
      wants: maybe(term, 1),
      avoids: maybe(term),
      likes: maybe(weighted, 1),
      priority: fc.constantFrom(0, 0, 10),
    })
    .map((random) => podFrom(name, random));

function podFrom(
  name: string,
  random: {
    labels: Record<string, string>;
    namespace: string;
    cpuMillis: number;
    memoryMiB: number;
    gpus: number;
    toleratesTaint: boolean;
    zone: string | undefined;
    hostPort: number | undefined;
    spreads: TopologySpreadConstraint[] | undefined;
    wants: { topologyKey: string; labelSelector: object } | undefined;
    avoids: { topologyKey: string; labelSelector: object } | undefined;
    likes: { weight: number; podAffinityTerm: { topologyKey: string; labelSelector: object } } | undefined;
    priority: number;
  },
): Pod {
  const { wants, avoids, likes, gpus, hostPort, zone, spreads } = random;
  const requests = {
    ...(random.cpuMillis > 0 && { cpu: `${random.cpuMillis * 100}m` }),
    ...(random.memoryMiB > 0 && { memory: `${random.memoryMiB * 100}Mi` }),
    ...(gpus > 0 && { "example.com/gpu": gpus }),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: random.namespace, uid: name, labels: random.labels },
    spec: {
      containers: [{ name: "c", resources: { requests }, ...(hostPort && { ports: [{ containerPort: hostPort, hostPort }] }) }],
      priority: random.priority,
      ...(random.toleratesTaint && { tolerations: [{ key: "dedicated", operator: "Exists" as const }] }),
      ...(zone && { nodeSelector: { zone } }),
      ...(spreads && { topologySpreadConstraints: spreads }),
      affinity: {
        podAffinity: {
          ...(wants && { requiredDuringSchedulingIgnoredDuringExecution: [wants] }),
          ...(likes && { preferredDuringSchedulingIgnoredDuringExecution: [likes] }),
        },
        podAntiAffinity: { ...(avoids && { requiredDuringSchedulingIgnoredDuringExecution: [avoids] }) },
      },
    },
  };
}

export const randomCluster: fc.Arbitrary<RandomCluster> = fc
  .record({ nodeCount: fc.integer({ min: 1, max: 8 }), podCount: fc.integer({ min: 1, max: 25 }), seed: fc.integer({ min: 1, max: 1e6 }) })
  .chain(({ nodeCount, podCount, seed }) =>
    fc.record({
      nodes: fc.tuple(...Array.from({ length: nodeCount }, (_, i) => node(`n${i}`))),
      pods: fc.tuple(...Array.from({ length: podCount }, (_, i) => pod(`p${i}`))),
      seed: fc.constant(seed),
    }),
  );

export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
