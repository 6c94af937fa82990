import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import type { MakeId } from "../platform/identifiers.ts";
import { PlatformError } from "../platform/problem.ts";
import {
  deleteRecord,
  emptyPartition,
  getRecord,
  type Page,
  putRecord,
  queryPage,
  untilUncontended,
  type Versioned,
} from "../platform/records.ts";
import { checkVersion, type ExpectedVersion } from "../platform/version.ts";
import type { Sealer } from "../store/sealer.ts";
import type { StoreOf } from "../store/store.ts";
import { isPublicAddress } from "./addresses.ts";
import { messageTo, mostEndpoints } from "./outbox.ts";
import { type DeliveryRecord, deliveryRecord, type EndpointRecord, endpointRecord, webhookKeys, webhookPartitions } from "./records.ts";
import { makeSecret } from "./signature.ts";
import type { AddressRules } from "./transport.ts";

export interface NewEndpoint {
  readonly url: string;
  readonly events: readonly string[];
  readonly description: string;
}

export interface EndpointPatch extends Partial<NewEndpoint> {
  readonly enabled?: boolean | undefined;
}

/** Where a tenant wants to be told of what happens to it. */
export interface WebhookEndpoints {
  /** `secret` is shown here and never again. @throws PlatformError `invalid` (the URL), `quota-exceeded` */
  create(tenant: string, endpoint: NewEndpoint): Promise<{ readonly endpoint: Versioned<EndpointRecord>; readonly secret: string }>;
  /** @throws PlatformError `not-found` */
  get(tenant: string, id: string): Promise<Versioned<EndpointRecord>>;
  list(tenant: string, page: { from?: string | undefined; limit: number }): Promise<Page<EndpointRecord>>;
  /** @throws PlatformError `not-found`, `invalid`, `precondition-failed` */
  update(tenant: string, id: string, patch: EndpointPatch, expected?: ExpectedVersion): Promise<Versioned<EndpointRecord>>;
  /** A new secret; messages are signed with both for a day. @throws PlatformError `not-found` */
  rotateSecret(tenant: string, id: string): Promise<{ readonly endpoint: Versioned<EndpointRecord>; readonly secret: string }>;
  /** What was not delivered yet is not delivered any more. @throws PlatformError `not-found` */
  remove(tenant: string, id: string, expected?: ExpectedVersion): Promise<void>;
  /** The newest first; they are kept for a week. @throws PlatformError `not-found` */
  deliveries(tenant: string, id: string, page: { from?: string | undefined; limit: number }): Promise<Page<DeliveryRecord>>;
  /** Sends a `webhook.test` to this endpoint alone. @throws PlatformError `not-found`, `conflict` (it is disabled) */
  test(tenant: string, id: string): Promise<Versioned<EndpointRecord>>;
}

export interface EndpointsOptions extends AddressRules {
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly randomBytes: (count: number) => Buffer;
  readonly sealer: Sealer;
}

const oldSecretMs = 86_400_000;
const mostSecrets = 3;
export const secretContext = (tenant: string, endpoint: string): string => `webhook ${tenant}/${endpoint}`;

