import middy from "@middy/core";
import { z } from "zod";
import { createWebhookDeliverer } from "../shared/webhooks/deliverer.ts";
import { deliveryRef } from "../shared/webhooks/records.ts";
import { lambdaPorts } from "./aws-ports.ts";
import { parsed, settled } from "./event-function.ts";
import { opener } from "./opener.ts";
import type { FunctionPorts } from "./ports.ts";

const sqsEvent = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });

/** SQS: sends webhooks. One that fails for reasons of ours is given back to the queue; one that its receiver refuses has its next attempt by the schedule. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => {
    const deliverer = createWebhookDeliverer({ ...dependencies, ...dependencies.webhooks });
    return { deliverer, log: dependencies.log, settle: dependencies.settle };
  }, ports);
  return middy<unknown, { batchItemFailures: { itemIdentifier: string }[] }>()
    .use(parsed(sqsEvent))
    .use(settled(open, ports))
    .handler(async (event) => {
      const { Records } = event as z.infer<typeof sqsEvent>;
      const { deliverer, log } = await open();
      const failed = await Promise.all(
        Records.map(async ({ messageId, body }) => {
          try {
            await deliverer.deliver(deliveryRef.parse(JSON.parse(body)));
            return [];
          } catch (error) {
            log.error("a webhook was not delivered", error, { messageId });
            return [{ itemIdentifier: messageId }];
          }
        }),
      );
      return { batchItemFailures: failed.flat() };
    });
}

export const handler = createHandler(lambdaPorts);
