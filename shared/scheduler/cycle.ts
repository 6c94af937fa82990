import { conflictsOverDisks, mountsDisks } from "./disk-conflicts.ts";
import { type Failure, resolvable, unresolvable } from "./failure.ts";
import { ImageFit } from "./image-fit.ts";
import { InterPodAffinity } from "./inter-pod-affinity.ts";
import { namedNodes } from "./node-affinity.ts";
import type { PendingPod, PodInfo } from "./pod-info.ts";
import { ResourceFit } from "./resource-fit.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import { StaticFit } from "./static-fit.ts";
import { TopologySpread } from "./topology-spread.ts";
import type { VolumeDemand } from "./volumes.ts";

const noFreePorts = resolvable("NodePorts", "node(s) didn't have free ports for the requested pod ports");
const diskConflict = resolvable("VolumeRestrictions", "node(s) had no available disk");
const claimInUse = resolvable(
  "VolumeRestrictions",
  "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
);
const tooManyVolumes = resolvable("NodeVolumeLimits", "node(s) exceed max volume count");
const contradictingNames = unresolvable("NodeAffinity", "pod affinity terms conflict");

interface Parts {
  readonly staticFit: StaticFit;
  readonly resources: ResourceFit;
  readonly images: ImageFit;
}

/** The filters of kube-scheduler for pods of one shape, with what they have in common worked out before the first node. */
export class Cycle {
  /** No node will do, whichever it is: the message of a PreFilter plugin. */
  readonly rejected: Failure | undefined;
  /** The only nodes that come into question; undefined: all. */
  readonly named: ReadonlySet<string> | undefined;
  readonly staticFit: StaticFit;
  readonly resources: ResourceFit;
  readonly images: ImageFit;
  readonly spread: TopologySpread;
  readonly affinity: InterPodAffinity;
  readonly #snapshot: ClusterSnapshot;
  readonly #pod: PodInfo;
  readonly #exclusiveClaims: readonly string[];
  readonly #mountsDisks: boolean;
  readonly #filtersSpread: boolean;
  readonly #asksOnlyResources: boolean;
  readonly #filtersAffinity: boolean;

  constructor(snapshot: ClusterSnapshot, pod: PodInfo, demand: VolumeDemand | undefined, { staticFit, resources, images }: Parts) {
    this.#snapshot = snapshot;
    this.#pod = pod;
    this.staticFit = staticFit;
    this.resources = resources;
    this.images = images;
    this.named = namedNodes(pod.pod.spec ?? {});
    this.rejected = this.named?.size === 0 ? contradictingNames : demand?.kind === "refused" ? demand.failure : undefined;
    this.spread = new TopologySpread(snapshot, pod);
    this.affinity = new InterPodAffinity(snapshot, pod);
    this.#exclusiveClaims = pod.claims.filter((claim) => snapshot.volumes.isExclusive(claim));
    this.#mountsDisks = mountsDisks(pod.pod);
    this.#filtersSpread = this.spread.isFiltering;
    this.#filtersAffinity = this.affinity.isFiltering;
    this.#asksOnlyResources =
      !this.#filtersSpread && !this.#filtersAffinity && pod.hostPorts.length === 0 && pod.claims.length === 0 && !this.#mountsDisks;
  }

  /** To be called before the first `check` of a pod. */
  refresh(): void {
    this.spread.refresh();
    this.affinity.refresh();
  }

  /** The first filter that refuses the node, in kube-scheduler's order; undefined: it fits. */
  check(slot: number): Failure | undefined {
    if (this.#asksOnlyResources) return this.staticFit.check(slot) ?? this.resources.check(slot);
    const failure = this.staticFit.check(slot);
    // Volume plugins run after ports and resources, though their answer is known before.
    if (failure !== undefined && !failure.plugin.startsWith("Volume")) return failure;
    if (this.#pod.hostPorts.length > 0 && !this.#snapshot.areFree(this.#pod.hostPorts, slot)) return noFreePorts;
    const lacking = this.resources.check(slot);
    if (lacking !== undefined) return lacking;
    if (this.#mountsDisks && this.#meetsDisks(slot)) return diskConflict;
    if (this.#exclusiveClaims.length > 0 && this.#exclusiveClaims.some((claim) => this.#snapshot.isClaimUsed(claim))) return claimInUse;
    if (this.#pod.claims.length > 0 && this.#snapshot.exceedsVolumeLimits(this.#pod, slot)) return tooManyVolumes;
    if (failure !== undefined) return failure;
    if (this.#filtersSpread) {
      const skewed = this.spread.check(slot);
      if (skewed !== undefined) return skewed;
    }
    return this.#filtersAffinity ? this.affinity.check(slot) : undefined;
  }

  #meetsDisks(slot: number): boolean {
    const others = [...this.#snapshot.podsOn(slot).values()].map(({ pod }) => pod);
    return conflictsOverDisks(this.#pod.pod, others);
  }
}

/** Amounts kept by node and shape; what goes beyond starts anew. 20 bytes each. */
const keptResults = 2_000_000;

/** Cycles by the shape of pods, and their parts by what those depend on. Valid as long as the rules that they were made from. */
export class CycleCache {
  readonly #snapshot: ClusterSnapshot;
  readonly #cycles = new Map<string, { readonly cycle: Cycle; readonly generation: string }>();
  readonly #staticFits = new Map<string, StaticFit>();
  readonly #resourceFits = new Map<string, ResourceFit>();
  readonly #imageFits = new Map<string, ImageFit>();

  constructor(snapshot: ClusterSnapshot) {
    this.#snapshot = snapshot;
  }

  of(pod: PendingPod): Cycle {
    const known = this.#cycles.get(pod.shape);
    if (known?.generation === this.#generation()) return known.cycle;
    const cycle = this.#make(pod);
    if (this.#cycles.size >= 4096) this.#cycles.clear();
    this.#cycles.set(pod.shape, { cycle, generation: this.#generation() });
    return cycle;
  }

  #generation(): string {
    const { groups, held, selectors, volumes, namespacesGeneration } = this.#snapshot;
    return `${groups.generation} ${held.generation} ${selectors.generation} ${volumes.generation} ${namespacesGeneration}`;
  }

  #make(pod: PendingPod): Cycle {
    const { nodes, volumes } = this.#snapshot;
    const { nodeName, nodeSelector, affinity, tolerations, containers = [], initContainers = [] } = pod.pod.spec ?? {};
    const demand = volumes.demand(pod);
    const check = demand?.kind === "asks" ? demand.check : undefined;
    const makeStatic = (): StaticFit => new StaticFit(nodes, pod.pod, check);
    const staticKey = JSON.stringify([nodeName, nodeSelector, affinity?.nodeAffinity, tolerations]);
    const images = [...initContainers, ...containers].map(({ image = "" }) => image);
    return new Cycle(this.#snapshot, pod, demand, {
      staticFit: check ? makeStatic() : this.#part(this.#staticFits, staticKey, makeStatic),
      resources: this.#part(this.#resourceFits, JSON.stringify(pod.requests), () => new ResourceFit(nodes, pod.requests)),
      images: this.#part(this.#imageFits, images.join("\n"), () => new ImageFit(nodes, images)),
    });
  }

  #part<P>(parts: Map<string, P>, key: string, make: () => P): P {
    let part = parts.get(key);
    if (part === undefined) {
      if (parts.size * this.#snapshot.nodes.capacity > keptResults) parts.clear();
      part = make();
      parts.set(key, part);
    }
    return part;
  }
}
