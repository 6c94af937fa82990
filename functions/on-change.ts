import middy from "@middy/core";
import { turnMany } from "../shared/host/turn-many.ts";
import { lambdaPorts } from "./aws-ports.ts";
import { parsed, settled } from "./event-function.ts";
import type { LambdaContext } from "./lambda.ts";
import { opener } from "./opener.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import type { FunctionPorts } from "./ports.ts";
import { changesOf, streamEvent } from "./stream-records.ts";
import { createTurning } from "./turning.ts";

/** Kept of the function's time to leave things in order. */
const marginMs = 8000;

/** DynamoDB Streams: turns the clusters that changed. Only what could be neither turned nor noted is asked for again. */
export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => createTurning(dependencies, { tally: false }), ports);
  return middy<unknown, { batchItemFailures: { itemIdentifier: string }[] }>()
    .use(parsed(streamEvent))
    .use(settled(open, ports))
    .handler(async (event, context) => {
      const { Records } = event as { Records: unknown[] };
      const turning = await open();
      const { clock, log } = turning.dependencies;
      const untilMs = clock.now() + (context as unknown as LambdaContext).getRemainingTimeInMillis() - marginMs;
      const { clusters, platform, webhooks, unreadable } = changesOf(Records);
      if (unreadable > 0) log.warn("records of the stream that say nothing", { records: unreadable });
      // That a cluster is being deleted concerns its loops, but is not in its log.
      const wanted = clusters.map((each) => ({ ...each, failures: 0, ...(platform && { revision: 0 }) }));
      const [turned] = await Promise.all([
        turnMany({ ...turning.dependencies, turner: turning.turner }, wanted, untilMs),
        platform ? finishPlatformWork(turning, untilMs) : undefined,
        webhooks ? sendWebhooks(turning) : undefined,
      ]);
      const lost = turned.filter(({ outcome }) => outcome === "lost");
      return { batchItemFailures: lost.map(({ sequenceNumber }) => ({ itemIdentifier: sequenceNumber })) };
    });
}

export const handler = createHandler(lambdaPorts);
