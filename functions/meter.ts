import middy from "@middy/core";
import { closeUsageDays } from "../shared/metering/usage-days.ts";
import { type Dependencies, opener } from "./dependencies.ts";
import { settled } from "./event-function.ts";
import { type FunctionPorts, lambdaPorts } from "./ports.ts";

/** Once an hour: days that are over get their sums. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies: Dependencies) => dependencies, ports);
  return middy<unknown, { closedDays: number }>()
    .use(settled(open, ports))
    .handler(async () => {
      const { store, clock, log } = await open();
      return { closedDays: await closeUsageDays({ store, clock, log, onClosed: async () => [] }) };
    });
}

export const handler = createHandler(lambdaPorts);
