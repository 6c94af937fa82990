import type { Clock } from "../clock.ts";
import { forEachBounded } from "../controllers/bounded.ts";
import { deleteRecord, getRecord, putRecord, type Versioned } from "../platform/records.ts";
import { createRounds, type Rounds } from "../platform/rounds.ts";
import type { Sealer } from "../store/sealer.ts";
import { isStoreError, type RecordOperation, type Store, type StoredRecord, type StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { secretContext } from "./endpoints.ts";
import {
  type DeliveryRecord,
  type DeliveryRef,
  deliveryRecord,
  deliveryRef,
  deliverySort,
  dueUntil,
  type EndpointRecord,
  endpointRecord,
  webhookKeys,
  webhookPartitions,
} from "./records.ts";
import { signatureHeaders } from "./signature.ts";
import type { TransportOutcome, WebhookTransport } from "./transport.ts";

/** `later`: another attempt is due, or somebody else is at it. `gone`: it or its endpoint is not there any more, or it has come to its end before. */
export type DeliveryOutcome = "delivered" | "later" | "dead" | "gone";

/** Sends what lies in the outbox: at least once, in no order. A receiver tells repetitions by `webhook-id`. */
export interface WebhookDeliverer extends Rounds {
  /** One attempt, if one is due. For whoever gets references from a queue; giving it the same twice is harmless. */
  deliver(ref: DeliveryRef): Promise<DeliveryOutcome>;
  /** What is due now, the longest due first; a tenant that has much comes behind the others with what is beyond its share. */
  due(limit: number): Promise<DeliveryRef[]>;
  /** Attempts everything that is due. Answers how much failed for reasons of our own. */
  round(): Promise<number>;
}

export interface DelivererOptions {
  /** For the list of what is due, which is every tenant's. */
  readonly store: Store;
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly sealer: Sealer;
  readonly transport: WebhookTransport;
  /** For the User-Agent. */
  readonly version: string;
}

const [second, minute, hour] = [1000, 60_000, 3_600_000];
/** After each failed attempt; when they are used up, after about a day, a delivery is dead. */
const backOffMs = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 8 * hour, 8 * hour] as const;
/** Whoever attempts a delivery has it for so long: longer than an attempt can take. */
const leaseMs = minute;
const keptMs = 7 * 24 * hour;
const atOnce = 16;
const batch = 64;
/** When so many deliveries of a tenant have failed for reasons of our own, its others wait for the next round: they would only hold up other tenants'. */
const failuresOfTenant = 16;
/** Of what is picked for the queue no tenant has more than this while others wait, and for that so many pages are looked through. */
const shareOfTenant = 1 / 8;
const pagesOfPick = 8;

