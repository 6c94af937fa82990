import type { Clock } from "../clock.ts";
import type { MakeId } from "../platform/identifiers.ts";
import { everyRecord, putRecord } from "../platform/records.ts";
import type { RecordOperation, StoreOf } from "../store/store.ts";
import type { TenantEvent } from "./event-types.ts";
import { type DeliveryRecord, deliverySort, type EndpointRecord, endpointRecord, webhookKeys, webhookPartitions } from "./records.ts";

/** Where changes leave word of themselves. */
export interface Outbox {
  /**
   * What must be written in the transaction of the change, at its end, so that every endpoint that wants to know will be told, and none of what did not
   * happen. Nothing where nobody wants to know. At most 20 operations an event (two for each of ten endpoints).
   */
  operationsFor(tenant: string, events: readonly TenantEvent[]): Promise<RecordOperation[]>;
  /** The transaction is done: there may be something to send. */
  wake(): void;
}

/** For installations without webhooks. */
export const noOutbox: Outbox = { operationsFor: async () => [], wake: () => {} };

export const mostEndpoints = 10;

export function createOutbox({
  storeOf,
  clock,
  makeId,
  wake,
}: {
  storeOf: StoreOf;
  clock: Clock;
  makeId: MakeId;
  wake: () => void;
}): Outbox {
  return {
    wake,
    async operationsFor(tenant, events) {
      const endpoints: EndpointRecord[] = [];
      for await (const { value } of everyRecord(storeOf(tenant), webhookPartitions.endpoints(tenant)))
        endpoints.push(endpointRecord.parse(value));
      return events.flatMap((event) => {
        const wanting = endpoints.filter((endpoint) => wants(endpoint, event));
        return wanting.length === 0 ? [] : messageTo(wanting, event, makeId("msg"), clock.now());
      });
    },
  };
}

const wants = ({ enabled, events }: EndpointRecord, { type }: TenantEvent): boolean =>
  enabled && (events.includes("*") || events.includes(type));

export function messageTo(
  endpoints: readonly EndpointRecord[],
  { type, data }: TenantEvent,
  message: string,
  nowMs: number,
): RecordOperation[] {
  // Standard Webhooks 1.0, "Payload structure".
  const body = JSON.stringify({ type, timestamp: new Date(nowMs).toISOString(), data });
  const delivery: DeliveryRecord = { message, type, body, state: "pending", attempts: 0, createdAtMs: nowMs, dueMs: nowMs };
  return endpoints.flatMap(({ tenant, id }) => {
    const ref = { tenant, endpoint: id, sort: deliverySort(nowMs, message) };
    return [putRecord(webhookKeys.delivery(ref), 0, delivery), putRecord(webhookKeys.due(nowMs, ref), 0, ref)];
  });
}
