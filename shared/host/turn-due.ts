import { forEachBounded } from "../controllers/bounded.ts";
import { dropAgenda, dueAgenda } from "./agenda.ts";
import { createAttempts } from "./attempts.ts";
import type { Left } from "./sweep.ts";
import { type TurnManyPorts, turnMany } from "./turn-many.ts";

const dropsAtOnce = 16;

/**
 * Turns the clusters that are due by the agenda, and `left`: those also where the agenda cannot be read, as nobody else looks at them within the hour. Their
 * items go when their clusters have been turned, or were noted anew. @throws in the end why the agenda could not be read
 */
export async function turnDue(ports: TurnManyPorts, left: readonly Left[], untilMs: number): Promise<void> {
  const { store, clock, log } = ports;
  const attempts = createAttempts();
  const items = await attempts.of(dueAgenda(store, clock.now()), []);
  const wanted = [...items, ...left].map((item) => ({ ...item, revision: 0 }));
  const failures = await forEachBounded(await turnMany(ports, wanted, untilMs), dropsAtOnce, async ({ key, outcome }) => {
    if (key && outcome !== "lost") await store.writeRecords([dropAgenda(key)]);
  });
  for (const failure of failures) log.error("cluster not taken off the agenda", failure);
  attempts.end();
}
