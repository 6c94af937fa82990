import type { KubernetesObject } from "../kubernetes/object.ts";
import type { Node, Pod, PodDisruptionBudget } from "../kubernetes/types.ts";
import { CycleCache } from "./cycle.ts";
import { DefaultSelectors, isSelecting } from "./default-selectors.ts";
import { HeldTerms } from "./held-terms.ts";
import { NodeTable } from "./node-table.ts";
import { PodGroups } from "./pod-groups.ts";
import { type HostPort, isFinished, type PendingPod, type PodInfo, readPod, uidOf } from "./pod-info.ts";
import { Topology } from "./tally.ts";
import { type Attachment, VolumeLimits } from "./volume-limits.ts";
import { VolumeCatalog } from "./volumes.ts";

interface PlacedPod {
  readonly info: PodInfo;
  readonly slot: number;
  /** Placed by a plan, not yet seen bound. */
  readonly isAssumed: boolean;
}

const noPods: ReadonlyMap<string, PodInfo> = new Map();

/**
 * What decisions are made from: the nodes, the pods on them and whatever else a filter asks, with everything that can be summed up summed
 * up as it changes. It takes objects in any order and any number of times, and is the same whichever way it came to be.
 */
export class ClusterSnapshot {
  readonly nodes = new NodeTable();
  readonly groups: PodGroups;
  readonly held = new HeldTerms();
  readonly selectors = new DefaultSelectors();
  readonly volumes = new VolumeCatalog();
  /** What was worked out for pods of each shape. */
  readonly cycles = new CycleCache(this);
  /** Changes with the labels of namespaces. */
  namespacesGeneration = 1;
  readonly #pods = new Map<string, PlacedPod>();
  /** By slot. */
  readonly #podsOn: (Map<string, PodInfo> | undefined)[] = [];
  readonly #hostPorts: (Map<string, number> | undefined)[] = [];
  readonly #claimUsers = new Map<string, number>();
  readonly #nominated = new Map<string, { readonly info: PodInfo; readonly nodeName: string }>();
  readonly #nominatedTo = new Map<string, Map<string, PodInfo>>();
  readonly #namespaceLabels = new Map<string, Readonly<Record<string, string>>>();
  /** Pods on nodes by priority. */
  readonly #priorities = new Map<number, number>();
  readonly #budgets = new Map<string, PodDisruptionBudget>();
  readonly #volumeLimits = new VolumeLimits();
  readonly #topologies = new Map<string, Topology>();

  constructor() {
    this.groups = new PodGroups((namespace) => this.namespaceLabels(namespace));
  }

  applyNode(node: Node): void {
    this.nodes.set(node);
  }

  removeNode(name: string): void {
    this.nodes.remove(name);
  }

  /**
   * Takes over the pod's state. A pod on a node counts there until it has finished; a pending one counts only through its nomination. A
   * pod that a plan has placed keeps that place while it is still seen pending: `forget` takes it back.
   */
  applyPod(pod: Pod): void {
    const uid = uidOf(pod);
    const placed = this.#pods.get(uid);
    if ((pod.spec?.nodeName ?? "") === "") {
      if (placed?.isAssumed) return;
      if (placed) this.#take(placed);
      this.#followNomination(pod, uid);
      return;
    }
    const info = readPod(pod);
    this.nominate(info, "");
    if (isFinished(pod)) {
      if (placed) this.#take(placed);
      return;
    }
    if (placed && this.nodes.name(placed.slot) === info.nodeName && countsAlike(placed.info, info)) {
      this.#pods.set(info.uid, { info, slot: placed.slot, isAssumed: false });
      this.#podsOn[placed.slot]?.set(info.uid, info);
      return;
    }
    if (placed) this.#take(placed);
    this.#place(info, info.nodeName, false);
  }

