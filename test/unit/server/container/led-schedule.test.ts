import { expect, it } from "vitest";
import { functionClock } from "../../../../functions/clock.ts";
import { openDependencies } from "../../../../functions/open-dependencies.ts";
import { createDirectory } from "../../../../functions/platform-domain.ts";
import { createLedSchedule } from "../../../../server/container/led-schedule.ts";
import { readUsage } from "../../../../shared/metering/usage-reader.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { createCluster, createFunctionBed, drainStream } from "../../functions/function-bed.ts";
import { machine } from "../../functions/machine.ts";

it("has what its clusters held written when a process hands it on, and nothing twice", async () => {
  const fromMs = Date.UTC(2026, 4, 1, 10);
  const time = createFakeClock(fromMs);
  const clock = { now: time.now, after: functionClock.after };
  const bed = createFunctionBed({ clock });
  const fn = bed.instance();
  const { join } = await createCluster(bed, fn);
  expect((await fn.agent("POST", "/agent/v1/join", "", { token: join.token, node: machine("n1") })).status).toBe(201);
  await drainStream(bed, fn);

  const dependencies = await openDependencies(bed.ports()());
  const led = createLedSchedule(dependencies, createDirectory(dependencies));
  const storedByteSeconds = async (): Promise<number> => {
    const query = { fromMs, toMs: fromMs + 3_600_000, granularity: "hour", groupBy: "tenant", limit: 10 } as const;
    const { items } = await readUsage(dependencies.store, "acme", query);
    return items.reduce((sum, { amounts }) => sum + (amounts.storedByteSeconds ?? 0), 0);
  };
  await led.round();
  time.advance(120_000);
  await led.confirmed();
  expect(await storedByteSeconds()).toBe(0);
  await led.ending();
  const written = await storedByteSeconds();
  expect(written).toBeGreaterThan(0);
  await led.close();
  await dependencies.finish();
  expect(await storedByteSeconds()).toBe(written);
});
