/** What endpoints can be told of. */
export const eventTypes = [
  "cluster.created",
  "cluster.ready",
  "cluster.resized",
  "cluster.deleted",
  "node.joined",
  "node.notReady",
  "node.removed",
  "usage.daily",
  /** Asked for by the endpoint's owner; every endpoint that is enabled is told. */
  "webhook.test",
] as const;
export type EventType = (typeof eventTypes)[number];

/** Something that happened to a tenant. `data` is what the event is about, as the platform API would name it; no secrets. */
export interface TenantEvent {
  readonly type: EventType;
  readonly data: Readonly<Record<string, unknown>>;
}
