import { sleep } from "../shared/clock.ts";
import type { Turning } from "./turning.ts";

const againMs = 1000;
/** Longer than this nobody waits for pods to end within one wake-up: the schedule comes again. */
const patienceMs = 20_000;
/** What SQS takes at once. */
const batch = 10;
const deliveries = 500;

/** Goes on with clusters being deleted, nodes being drained and nodes being taken out, until nothing is pending or time is up: the schedule looks at what is left. */
export async function finishPlatformWork({ services, dependencies }: Turning, untilMs: number): Promise<void> {
  const { clock, log } = dependencies;
  const endMs = Math.min(untilMs, clock.now() + patienceMs);
  try {
    for (;;) {
      const pending = (await services.reaper.round()) + (await services.drainer.round());
      if (pending === 0 || clock.now() + againMs >= endMs) return;
      await sleep(clock, againMs);
    }
  } catch (error) {
    log.error("platform work left to the schedule", error);
  }
}

/** Hands what is due to the queue; where there is none, sends it. Told twice, a delivery is made once. */
export async function sendWebhooks({ services, dependencies }: Turning): Promise<void> {
  const { environment, enqueue, log } = dependencies;
  const { webhookQueue } = environment;
  const deliverer = services.webhooks?.deliverer;
  try {
    if (webhookQueue === undefined) return void (await deliverer?.round());
    const due = (await deliverer?.due(deliveries)) ?? [];
    const messages = due.map((ref) => JSON.stringify(ref));
    for (let at = 0; at < messages.length; at += batch) await enqueue(webhookQueue, messages.slice(at, at + batch));
  } catch (error) {
    log.error("webhooks left to the schedule", error);
  }
}
