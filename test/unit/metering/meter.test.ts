import { describe, expect, it } from "vitest";
import { createMeter, type UsageRow } from "../../../shared/metering/meter.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";

const node = { tenant: "acme", pool: "pl", nodeName: "n1" };
const dev = { cluster: "dev", pool: "" };

describe("the meter", () => {
  const bed = () => {
    const clock = createFakeClock(Date.UTC(2026, 0, 1, 10, 59, 0));
    const meter = createMeter(clock);
    const rows = (tenant = "acme"): UsageRow[] => meter.take().get(tenant) ?? [];
    return { clock, meter, rows };
  };

  it("has nothing to say of what was not there", () => {
    const { clock, meter } = bed();
    meter.change("acme", dev, { watches: 1 });
    meter.change("acme", dev, { watches: -1 });
    clock.advance(3_600_000);
    expect(meter.take().size).toBe(0);
  });

  it("counts a machine from call to call, not over a long silence, and by the hours in which it was", () => {
    const { clock, meter, rows } = bed();
    const speak = (afterMs: number) => {
      clock.advance(afterMs);
      meter.nodeSpoke(node, clock.now(), "dev");
    };
    for (const afterMs of [0, 30_000, 30_000, 30_000]) speak(afterMs);
    expect(rows()).toEqual([
      { hour: "2026-01-01T10", cluster: "dev", pool: "pl", amounts: { nodeSeconds: 60 } },
      { hour: "2026-01-01T11", cluster: "dev", pool: "pl", amounts: { nodeSeconds: 30 } },
    ]);
    speak(121_000);
    expect(rows()).toEqual([]);
    speak(10_000);
    expect(rows()).toMatchObject([{ amounts: { nodeSeconds: 10 } }]);
  });

  it("takes the word of a host that remembers elsewhere when a machine spoke last", () => {
    const { clock, meter, rows } = bed();
    meter.nodeSpoke(node, clock.now(), "", clock.now() - 45_000);
    expect(rows()).toMatchObject([{ cluster: "", pool: "pl", amounts: { nodeSeconds: 45 } }]);
  });

  it("counts what is there for as long as it is, whoever asks meanwhile", () => {
    const { clock, meter, rows } = bed();
    meter.change("acme", { cluster: "dev", pool: "pl" }, { pods: 2, cpuMillis: 500, memoryBytes: 1000 });
    clock.advance(30_000);
    meter.change("acme", { cluster: "dev", pool: "pl" }, { pods: -1, cpuMillis: -250, memoryBytes: -400 });
    clock.advance(10_000);
    expect(rows().map(({ amounts }) => amounts)).toEqual([{ podSeconds: 70, cpuMilliSeconds: 17_500, memoryByteSeconds: 36_000 }]);
    clock.advance(20_000);
    expect(rows().map(({ amounts }) => amounts)).toEqual([{ podSeconds: 20, cpuMilliSeconds: 5000, memoryByteSeconds: 12_000 }]);
  });

  it("does not take a process that stood still, or a clock that ran back, for use", () => {
    const { clock, meter, rows } = bed();
    meter.change("acme", dev, { watches: 1 });
    clock.advance(3_600_000);
    expect(rows()).toEqual([]);
    clock.advance(1000);
    expect(rows()).toMatchObject([{ amounts: { watchSeconds: 1 } }]);
  });

  it("counts requests in the interval in which they came, and keeps tenants apart", () => {
    const { clock, meter } = bed();
    meter.request({ tenant: "acme", cluster: "dev" }, "read");
    meter.request({ tenant: "acme", cluster: "dev" }, "read");
    meter.request({ tenant: "acme", cluster: "dev" }, "write");
    meter.request({ tenant: "other", cluster: "dev" }, "write");
    clock.advance(60_000);
    expect([...meter.take()]).toEqual([
      ["acme", [{ hour: "2026-01-01T10", ...dev, amounts: { apiReads: 2, apiWrites: 1 } }]],
      ["other", [{ hour: "2026-01-01T10", ...dev, amounts: { apiWrites: 1 } }]],
    ]);
  });
});
