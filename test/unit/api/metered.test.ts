import { expect, it } from "vitest";
import { metered } from "../../../shared/api/metered.ts";
import { text } from "../../../shared/api/response.ts";
import { createMeter } from "../../../shared/metering/meter.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";

const ref = { tenant: "acme", cluster: "dev" };
const sink = { write: () => true, drained: async () => {}, end: () => {} };

it("counts answers as reads and writes, but not what failed for the server's own reasons", () => {
  const meter = createMeter(createFakeClock());
  for (const method of ["GET", "HEAD", "POST", "PATCH", "DELETE"]) metered(meter, ref, method, text(200, ""));
  metered(meter, ref, "GET", text(404, ""));
  for (const status of [429, 500, 503]) metered(meter, ref, "GET", text(status, ""));
  expect(meter.take().get("acme")).toMatchObject([{ cluster: "dev", amounts: { apiReads: 3, apiWrites: 3 } }]);
});

it("counts a stream for as long as it is held, and ends it once", () => {
  const clock = createFakeClock();
  const meter = createMeter(clock);
  let stopped = 0;
  const start = () => () => void stopped++;
  const { body } = metered(meter, ref, "GET", { ...text(200, ""), body: { start } });
  if (!("start" in body)) throw new Error("no stream");
  const stop = body.start(sink);
  clock.advance(60_000);
  stop();
  stop();
  clock.advance(60_000);
  expect(meter.take().get("acme")).toMatchObject([{ amounts: { apiReads: 1, watchSeconds: 60 } }]);
  expect(stopped).toBe(2);
});
