import { describe, expect, it } from "vitest";
import { createPacedTasks } from "../../../../shared/controllers/scheduling/paced-tasks.ts";
import { createFakeCluster } from "../fake-cluster.ts";

describe("paced tasks", () => {
  const pace = { burst: 2, perSecond: 10 };
  function start(options: { pace?: typeof pace; mayRun?: () => boolean } = { pace }) {
    const { clock } = createFakeCluster();
    const ran: string[] = [];
    const tasks = createPacedTasks({ clock, mayRun: () => true, ...options });
    const put = (key: string, isWork = true): void =>
      tasks.put(key, () => {
        ran.push(key);
        return isWork;
      });
    return { clock, ran, tasks, put };
  }

  it("run at once as far as the burst goes, and then one after another", () => {
    const { clock, ran, tasks, put } = start();
    for (const key of ["a", "b", "c", "d"]) put(key);
    expect([ran.join(""), tasks.nextDue()]).toEqual(["ab", clock.now() + 100]);
    clock.advance(99);
    expect(ran.join("")).toBe("ab");
    clock.advance(1);
    expect(ran.join("")).toBe("abc");
    clock.advance(100);
    expect([ran.join(""), tasks.nextDue()]).toEqual(["abcd", undefined]);
  });

  it("fill the burst again while nothing comes, and no more than that", () => {
    const { clock, ran, put } = start();
    for (const key of ["a", "b"]) put(key);
    clock.advance(60_000);
    for (const key of ["c", "d", "e"]) put(key);
    expect(ran.join("")).toBe("abcd");
  });

  it("wait no longer for a clock that was set back", () => {
    const { clock } = createFakeCluster();
    let backMs = 0;
    const ran: string[] = [];
    const setBack = { now: () => clock.now() - backMs, after: clock.after };
    const tasks = createPacedTasks({ clock: setBack, pace, mayRun: () => true });
    for (const key of ["a", "b", "c"]) tasks.put(key, () => ran.push(key) > 0);
    backMs = 3_600_000;
    clock.advance(200);
    expect(ran.join("")).toBe("abc");
  });

  it("do not count when they find nothing to do", () => {
    const { clock, ran, put } = start();
    for (const key of ["a", "b", "c"]) put(key);
    for (const key of ["x", "y"]) put(key, false);
    put("d");
    clock.advance(100);
    expect(ran.join("")).toBe("abc");
    clock.advance(100);
    expect(ran.join("")).toBe("abcxyd");
  });

  it("take the place of the one that waits under the same key", () => {
    const { clock, ran, tasks, put } = start();
    for (const key of ["a", "b", "c", "d"]) put(key);
    tasks.put("c", () => ran.push("C") > 0);
    clock.advance(200);
    expect(ran.join("")).toBe("abCd");
  });

  it("wait for nothing where no pace is given", () => {
    const { ran, tasks, put } = start({});
    for (let index = 0; index < 1000; index++) put(String(index));
    expect([ran.length, tasks.nextDue()]).toEqual([1000, undefined]);
  });

  it("rest while nothing may run, and are forgotten when told so", () => {
    let mayRun = false;
    const { clock, ran, tasks, put } = start({ pace, mayRun: () => mayRun });
    for (const key of ["a", "b", "c"]) put(key);
    clock.advance(1000);
    expect([ran, tasks.nextDue()]).toEqual([[], undefined]);
    mayRun = true;
    tasks.turn();
    expect(ran.join("")).toBe("ab");
    tasks.clear();
    clock.advance(1000);
    expect([ran.join(""), tasks.nextDue()]).toEqual(["ab", undefined]);
  });
});
