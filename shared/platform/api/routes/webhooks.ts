import { z } from "zod";
import { identifier } from "../../fields.ts";
import { createdWebhook, deliveryResource, webhookCreate, webhookResource, webhookUpdate } from "../../resources.ts";
import { showDelivery, showWebhook } from "../../show.ts";
import { showPage } from "../list.ts";
import { defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const params = z.strictObject({ webhook: identifier });

/** None where the host delivers no webhooks. */
export function webhookRoutes({ webhooks, cursors }: PlatformServices): Route[] {
  if (!webhooks) return [];
  const { endpoints, deliverer } = webhooks;
  return [
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/webhooks",
      operationId: "createWebhook",
      summary: "Makes an endpoint that is told of events, signed as Standard Webhooks has it",
      scope: "webhooks:write",
      body: webhookCreate,
      status: 201,
      response: createdWebhook,
      problems: ["quota-exceeded"],
      async handle({ caller, body }) {
        const { endpoint, secret } = await endpoints.create(caller.tenant, body);
        const { value, version } = endpoint;
        return { body: { ...showWebhook(value), secret }, version, location: `/v1/webhooks/${value.id}` };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/webhooks",
      operationId: "listWebhooks",
      summary: "Lists webhooks, without their secrets",
      scope: "webhooks:read",
      query: pageQuery,
      status: 200,
      response: pageOf(webhookResource),
      async handle({ caller: { tenant }, query }) {
        const read = (part: { from: string | undefined; limit: number }) => endpoints.list(tenant, part);
        return { body: await showPage(cursors, `webhooks ${tenant}`, query, read, (records) => records.map(showWebhook)) };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/webhooks/{webhook}",
      operationId: "getWebhook",
      summary: "Shows a webhook, without its secret",
      scope: "webhooks:read",
      params,
      status: 200,
      response: webhookResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await endpoints.get(caller.tenant, params.webhook);
        return { body: showWebhook(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "patch",
      path: "/v1/webhooks/{webhook}",
      operationId: "updateWebhook",
      summary: "Changes where a webhook goes, what it is told of, or whether it is",
      scope: "webhooks:write",
      params,
      body: webhookUpdate,
      status: 200,
      response: webhookResource,
      problems: ["not-found"],
      conditional: true,
      async handle({ caller, params, body, expected }) {
        const { value, version } = await endpoints.update(caller.tenant, params.webhook, body, expected);
        return { body: showWebhook(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/webhooks/{webhook}",
      operationId: "deleteWebhook",
      summary: "Deletes a webhook; what was not delivered yet is not delivered any more",
      scope: "webhooks:write",
      params,
      status: 204,
      response: z.undefined(),
      problems: ["not-found"],
      conditional: true,
      async handle({ caller, params, expected }) {
        await endpoints.remove(caller.tenant, params.webhook, expected);
        return { body: undefined };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/webhooks/{webhook}/rotate-secret",
      operationId: "rotateWebhookSecret",
      summary: "Makes a new secret; for a day, messages are signed with the old one too",
      scope: "webhooks:write",
      params,
      status: 201,
      response: createdWebhook,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { endpoint, secret } = await endpoints.rotateSecret(caller.tenant, params.webhook);
        return { body: { ...showWebhook(endpoint.value), secret }, version: endpoint.version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/webhooks/{webhook}/test",
      operationId: "testWebhook",
      summary: "Sends the webhook a message of type webhook.test",
      scope: "webhooks:write",
      params,
      status: 202,
      response: webhookResource,
      problems: ["not-found", "conflict"],
      async handle({ caller, params }) {
        const { value, version } = await endpoints.test(caller.tenant, params.webhook);
        deliverer.wake();
        return { body: showWebhook(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/webhooks/{webhook}/deliveries",
      operationId: "listWebhookDeliveries",
      summary: "Lists what was sent to a webhook in the last week, the newest first",
      scope: "webhooks:read",
      params,
      query: pageQuery,
      status: 200,
      response: pageOf(deliveryResource),
      problems: ["not-found"],
      async handle({ caller: { tenant }, params: { webhook }, query }) {
        const read = (part: { from: string | undefined; limit: number }) => endpoints.deliveries(tenant, webhook, part);
        return { body: await showPage(cursors, `deliveries ${tenant} ${webhook}`, query, read, (records) => records.map(showDelivery)) };
      },
    }),
  ];
}
