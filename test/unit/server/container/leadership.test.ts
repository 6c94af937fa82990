import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createLeadership, type Led } from "../../../../server/container/leadership.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import { TableError } from "../../../../shared/store/dynamo/table.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { MemoryTable } from "../../store/dynamo/memory-table.ts";

function schedule() {
  const table = new MemoryTable();
  const time = createFakeClock();
  const told: string[] = [];
  /** A process whose timers stand still while it is frozen. */
  const join = (name: string) => {
    let frozen = false;
    let cut = false;
    const asleep: (() => void)[] = [];
    const clock = {
      now: time.now,
      after: (ms: number, run: () => void) => time.after(ms, () => (frozen ? void asleep.push(run) : run())),
    };
    const reached = new Proxy(table, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (cut) return () => Promise.reject(new TableError("Throttled", "the table is away"));
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const store = new DynamoStore({ table: reached, clock, random: Math.random, makeId: randomUUID });
    const say = (what: string) => async (): Promise<void> => void told.push(`${name} ${what}`);
    const lead = (): Led => ({ round: say("round"), confirmed: say("confirmed"), ending: say("ending"), close: say("closed") });
    const leadership = createLeadership({ store, clock, log: silentLog, holder: name, lead });
    leadership.start();
    return {
      ...leadership,
      freeze: () => {
        frozen = true;
      },
      cutOff: () => {
        cut = true;
      },
      thaw: () => {
        frozen = false;
        for (const run of asleep.splice(0)) run();
      },
    };
  };
  const pass = async (seconds: number): Promise<string[]> => {
    told.length = 0;
    for (let second = 0; second < seconds; second++) {
      time.advance(1000);
      for (let settling = 0; settling < 20; settling++) await turn();
    }
    return [...new Set(told)];
  };
  return { join, pass, told };
}

describe("the schedule of several processes", () => {
  it("is one process's, which is sure of it every few seconds", async () => {
    const { join, pass } = schedule();
    join("a");
    await pass(1);
    join("b");
    expect(await pass(60)).toEqual(["a round", "a confirmed"]);
  });

  it("goes on at once with another when its process ends, and after its time when that dies", async () => {
    const { join, pass, told } = schedule();
    const a = join("a");
    await pass(1);
    const b = join("b");
    await pass(20);
    told.length = 0;
    await a.stop();
    expect(told).toEqual(["a ending", "a closed"]);
    expect(await pass(20)).toContain("b round");
    b.freeze();
    join("c");
    expect(await pass(60)).toEqual(["c round", "c confirmed"]);
  });

  it("is ended by a process whose table is away, and another's when the time of that one is over", async () => {
    const { join, pass } = schedule();
    const a = join("a");
    await pass(15);
    a.cutOff();
    const stopped = a.stop();
    expect(await pass(60)).toEqual(["a closed"]);
    await expect(stopped).resolves.toBeUndefined();
    join("b");
    expect(await pass(30)).toContain("b round");
  });

  it("is dropped by a process that was frozen past its time before it confirms anything", async () => {
    const { join, pass } = schedule();
    const a = join("a");
    await pass(15);
    a.freeze();
    join("b");
    await pass(60);
    a.thaw();
    const told = await pass(30);
    expect(told.filter((each) => each.startsWith("a"))).toEqual(["a closed"]);
  });
});
