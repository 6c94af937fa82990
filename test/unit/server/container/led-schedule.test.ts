import { expect, it } from "vitest";
import { functionClock } from "../../../../functions/clock.ts";
import { openDependencies } from "../../../../functions/open-dependencies.ts";
import { createDirectory } from "../../../../functions/platform-domain.ts";
import { createLedSchedule } from "../../../../server/container/led-schedule.ts";
import { readUsage } from "../../../../shared/metering/usage-reader.ts";
import { usagePartitions } from "../../../../shared/metering/usage-records.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { createCluster, createFunctionBed, drainStream } from "../../functions/function-bed.ts";
import { machine } from "../../functions/machine.ts";
import { unreadable } from "../../store/dynamo/unreadable-table.ts";

const fromMs = Date.UTC(2026, 4, 1, 10);

/** The schedule of a process, and a cluster with a machine that it meters. `lost`: reads of these partitions fail. */
async function schedule() {
  const time = createFakeClock(fromMs);
  const clock = { now: time.now, after: functionClock.after };
  let lost = "";
  const bed = createFunctionBed({ clock, tableOf: (table) => unreadable(table, ({ pk }) => lost !== "" && pk.startsWith(lost)) });
  const fn = bed.instance();
  const { join } = await createCluster(bed, fn);
  expect((await fn.agent("POST", "/agent/v1/join", "", { token: join.token, node: machine("n1") })).status).toBe(201);
  await drainStream(bed, fn);
  const dependencies = await openDependencies(bed.ports()());
  return {
    ...{ time, dependencies },
    led: createLedSchedule(dependencies, createDirectory(dependencies)),
    lose(partition: string) {
      lost = partition;
    },
  };
}

it("has what its clusters held written when a process hands it on, and nothing twice", async () => {
  const { time, dependencies, led } = await schedule();
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

it("closes days of usage though a part of its round fails", async () => {
  const { time, dependencies, led, lose } = await schedule();
  const openDays = () => dependencies.store.queryRecords(usagePartitions.openDays("acme"));
  await led.round();
  time.advance(120_000);
  await led.ending();
  expect(await openDays()).toHaveLength(1);
  time.advance(86_400_000);
  lose("platform#sweep");
  await expect(led.round()).rejects.toMatchObject({ errors: [{ code: "Unavailable" }, { code: "Unavailable" }] });
  expect(await openDays()).toEqual([]);
  await led.close();
  await dependencies.finish();
});