export function createWebhookDeliverer(options: DelivererOptions): WebhookDeliverer {
  const { store, storeOf, clock, log, random, sealer, transport } = options;

  /** Writes on condition that nobody else has; whether it did. */
  async function writeIfCurrent(tenant: string, operations: readonly RecordOperation[]): Promise<boolean> {
    try {
      await storeOf(tenant).writeRecords(operations);
      return true;
    } catch (error) {
      if (isStoreError(error, "RevisionConflict")) return false;
      throw error;
    }
  }

  /** The delivery becomes `next`, with its place in the list of what is due. */
  function move(ref: DeliveryRef, { value, version }: Versioned<DeliveryRecord>, next: DeliveryRecord): RecordOperation[] {
    const operations = [putRecord(webhookKeys.delivery(ref), version, next)];
    const [before, after] = [webhookKeys.due(value.dueMs, ref), webhookKeys.due(next.dueMs, ref)];
    if (next.state === "pending" && before.sort === after.sort) return operations;
    operations.push(deleteRecord(before));
    if (next.state === "pending") operations.push(putRecord(after, undefined, ref));
    return operations;
  }

  function secretsOf({ tenant, id, secrets }: EndpointRecord): string[] {
    const good = secrets.filter(({ untilMs }) => untilMs === undefined || untilMs > clock.now());
    return good.map(({ sealed }) => sealer.open(Buffer.from(sealed, "base64"), secretContext(tenant, id)).toString());
  }

  function afterAttempt(delivery: DeliveryRecord, outcome: TransportOutcome): DeliveryRecord {
    const nowMs = clock.now();
    const lastOutcome = outcome.kind === "answered" ? `answered ${outcome.status}` : outcome.message;
    const next = { ...delivery, lastAttemptMs: nowMs, lastOutcome };
    if (outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300) return { ...next, state: "delivered" };
    const delayMs = backOffMs[delivery.attempts - 1];
    if (delayMs === undefined || isGone(outcome)) return { ...next, state: "dead" };
    return { ...next, dueMs: nowMs + Math.round(delayMs * (0.9 + 0.2 * random())) };
  }

  /** Standard Webhooks 1.0, "Delivery": whoever answers 410 wants no more messages. */
  async function disable(tenant: string, id: string): Promise<void> {
    const found = await getRecord(storeOf(tenant), endpointRecord, webhookKeys.endpoint(tenant, id));
    if (!found) return;
    const next = { ...found.value, enabled: false, updatedAtMs: clock.now() };
    await writeIfCurrent(tenant, [putRecord(webhookKeys.endpoint(tenant, id), found.version, next)]);
  }

  async function forgetOld({ tenant, endpoint }: DeliveryRef): Promise<void> {
    const partition = webhookPartitions.deliveries(tenant, endpoint);
    const its = storeOf(tenant);
    const old = await its.queryRecords(partition, { from: deliverySort(clock.now() - keptMs, ""), limit: batch / 2 });
    if (old.length > 0) await its.writeRecords(old.map(({ sort }) => deleteRecord({ partition, sort })));
  }

  async function deliver(ref: DeliveryRef): Promise<DeliveryOutcome> {
    const its = storeOf(ref.tenant);
    const found = await getRecord(its, deliveryRecord, webhookKeys.delivery(ref));
    if (found?.value.state !== "pending") return "gone";
    if (found.value.dueMs > clock.now()) return "later";
    const endpoint = await getRecord(its, endpointRecord, webhookKeys.endpoint(ref.tenant, ref.endpoint));
    if (!endpoint) {
      await its.writeRecords([deleteRecord(webhookKeys.delivery(ref)), deleteRecord(webhookKeys.due(found.value.dueMs, ref))]);
      return "gone";
    }
    const { value } = found;
    if (!endpoint.value.enabled) {
      await writeIfCurrent(ref.tenant, move(ref, found, { ...value, state: "dead", lastOutcome: "the webhook is disabled" }));
      return "dead";
    }
    const claimed: DeliveryRecord = { ...value, attempts: value.attempts + 1, dueMs: clock.now() + leaseMs };
    if (!(await writeIfCurrent(ref.tenant, move(ref, found, claimed)))) return "later";
    const message = { id: value.message, timestampSeconds: Math.floor(clock.now() / 1000), body: value.body };
    const headers = {
      ...signatureHeaders(message, secretsOf(endpoint.value)),
      "content-type": "application/json",
      "user-agent": `coracle/${options.version}`,
    };
    const outcome = await transport.post(endpoint.value.url, headers, value.body);
    const next = afterAttempt(claimed, outcome);
    if (isGone(outcome)) await disable(ref.tenant, ref.endpoint);
    // Somebody else may have taken it over after the lease: then their outcome counts.
    await writeIfCurrent(ref.tenant, move(ref, { value: claimed, version: found.version + 1 }, next));
    if (next.state === "pending") return "later";
    await forgetOld(ref);
    return next.state;
  }

  const marksOfDue = (limit: number, from?: string): Promise<StoredRecord[]> =>
    store.queryRecords(webhookPartitions.due, { to: dueUntil(clock.now()), limit, ...(from !== undefined && { from }) });

  async function round(): Promise<number> {
    const failed = new Map<string, number>();
    const attempt = async (mark: StoredRecord): Promise<void> => {
      const [, tenant = "", webhook] = mark.sort.split("/");
      if ((failed.get(tenant) ?? 0) >= failuresOfTenant) return;
      try {
        // What its endpoint took along when it was deleted has left its mark.
        if ((await deliver(deliveryRef.parse(mark.value))) === "gone") await store.writeRecords([deleteRecord(mark)]);
      } catch (error) {
        failed.set(tenant, (failed.get(tenant) ?? 0) + 1);
        log.error("a webhook was not delivered", error, { tenant, webhook });
      }
    };
    for (let from: string | undefined; ; ) {
      const waiting = await marksOfDue(batch, from);
      await forEachBounded(waiting, atOnce, attempt);
      const last = waiting.at(-1);
      if (!last || waiting.length < batch) break;
      from = `${last.sort}\u0000`;
    }
    return [...failed.values()].reduce((sum, count) => sum + count, 0);
  }

  async function due(limit: number): Promise<DeliveryRef[]> {
    const counts = new Map<string, number>();
    const [within, beyond]: [DeliveryRef[], DeliveryRef[]] = [[], []];
    let from: string | undefined;
    for (let page = 0; page < pagesOfPick && within.length < limit; page++) {
      const marks = await marksOfDue(limit, from);
      for (const { value } of marks) {
        const ref = deliveryRef.safeParse(value).data;
        if (!ref) continue;
        const count = (counts.get(ref.tenant) ?? 0) + 1;
        counts.set(ref.tenant, count);
        (count <= limit * shareOfTenant ? within : beyond).push(ref);
      }
      const last = marks.at(-1);
      if (!last || marks.length < limit) break;
      from = `${last.sort}\u0000`;
    }
    return [...within, ...beyond].slice(0, limit);
  }

  return { ...createRounds({ clock, log, name: "webhook-deliverer", round, retryMs: 5000, restMs: 5000 }), deliver, due, round };
}

const isGone = (outcome: TransportOutcome): boolean => outcome.kind === "answered" && outcome.status === 410;
