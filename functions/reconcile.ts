import middy from "@middy/core";
import { dropAgenda, dueAgenda } from "../shared/host/agenda.ts";
import { opener } from "./dependencies.ts";
import { settled } from "./event-function.ts";
import type { LambdaContext } from "./lambda.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import { type FunctionPorts, lambdaPorts } from "./ports.ts";
import { createSweep } from "./sweep.ts";
import { turnMany } from "./turn-many.ts";
import { createTurning } from "./turning.ts";

const marginMs = 8000;

/** The schedule: turns the clusters that are due, and finds what a lost wake-up left. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => {
    const turning = createTurning(dependencies, { tally: true });
    return { ...turning, sweep: createSweep(turning) };
  }, ports);
  return middy<unknown, void>()
    .use(settled(open, ports))
    .handler(async (_event, context) => {
      const turning = await open();
      const { clock, store } = turning.dependencies;
      const untilMs = clock.now() + (context as unknown as LambdaContext).getRemainingTimeInMillis() - marginMs;
      const work = Promise.all([finishPlatformWork(turning, untilMs), sendWebhooks(turning)]);
      const due = await dueAgenda(store, clock.now());
      const left = await turning.sweep.stale();
      const wanted = [...due, ...left].map((item) => ({ ...item, revision: 0 }));
      for (const { key, outcome } of await turnMany(turning, wanted, untilMs))
        if (key && outcome !== "lost") await store.writeRecords([dropAgenda(key)]);
      await work;
      await turning.sweep.housekeeping();
    });
}

export const handler = createHandler(lambdaPorts);
