import middy from "@middy/core";
import { closeUsageDays } from "../shared/metering/usage-days.ts";
import { createIdentifiers } from "../shared/platform/identifiers.ts";
import { createOutbox } from "../shared/webhooks/outbox.ts";
import { lambdaPorts } from "./aws-ports.ts";
import { settled } from "./event-function.ts";
import { opener } from "./opener.ts";
import type { FunctionPorts } from "./ports.ts";

/** Once an hour: days that are over get their sums, and who wants to know is told. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => {
    const { store, storeOf, clock, log, randomBytes, settle } = dependencies;
    // What is written for webhooks is found by the stream.
    const outbox = createOutbox({ storeOf, clock, makeId: createIdentifiers(clock.now, randomBytes), wake: () => {} });
    return { store, storeOf, clock, log, settle, outbox };
  }, ports);
  return middy<unknown, { closedDays: number }>()
    .use(settled(open, ports))
    .handler(async () => {
      const { store, storeOf, clock, log, outbox } = await open();
      const closedDays = await closeUsageDays({
        ...{ store, storeOf, clock, log },
        onClosed: (tenant, day, total) => outbox.operationsFor(tenant, [{ type: "usage.daily", data: { day, ...total } }]),
      });
      return { closedDays };
    });
}

export const handler = createHandler(lambdaPorts);
