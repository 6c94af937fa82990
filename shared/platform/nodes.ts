import type { CredentialCheck, JoinOutcome, JoinRefusal, PoolPeer } from "../api/agent/ports.ts";
import type { NodeDescription } from "../api/agent/protocol.ts";
import { generateSecretToken, parseSecretToken } from "../auth/secret-token.ts";
import { isStoreError, type RecordKey, type RecordOperation } from "../store/store.ts";
import type { EventType, TenantEvent } from "../webhooks/event-types.ts";
import type { Outbox } from "../webhooks/outbox.ts";
import type { PlatformContext } from "./context.ts";
import { toTimestamp } from "./fields.ts";
import type { Heartbeats, NodeName } from "./heartbeats.ts";
import { type JoinTokenState, type JoinTokens, stateOf } from "./join-tokens.ts";
import type { PlatformNews } from "./news.ts";
import { decidePodRange, listPoolPeers, type RangeDecision, releasePodRange } from "./pod-ranges.ts";
import { PlatformError } from "./problem.ts";
import type { NodeOperations } from "./provisioner.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  deleteRecord,
  everyRecord,
  getRecord,
  type JoinTokenRecord,
  type NodeRecord,
  nodeRecord,
  type Page,
  poolRecord,
  putRecord,
  queryPage,
  untilUncontended,
  type Versioned,
} from "./records.ts";

type NodeNetworkFacts = Pick<NodeDescription, "runtime"> & Partial<Pick<NodeDescription, "podCidr" | "addresses" | "info">>;

export interface JoiningMachine extends NodeNetworkFacts, Pick<NodeDescription, "name" | "machineId"> {
  /** Its own networks, such as `192.0.2.7/24`. */
  readonly networks?: readonly string[] | undefined;
}

export type RemovedNode = Pick<NodeRecord, "tenant" | "pool" | "name">;

/** The machines of pools: how they come in, prove who they are, and go. */
export interface NodeRegistry {
  /** Takes one use of the token. A name belongs to the machine that has it; the same machine joins again and gets a fresh credential. */
  join(token: string, machine: JoiningMachine): Promise<JoinOutcome>;
  /**
   * Takes in which range a node's pods have and where it is reached, and answers the range it may have: the one it names unless another machine has it,
   * which is the case only for agents that chose their range themselves. undefined: it has none.
   */
  settleNetwork(node: NodeName, description: NodeNetworkFacts): Promise<string | undefined>;
  /** The machines of a pool whose pods have addresses of their own. */
  peers(tenant: string, pool: string): Promise<PoolPeer[]>;
  /** One consistent read. `removed` for a day after the node was deleted. */
  authenticate(credential: string): Promise<CredentialCheck>;
  /** @throws PlatformError `not-found` */
  get(tenant: string, pool: string, name: string): Promise<Versioned<NodeRecord>>;
  list(tenant: string, pool: string, page: { from?: string | undefined; limit: number }): Promise<Page<NodeRecord>>;
  /** Begins to evict its pods; the drainer does the rest. Repeating it changes nothing. @throws PlatformError `not-found` */
  drain(tenant: string, pool: string, name: string): Promise<Versioned<NodeRecord>>;
  /** Takes it back into service. @throws PlatformError `not-found` */
  uncordon(tenant: string, pool: string, name: string): Promise<Versioned<NodeRecord>>;
  /**
   * Its credential is worth nothing from now on; its agent ends its pods when it hears so. Where its Node objects could not be taken out of every cluster at
   * once, the drainer does it later. @throws PlatformError `not-found`
   */
  remove(tenant: string, pool: string, name: string): Promise<void>;
  removeAll(tenant: string, pool: string): Promise<void>;
  /** The drainer's: what is left of a removal is done, and its marker deleted. `joined-anew`: the name is a machine's again, and nothing was done. */
  finishRemoval(node: RemovedNode, marker: RecordKey): Promise<"done" | "joined-anew">;
  /**
   * The node has not spoken since then, for longer than a node may be silent. Told to the tenant once for each silence, however often and by however many
   * clusters it is noted.
   */
  noteSilence(node: NodeName, lastSeenMs: number): Promise<void>;
  /** The drainer's: it finished. */
  markDrained(node: NodeRecord): Promise<void>;
}

const kind = "cn_live";
const refusals: Readonly<Record<Exclude<JoinTokenState, "active">, JoinRefusal>> = {
  expired: "expired",
  revoked: "revoked",
  "used-up": "used-up",
};