export function createWebhookEndpoints(options: EndpointsOptions): WebhookEndpoints {
  const { storeOf, clock, makeId, randomBytes, sealer } = options;

  async function get(tenant: string, id: string): Promise<Versioned<EndpointRecord>> {
    const found = await getRecord(storeOf(tenant), endpointRecord, webhookKeys.endpoint(tenant, id));
    if (!found) throw new PlatformError("not-found", `There is no webhook "${id}".`);
    return found;
  }
  const newSecret = (tenant: string, id: string) => {
    const secret = makeSecret(randomBytes);
    return { secret, sealed: sealer.seal(Buffer.from(secret), secretContext(tenant, id)).toString("base64") };
  };
  const change = (
    tenant: string,
    id: string,
    decide: (endpoint: EndpointRecord) => EndpointRecord,
    expected?: ExpectedVersion,
  ): Promise<Versioned<EndpointRecord>> =>
    untilUncontended(async () => {
      const { value, version } = await get(tenant, id);
      checkVersion(version, expected);
      const next = { ...decide(value), updatedAtMs: clock.now() };
      await storeOf(tenant).writeRecords([putRecord(webhookKeys.endpoint(tenant, id), version, next)]);
      return { value: next, version: version + 1 };
    });

  return {
    get,
    async create(tenant, { url, events, description }) {
      checkUrl(url, options);
      const others = await storeOf(tenant).queryRecords(webhookPartitions.endpoints(tenant), { limit: mostEndpoints });
      if (others.length >= mostEndpoints) throw new PlatformError("quota-exceeded", `A tenant may have ${mostEndpoints} webhooks.`);
      const id = makeId("wh");
      const { secret, sealed } = newSecret(tenant, id);
      const now = clock.now();
      const times = { createdAtMs: now, updatedAtMs: now };
      const value: EndpointRecord = { id, tenant, url, description, events: [...events], enabled: true, secrets: [{ sealed }], ...times };
      await storeOf(tenant).writeRecords([putRecord(webhookKeys.endpoint(tenant, id), 0, value)]);
      return { endpoint: { value, version: 1 }, secret };
    },
    list: (tenant, page) => queryPage(storeOf(tenant), endpointRecord, webhookPartitions.endpoints(tenant), page),
    async update(tenant, id, patch, expected) {
      if (patch.url !== undefined) checkUrl(patch.url, options);
      return change(
        tenant,
        id,
        ({ url, events, description, enabled, ...rest }) => ({
          ...rest,
          url: patch.url ?? url,
          events: [...(patch.events ?? events)],
          description: patch.description ?? description,
          enabled: patch.enabled ?? enabled,
        }),
        expected,
      );
    },
    async rotateSecret(tenant, id) {
      const { secret, sealed } = newSecret(tenant, id);
      const endpoint = await change(tenant, id, (value) => {
        const untilMs = clock.now() + oldSecretMs;
        const old = value.secrets.filter((each) => each.untilMs === undefined || each.untilMs > clock.now());
        return { ...value, secrets: [{ sealed }, ...old.map((each) => ({ untilMs, ...each }))].slice(0, mostSecrets) };
      });
      return { endpoint, secret };
    },
    async remove(tenant, id, expected) {
      const { version } = await get(tenant, id);
      checkVersion(version, expected);
      await untilUncontended(async () => {
        await storeOf(tenant).writeRecords([deleteRecord(webhookKeys.endpoint(tenant, id))]);
      });
      await emptyPartition(storeOf(tenant), webhookPartitions.deliveries(tenant, id));
    },
    async deliveries(tenant, id, page) {
      await get(tenant, id);
      return queryPage(storeOf(tenant), deliveryRecord, webhookPartitions.deliveries(tenant, id), page);
    },
    async test(tenant, id) {
      const endpoint = await get(tenant, id);
      if (!endpoint.value.enabled) throw new PlatformError("conflict", "The webhook is disabled.");
      const event = { type: "webhook.test", data: { webhook: id } } as const;
      await storeOf(tenant).writeRecords(messageTo([endpoint.value], event, makeId("msg"), clock.now()));
      return endpoint;
    },
  };
}

/** @throws PlatformError `invalid` */
function checkUrl(text: string, rules: AddressRules): void {
  const detail = problemOf(URL.parse(text), rules);
  if (detail !== undefined) throw new PlatformError("invalid", `#/url: ${detail}`, { errors: [{ pointer: "#/url", detail }] });
}

/** What can be told of a URL before its name is resolved. */
function problemOf(url: URL | null, { allowPrivate }: AddressRules): string | undefined {
  if (!url || (url.protocol !== "https:" && !(allowPrivate && url.protocol === "http:"))) return "must be an https URL";
  if (url.username !== "" || url.password !== "") return "must hold no user or password";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isPublic = isIP(host) === 0 ? !/(^|\.)localhost\.?$/.test(host) : isPublicAddress(host);
  return allowPrivate || isPublic ? undefined : "must lead to the public internet";
}
