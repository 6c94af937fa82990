import { expect, it } from "vitest";
import type { HeadRow } from "../../../../shared/store/dynamo/head-item.ts";
import { logKey, logOf } from "../../../../shared/store/dynamo/keys.ts";
import { voidItem } from "../../../../shared/store/dynamo/log-items.ts";
import { LogReader } from "../../../../shared/store/dynamo/log-reader.ts";
import { createPayloads } from "../../../../shared/store/dynamo/payload.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { MemoryTable } from "./memory-table.ts";

const ttlSeconds = 24 * 3600;

/** Five revisions were handed out; by the mark, what is missing up to the third may have been deleted by its time. */
function readerOfEmptyLog() {
  const clock = createFakeClock();
  const table = new MemoryTable();
  const timings = { fillAfterMs: 1000, lookAgainMs: 25, ttlSeconds };
  const reader = new LogReader({ scope: "t#c", log: logOf("t#c", "i") }, table, createPayloads(undefined), clock, timings);
  const marks = { [String(clock.now())]: 3 };
  const head: HeadRow = { revision: 5, floor: 0, createdAtMs: 0, incarnation: "i", dropping: false, marks, lastMarkMs: clock.now() };
  return { reader, head, table, clock };
}

it("tells every reader that stands before entries that may be gone, not only the first to ask", async () => {
  const { reader, head, clock } = readerOfEmptyLog();
  await reader.read(head, 1, 10);
  clock.advance(1000);
  for (let readers = 0; readers < 3; readers++) await expect(reader.fill(head, 1)).rejects.toMatchObject({ code: "Compacted" });
});

it("fills what a reader beyond them waits for, and tells it nothing of them", async () => {
  const { reader, head, table, clock } = readerOfEmptyLog();
  await reader.read(head, 1, 10);
  clock.advance(1000);
  await expect(reader.fill(head, 3)).resolves.toBe(true);
  expect([...table.items.values()].map(({ sk, type }) => [Number(sk), type])).toEqual([
    [4, "VOID"],
    [5, "VOID"],
  ]);
});

/** More places than a partition of the log has, of which the writers of some are dead. */
async function readerOfHoles(holes: readonly number[]) {
  const { table, clock, reader, head } = readerOfEmptyLog();
  const revision = 4300;
  const site = { scope: "t#c", log: logOf("t#c", "i") };
  const written = Array.from({ length: revision - 1 }, (_, index) => index + 2).filter((place) => !holes.includes(place));
  const stamp = { commit: "w", nowMs: clock.now(), ttlSeconds };
  for (const place of written) await table.write({ kind: "put", item: voidItem(site, place, 1, stamp) });
  return { table, clock, reader, head: { ...head, revision, marks: { [String(clock.now())]: 1 } } };
}

it("waits at once for all dead writers within four thousand places, beyond its page and its partition of the log too", async () => {
  const { reader, head, table, clock } = await readerOfHoles([4000, 4050, 4200]);
  const { through } = await reader.read(head, 3990, 5);
  expect(through).toBe(3999);
  clock.advance(1000);
  await expect(reader.fill(head, through)).resolves.toBe(true);
  const at = (place: number) => table.get(logKey(logOf("t#c", "i"), place));
  for (const place of [4000, 4050, 4200]) expect(await at(place)).toMatchObject({ type: "VOID", commit: "reader" });
});

it("waits no longer where its clock is set back meanwhile", async () => {
  const { reader, head, clock } = await readerOfHoles([4000]);
  await reader.read(head, 3990, 50);
  clock.advance(-30_000);
  await expect(reader.fill(head, 3999)).resolves.toBe(false);
  clock.advance(1000);
  await expect(reader.fill(head, 3999)).resolves.toBe(true);
});

it("waits no longer where the floor moves over the place that it waits for, and others wait beyond it", async () => {
  const { reader, head, clock } = await readerOfHoles([4000, 4050]);
  const newer = { ...head, floor: 4020 };
  await reader.read(head, 3990, 50);
  for (let looks = 0; looks < 4; looks++) {
    clock.advance(250);
    await reader.read(newer, 4049, 50);
    await reader.fill(newer, 4049);
    await reader.read(head, 3999, 50);
  }
  await expect(reader.fill(head, 3999)).resolves.toBe(true);
});
