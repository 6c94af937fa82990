import { z } from "zod";
import type { RecordKey } from "../store/store.ts";
import { eventTypes } from "./event-types.ts";

export const endpointRecord = z.object({
  id: z.string(),
  tenant: z.string(),
  url: z.string(),
  description: z.string(),
  /** `*`: all there are and will be. */
  events: z.array(z.string()),
  enabled: z.boolean(),
  /** Sealed, the newest first; those that were replaced are good until their time. */
  secrets: z.array(z.object({ sealed: z.string(), untilMs: z.number().optional() })),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
});
export type EndpointRecord = z.infer<typeof endpointRecord>;

export const deliveryStates = ["pending", "delivered", "dead"] as const;

/** One message to one endpoint: what is to be sent, and what became of it. */
export const deliveryRecord = z.object({
  /** The `webhook-id`: the same for every attempt, and for every endpoint that the event is sent to. */
  message: z.string(),
  type: z.enum(eventTypes),
  body: z.string(),
  state: z.enum(deliveryStates),
  attempts: z.number(),
  createdAtMs: z.number(),
  /** When the next attempt is due, while it is pending. */
  dueMs: z.number(),
  lastAttemptMs: z.number().optional(),
  lastOutcome: z.string().optional(),
});
export type DeliveryRecord = z.infer<typeof deliveryRecord>;

/** Names a delivery: what a queue carries. */
export const deliveryRef = z.object({ tenant: z.string(), endpoint: z.string(), sort: z.string() });
export type DeliveryRef = z.infer<typeof deliveryRef>;

export const webhookPartitions = {
  endpoints: (tenant: string): string => `${tenant}#webhooks`,
  /** The newest first. */
  deliveries: (tenant: string, endpoint: string): string => `${tenant}#deliveries#${endpoint}`,
  /** What is to be sent, of all tenants; sort: `{due}/{tenant}/{endpoint}/{sort of the delivery}`. Its value is the reference. */
  due: "platform#webhooks-due",
} as const;

const latestMs = 9_999_999_999_999;
const digits = (ms: number): string => String(ms).padStart(13, "0");

/** Sorts what is newer before what is older. */
export const deliverySort = (createdAtMs: number, message: string): string => `${digits(latestMs - createdAtMs)}/${message}`;

export const webhookKeys = {
  endpoint: (tenant: string, id: string): RecordKey => ({ partition: webhookPartitions.endpoints(tenant), sort: id }),
  delivery: ({ tenant, endpoint, sort }: DeliveryRef): RecordKey => ({ partition: webhookPartitions.deliveries(tenant, endpoint), sort }),
  due: (dueMs: number, { tenant, endpoint, sort }: DeliveryRef): RecordKey => ({
    partition: webhookPartitions.due,
    sort: `${digits(dueMs)}/${tenant}/${endpoint}/${sort}`,
  }),
} as const;

/** Everything due at this moment lies before it. */
export const dueUntil = (atMs: number): string => digits(atMs + 1);
