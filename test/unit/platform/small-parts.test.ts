import { describe, expect, it } from "vitest";
import { createRateLimiter } from "../../../shared/platform/api/rate-limit.ts";
import { createIdentifiers } from "../../../shared/platform/identifiers.ts";
import { createRounds } from "../../../shared/platform/rounds.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";

describe("identifiers", () => {
  it("sort in the order of their making and are DNS labels", () => {
    let now = 1_700_000_000_000;
    const makeId = createIdentifiers(
      () => Math.floor(now++ / 3),
      (count) => Buffer.alloc(count, 255 - (now % 200)),
    );
    const ids = Array.from({ length: 50 }, () => makeId("cl"));
    expect(new Set(ids).size).toBe(50);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^cl-[0-9a-hjkmnp-tv-z]{17}$/);
  });
});

describe("the rate limiter", () => {
  it("gives back tokens with time, up to the burst, and survives a clock that runs back", () => {
    let now = 10_000;
    const limiter = createRateLimiter({ now: () => now, after: () => () => {} }, { burst: 2, perSecond: 1 });
    expect([limiter.take("a"), limiter.take("a"), limiter.take("a")]).toEqual([0, 0, 1]);
    now -= 5000;
    expect(limiter.take("a")).toBe(1);
    now += 10_000;
    expect([limiter.take("a"), limiter.take("a"), limiter.take("a")]).toEqual([0, 0, 1]);
  });
});

describe("rounds", () => {
  it("come soon while something is pending, seldom when not, at once when woken, and never two at a time", async () => {
    const clock = createFakeClock();
    let pending = 1;
    let rounds = 0;
    let open = 0;
    let most = 0;
    const loop = createRounds({
      ...{ clock, log: silentLog, name: "test", retryMs: 100, restMs: 10_000 },
      round: async () => {
        rounds++;
        most = Math.max(most, ++open);
        await Promise.resolve();
        open--;
        return pending;
      },
    });
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    loop.start();
    loop.start();
    await settle();
    expect(rounds).toBe(1);
    clock.advance(100);
    await settle();
    expect(rounds).toBe(2);
    pending = 0;
    clock.advance(100);
    await settle();
    clock.advance(5000);
    await settle();
    expect(rounds).toBe(3);
    loop.wake();
    loop.wake();
    await settle();
    clock.advance(0);
    await settle();
    expect(rounds).toBe(5);
    expect(most).toBe(1);
    await loop.stop();
    loop.wake();
    clock.advance(100_000);
    await settle();
    expect(rounds).toBe(5);
  });

  it("go on after one that failed", async () => {
    const clock = createFakeClock();
    let rounds = 0;
    const round = () => (rounds++ === 0 ? Promise.reject(new Error("once")) : Promise.resolve(0));
    const loop = createRounds({ clock, log: silentLog, name: "test", retryMs: 100, restMs: 10_000, round });
    loop.start();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
    await loop.stop();
    expect(rounds).toBe(2);
  });
});