  removePod(uid: string): void {
    const placed = this.#pods.get(uid);
    if (placed) this.#take(placed);
    const nominated = this.#nominated.get(uid);
    if (nominated) this.nominate(nominated.info, "");
  }

  /** Namespaces, services, workloads, claims, volumes, classes, CSI nodes and disruption budgets; other kinds are passed over. */
  applyObject(object: KubernetesObject): void {
    if (isSelecting(object)) this.selectors.set(object);
    else if (object.kind === "Namespace") this.#setNamespace(object.metadata.name ?? "", object.metadata.labels ?? {});
    else if (object.kind === "PodDisruptionBudget") this.#budgets.set(keyOf(object), object as PodDisruptionBudget);
    else if (!this.#volumeLimits.set(object)) this.volumes.set(object);
  }

  removeObject(object: KubernetesObject): void {
    if (isSelecting(object)) this.selectors.remove(object);
    else if (object.kind === "Namespace") this.#setNamespace(object.metadata.name ?? "", undefined);
    else if (object.kind === "PodDisruptionBudget") this.#budgets.delete(keyOf(object));
    else if (!this.#volumeLimits.remove(object)) this.volumes.remove(object);
  }

  /** Places a pending pod, so that the next one finds the room taken. */
  assume(pod: PendingPod, nodeName: string): void {
    this.nominate(pod, "");
    const placed = this.#pods.get(pod.uid);
    if (placed) this.#take(placed);
    this.#place(pod, nodeName, true);
  }

  /** Takes an assumed placement back; one that was seen bound stays. */
  forget(uid: string): void {
    const placed = this.#pods.get(uid);
    if (placed?.isAssumed) this.#take(placed);
  }

  isAssumed(uid: string): boolean {
    return this.#pods.get(uid)?.isAssumed ?? false;
  }

  /** Notes that the pod waits for room on this node; an empty name takes the note back. */
  nominate(info: PodInfo, nodeName: string): void {
    const before = this.#nominated.get(info.uid);
    if (before === undefined && nodeName === "") return;
    if (before) {
      this.#nominated.delete(info.uid);
      const others = this.#nominatedTo.get(before.nodeName);
      others?.delete(info.uid);
      if (others?.size === 0) this.#nominatedTo.delete(before.nodeName);
      this.held.reserve(before.info, -1);
    }
    if (nodeName === "") return;
    this.#nominated.set(info.uid, { info, nodeName });
    const together = this.#nominatedTo.get(nodeName) ?? new Map<string, PodInfo>();
    this.#nominatedTo.set(nodeName, together.set(info.uid, info));
    this.held.reserve(info, 1);
  }

  get hasNominations(): boolean {
    return this.#nominated.size > 0;
  }

  nominatedTo(slot: number): ReadonlyMap<string, PodInfo> {
    return this.#nominatedTo.size === 0 ? noPods : (this.#nominatedTo.get(this.nodes.name(slot)) ?? noPods);
  }

  nominationOf(uid: string): string {
    return this.#nominated.get(uid)?.nodeName ?? "";
  }

  podsOn(slot: number): ReadonlyMap<string, PodInfo> {
    return this.#podsOn[slot] ?? noPods;
  }

  budgets(): Iterable<PodDisruptionBudget> {
    return this.#budgets.values();
  }

  /** Whether any pod on a node has a lower priority. */
  hasLesserPods(priority: number): boolean {
    for (const other of this.#priorities.keys()) if (other < priority) return true;
    return false;
  }

  /** Whether the node's CSI drivers cannot take the pod's volumes beside those that its pods have. */
  exceedsVolumeLimits(pod: PodInfo, slot: number): boolean {
    const wanted = this.#attachmentsOf(pod);
    return this.#volumeLimits.areExceeded(this.nodes.name(slot), wanted, () =>
      [...this.podsOn(slot).values()].flatMap((other) => this.#attachmentsOf(other)),
    );
  }

  isClaimUsed(claim: string): boolean {
    return this.#claimUsers.has(claim);
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> {
    return this.#namespaceLabels.get(namespace) ?? {};
  }

  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    if (topology === undefined) {
      topology = new Topology(key, this.nodes);
      this.#topologies.set(key, topology);
    }
    return topology;
  }

  /** Whether all of the ports are free: `0.0.0.0` meets every address (framework.HostPortInfo). */
  areFree(ports: readonly HostPort[], slot: number): boolean {
    const used = this.#hostPorts[slot];
    if (used === undefined || used.size === 0) return true;
    return ports.every(({ ip, protocol, port }) => {
      if (used.has(portKey(protocol, port, "0.0.0.0")) || used.has(portKey(protocol, port, ip))) return false;
      return ip !== "0.0.0.0" || !used.has(portKey(protocol, port, "*"));
    });
  }

  /** Puts a pod on a slot for a trial (1), or takes it away again (-1). Whoever does so undoes it. */
  change(info: PodInfo, slot: number, sign: 1 | -1): void {
    this.nodes.change(slot, info.requests, sign);
    this.#count(info, slot, sign);
  }

  /** A nomination that a plan has made stands until the pod has told it and takes it back. */
  #followNomination(pod: Pod, uid: string): void {
    const told = pod.status?.nominatedNodeName ?? "";
    const known = this.#nominated.get(uid);
    if (told === "" && (known === undefined || known.info.nominatedNodeName === "")) return;
    this.nominate(readPod(pod), told);
  }

  #attachmentsOf({ claims }: PodInfo): Attachment[] {
    return claims.map((claim) => this.volumes.attachment(claim)).filter((attachment) => attachment !== undefined);
  }

  #place(info: PodInfo, nodeName: string, isAssumed: boolean): void {
    const slot = this.nodes.addPod(nodeName, info.requests);
    addTo(this.#priorities, info.priority, 1);
    this.#count(info, slot, 1);
    this.#pods.set(info.uid, { info, slot, isAssumed });
  }

  #take({ info, slot }: PlacedPod): void {
    this.#pods.delete(info.uid);
    addTo(this.#priorities, info.priority, -1);
    this.#count(info, slot, -1);
    this.nodes.removePod(slot, info.requests);
  }

  #count(info: PodInfo, slot: number, sign: 1 | -1): void {
    const here = this.#podsOn[slot] ?? new Map<string, PodInfo>();
    if (sign > 0) here.set(info.uid, info);
    else here.delete(info.uid);
    this.#podsOn[slot] = here.size === 0 ? undefined : here;
    for (const { ip, protocol, port } of info.hostPorts) {
      const used = this.#hostPorts[slot] ?? new Map<string, number>();
      this.#hostPorts[slot] = used;
      addTo(used, portKey(protocol, port, ip), sign);
      addTo(used, portKey(protocol, port, "*"), sign);
    }
    for (const claim of info.claims) addTo(this.#claimUsers, claim, sign);
    this.groups.change(info, slot, sign);
    this.held.change(info, slot, sign);
  }

  #setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (JSON.stringify(this.#namespaceLabels.get(name)) === JSON.stringify(labels)) return;
    if (labels === undefined) this.#namespaceLabels.delete(name);
    else this.#namespaceLabels.set(name, labels);
    this.namespacesGeneration++;
    this.groups.forgetNamespaceSelectors();
  }
}

export function createSnapshot(): ClusterSnapshot {
  return new ClusterSnapshot();
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
}

function portKey(protocol: string, port: number, ip: string): string {
  return `${protocol} ${port} ${ip}`;
}

function addTo<K>(counts: Map<K, number>, key: K, delta: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + delta;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** Whether two states of a pod on one node weigh the same, so that nothing has to be summed up anew. */
function countsAlike(a: PodInfo, b: PodInfo): boolean {
  return a.groupKey === b.groupKey && JSON.stringify(a.requests) === JSON.stringify(b.requests);
}