export function createNodeRegistry(
  { store, storeOf, clock, randomBytes, log }: PlatformContext,
  {
    joinTokens,
    heartbeats,
    operations,
    news,
    outbox,
  }: { joinTokens: JoinTokens; heartbeats: Heartbeats; operations: NodeOperations; news: PlatformNews; outbox: Outbox },
): NodeRegistry {
  async function get(tenant: string, pool: string, name: string): Promise<Versioned<NodeRecord>> {
    const found = await getRecord(storeOf(tenant), nodeRecord, recordKeys.node(tenant, pool, name));
    if (!found) throw new PlatformError("not-found", `There is no node "${name}" in the pool.`);
    return found;
  }

  const refused = (reason: JoinRefusal): JoinOutcome => ({ kind: "refused", reason });

  function takeUse({ tenant, pool, id, maxUses }: JoinTokenRecord): RecordOperation {
    const atMost = { revoked: 0, ...(maxUses !== undefined && { uses: maxUses - 1 }) };
    return { ...recordKeys.joinToken(tenant, pool, id), kind: "add", add: { uses: 1 }, atMost };
  }

  async function poolIsOpen(tenant: string, pool: string): Promise<boolean> {
    const found = await getRecord(storeOf(tenant), poolRecord, recordKeys.pool(tenant, pool));
    return found !== undefined && !found.value.deleting;
  }

  /** `attempt` says how often another writer was faster: then any free range is better than the next one, which the others want too. */
  const podRangeFor = (
    { tenant, pool, nodeName }: NodeName,
    facts: NodeNetworkFacts & Pick<JoiningMachine, "networks">,
    held: string | undefined,
    attempt: number,
  ): Promise<RangeDecision> =>
    decidePodRange(storeOf(tenant), {
      ...{ tenant, pool, nodeName, held, wished: facts.podCidr },
      machine: facts.info?.machineID ?? "",
      internalIps: (facts.addresses ?? []).filter(({ type }) => type === "InternalIP").map(({ address }) => address),
      networks: facts.networks ?? [],
      choose: (count) => (attempt === 0 ? 0 : randomBytes(4).readUInt32BE(0) % count),
    });

  async function tryJoin(token: string, machine: JoiningMachine, attempt: number): Promise<JoinOutcome> {
    const { name, machineId, runtime } = machine;
    const found = await joinTokens.find(token);
    if (!found) return refused("unknown");
    const state = stateOf(found.value, clock.now());
    if (state !== "active") return refused(refusals[state]);
    const { tenant, pool } = found.value;
    if (!(await poolIsOpen(tenant, pool))) return refused("revoked");
    const former = await getRecord(storeOf(tenant), nodeRecord, recordKeys.node(tenant, pool, name));
    if (former && former.value.machineId !== machineId) return refused("name-taken");
    const credential = generateSecretToken(kind, randomBytes);
    const now = clock.now();
    const held = former?.value.podCidr;
    const range: RangeDecision =
      runtime === "containerd"
        ? await podRangeFor({ tenant, pool, nodeName: name }, machine, held, attempt)
        : { podCidr: undefined, operations: await endOfRange(former?.value) };
    if (runtime === "containerd" && range.podCidr === undefined) log.warn("every pod range of the pool is taken", { pool, node: name });
    const node: NodeRecord = {
      ...{ name, tenant, pool, machineId, runtime, credentialHash: credential.hash, drain: former?.value.drain ?? "none" },
      ...(range.podCidr !== undefined && { podCidr: range.podCidr }),
      joinedAtMs: former?.value.joinedAtMs ?? now,
      updatedAtMs: now,
    };
    const word = former ? [] : await outbox.operationsFor(tenant, [nodeEvent("node.joined", node)]);
    await storeOf(tenant).writeRecords([
      takeUse(found.value),
      putRecord(recordKeys.node(tenant, pool, name), former?.version ?? 0, node),
      putRecord(recordKeys.nodeCredential(credential.hash), 0, { tenant, pool, node: name }),
      ...(former ? [deleteRecord(recordKeys.nodeCredential(former.value.credentialHash))] : []),
      ...range.operations,
      ...word,
    ]);
    outbox.wake();
    if (!(await poolIsOpen(tenant, pool))) {
      await takeOut(node);
      return refused("revoked");
    }
    if (range.operations.length > 0) news.peersChanged(tenant, pool);
    heartbeats.seen({ tenant, pool, nodeName: name }, now);
    const { podCidr } = range;
    return {
      kind: "joined",
      node: { tenant, pool, nodeName: name },
      credential: credential.token,
      ...(podCidr !== undefined && { podCidr }),
    };
  }

  const endOfRange = async (node: NodeRecord | undefined): Promise<RecordOperation[]> =>
    node?.podCidr === undefined ? [] : releasePodRange(storeOf(node.tenant), { ...node, nodeName: node.name }, node.podCidr);

  async function settleNetwork(node: NodeName, facts: NodeNetworkFacts, attempt: number): Promise<string | undefined> {
    const key = recordKeys.node(node.tenant, node.pool, node.nodeName);
    const store = storeOf(node.tenant);
    const found = await getRecord(store, nodeRecord, key);
    if (!found || facts.runtime !== "containerd" || facts.podCidr === undefined) return found?.value.podCidr;
    const { podCidr, operations } = await podRangeFor(node, facts, found.value.podCidr, attempt);
    if (operations.length === 0 && podCidr === found.value.podCidr) return podCidr;
    const { podCidr: _, ...rest } = found.value;
    const next: NodeRecord = { ...rest, ...(podCidr !== undefined && { podCidr }), updatedAtMs: clock.now() };
    await store.writeRecords([putRecord(key, found.version, next), ...operations]);
    news.peersChanged(node.tenant, node.pool);
    return podCidr;
  }

  /** The credential stays for a day as a mark of removal, so that the agent hears that it was taken out, not merely that it is unknown. */
  async function takeOut(node: RemovedNode): Promise<void> {
    const { tenant, pool, name } = node;
    const taken = await untilUncontended(async () => {
      const key = recordKeys.node(tenant, pool, name);
      const found = await getRecord(storeOf(tenant), nodeRecord, key);
      // Another was faster, and left its marker.
      if (!found) return undefined;
      const { credentialHash } = found.value;
      const marker = recordKeys.removingNode(tenant, pool, name, credentialHash);
      const range = await endOfRange(found.value);
      const word = await outbox.operationsFor(tenant, [nodeEvent("node.removed", found.value)]);
      await storeOf(tenant).writeRecords([
        deleteRecord(key, found.version),
        deleteRecord(recordKeys.heartbeat(tenant, pool, name)),
        deleteRecord(recordKeys.drainingNode(tenant, pool, name)),
        putRecord(marker, undefined, { tenant, pool, node: name }),
        // With it, so that processes that know the credential look it up again however this one ends.
        putRecord(recordKeys.poolMark(tenant, pool), undefined, {}),
        putRecord(recordKeys.nodeCredential(credentialHash), undefined, { removedAtMs: clock.now() }),
        putRecord(recordKeys.removedNode(clock.now(), credentialHash), undefined, { hash: credentialHash, removedAtMs: clock.now() }),
        ...range,
        ...word,
      ]);
      outbox.wake();
      return { marker, hadRange: range.length > 0 };
    });
    if (!taken) return;
    if (taken.hadRange) news.peersChanged(tenant, pool);
    news.poolChanged(tenant, pool);
    heartbeats.forget({ tenant, pool, nodeName: name });
    try {
      await finishRemoval(node, taken.marker);
    } catch (error) {
      log.error("node not taken out of its clusters yet", error, { pool, node: name });
    }
  }

  /** A step that a crash interrupts is repeated: the marker goes last. */
  async function finishRemoval({ tenant, pool, name }: RemovedNode, marker: RecordKey): Promise<"done" | "joined-anew"> {
    const key = recordKeys.node(tenant, pool, name);
    if (await getRecord(storeOf(tenant), nodeRecord, key)) return "joined-anew";
    await operations.removed({ tenant, pool, name });
    await storeOf(tenant).writeRecords([
      // What a machine that has joined meanwhile has committed is its own.
      deleteRecord(key, 0),
      // Each Node object that goes takes its share back: only then is nothing committed any more.
      deleteRecord(recordKeys.nodeCommitments(tenant, pool, name)),
      deleteRecord(marker),
    ]);
    return "done";
  }

  async function setDrain(tenant: string, pool: string, name: string, drain: NodeRecord["drain"]): Promise<Versioned<NodeRecord>> {
    return untilUncontended(async () => {
      const { value, version } = await get(tenant, pool, name);
      if (value.drain === drain || (drain === "draining" && value.drain === "drained")) return { value, version };
      const next: NodeRecord = { ...value, drain, updatedAtMs: clock.now() };
      const marker = recordKeys.drainingNode(tenant, pool, name);
      await storeOf(tenant).writeRecords([
        putRecord(recordKeys.node(tenant, pool, name), version, next),
        drain === "draining" ? putRecord(marker, undefined, { tenant, pool, node: name }) : deleteRecord(marker),
      ]);
      return { value: next, version: version + 1 };
    });
  }

  return {
    get,
    join(token, machine) {
      let attempt = 0;
      return untilUncontended(() => tryJoin(token, machine, attempt++));
    },
    settleNetwork(node, description) {
      let attempt = 0;
      return untilUncontended(() => settleNetwork(node, description, attempt++));
    },
    peers: (tenant, pool) => listPoolPeers(storeOf(tenant), tenant, pool),
    async authenticate(credential) {
      const parsed = parseSecretToken(kind, credential);
      const [record] = parsed ? await store.getRecords([recordKeys.nodeCredential(parsed.hash)]) : [];
      const { tenant, pool, node, removedAtMs } = record?.value ?? {};
      if (removedAtMs !== undefined) return { kind: "removed" };
      if (typeof tenant !== "string" || typeof pool !== "string" || typeof node !== "string") return { kind: "unknown" };
      return { kind: "node", node: { tenant, pool, nodeName: node } };
    },
    list: (tenant, pool, page) => queryPage(storeOf(tenant), nodeRecord, partitions.nodes(tenant, pool), page),
    drain: (tenant, pool, name) => setDrain(tenant, pool, name, "draining"),
    async uncordon(tenant, pool, name) {
      const node = await setDrain(tenant, pool, name, "none");
      await operations.uncordon(node.value);
      return node;
    },
    async remove(tenant, pool, name) {
      await takeOut((await get(tenant, pool, name)).value);
    },
    async removeAll(tenant, pool) {
      for await (const { value } of everyRecord(storeOf(tenant), partitions.nodes(tenant, pool))) await takeOut(nodeRecord.parse(value));
    },
    finishRemoval,
    async noteSilence({ tenant, pool, nodeName }, lastSeenMs) {
      await untilUncontended(async () => {
        const key = recordKeys.node(tenant, pool, nodeName);
        const found = await getRecord(storeOf(tenant), nodeRecord, key);
        if (!found || (found.value.silentSinceMs ?? 0) >= lastSeenMs) return;
        const next: NodeRecord = { ...found.value, silentSinceMs: lastSeenMs };
        const word = await outbox.operationsFor(tenant, [nodeEvent("node.notReady", next)]);
        await storeOf(tenant).writeRecords([putRecord(key, found.version, next), ...word]);
      });
      outbox.wake();
    },
    async markDrained({ tenant, pool, name }) {
      await untilUncontended(async () => {
        const found = await getRecord(storeOf(tenant), nodeRecord, recordKeys.node(tenant, pool, name));
        const marker = deleteRecord(recordKeys.drainingNode(tenant, pool, name));
        if (found?.value.drain !== "draining") return void (await store.writeRecords([marker]));
        const next: NodeRecord = { ...found.value, drain: "drained", updatedAtMs: clock.now() };
        await storeOf(tenant).writeRecords([putRecord(recordKeys.node(tenant, pool, name), found.version, next), marker]);
      });
    },
  };
}

const nodeEvent = (type: EventType, { name, pool, machineId, runtime, silentSinceMs }: NodeRecord): TenantEvent => ({
  type,
  data: { name, pool, machineId, runtime, ...(type === "node.notReady" && { lastSeenAt: toTimestamp(silentSinceMs ?? 0) }) },
});

/** Ends the marks of nodes that were removed more than a day ago. */
export async function sweepRemovedNodes({ store, clock }: PlatformContext): Promise<void> {
  const dayMs = 86_400_000;
  for await (const { partition, sort, value } of everyRecord(store, partitions.removedNodes)) {
    if (typeof value.removedAtMs !== "number" || typeof value.hash !== "string") continue;
    if (value.removedAtMs + dayMs > clock.now()) return;
    try {
      await store.writeRecords([deleteRecord(recordKeys.nodeCredential(value.hash)), deleteRecord({ partition, sort })]);
    } catch (error) {
      if (!isStoreError(error, "RevisionConflict")) throw error;
    }
  }
}
