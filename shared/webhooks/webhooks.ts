import type { Clock } from "../clock.ts";
import type { MakeId } from "../platform/identifiers.ts";
import type { Sealer } from "../store/sealer.ts";
import type { Store, StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { createWebhookDeliverer, type WebhookDeliverer } from "./deliverer.ts";
import { createWebhookEndpoints, type WebhookEndpoints } from "./endpoints.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import type { AddressRules, WebhookTransport } from "./transport.ts";

/** What a host brings so that tenants can be told of what happens to them. */
export interface WebhookSettings extends AddressRules {
  /** Endpoints' secrets lie sealed by it. */
  readonly sealer: Sealer;
  readonly transport: WebhookTransport;
  readonly random: () => number;
}

export interface Webhooks {
  readonly endpoints: WebhookEndpoints;
  readonly outbox: Outbox;
  readonly deliverer: WebhookDeliverer;
}

interface WebhookContext {
  readonly store: Store;
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly log: Log;
  readonly makeId: MakeId;
  readonly randomBytes: (count: number) => Buffer;
  readonly version: string;
}

export function createWebhooks(context: WebhookContext, settings: WebhookSettings): Webhooks {
  const deliverer = createWebhookDeliverer({ ...context, ...settings });
  return {
    deliverer,
    outbox: createOutbox({ ...context, wake: deliverer.wake }),
    endpoints: createWebhookEndpoints({ ...context, ...settings }),
  };
}
