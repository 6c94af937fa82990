import middy from "@middy/core";
import { lambdaPorts } from "./aws-ports.ts";
import { settled } from "./event-function.ts";
import type { LambdaContext } from "./lambda.ts";
import { opener } from "./opener.ts";
import type { FunctionPorts } from "./ports.ts";
import { createSchedule } from "./schedule.ts";
import { createTurning } from "./turning.ts";

const marginMs = 8000;

/** The schedule: turns the clusters that are due, and finds what a lost wake-up left. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => {
    const turning = createTurning(dependencies, { tally: true });
    return { ...turning, schedule: createSchedule(turning) };
  }, ports);
  return middy<unknown, void>()
    .use(settled(open, ports))
    .handler(async (_event, context) => {
      const { schedule, dependencies } = await open();
      await schedule.round(dependencies.clock.now() + (context as unknown as LambdaContext).getRemainingTimeInMillis() - marginMs);
    });
}

export const handler = createHandler(lambdaPorts);
