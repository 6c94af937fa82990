import { afterEach, beforeEach, expect, it } from "vitest";
import { type Bench, openPlatform, type ProblemBody } from "./fixture.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await openPlatform();
  const { platform, clock } = bench;
  platform.start();
  for (let day = 0; day < 3; day++) {
    for (const cluster of ["a", "b"]) platform.meter.request({ tenant: "acme", cluster }, "read");
    platform.meter.request({ tenant: "other", cluster: "x" }, "write");
    clock.advance(86_400_000);
    await platform.stop();
    platform.start();
  }
});
afterEach(() => bench.dispose());

interface List {
  items: { start: string; end: string; cluster: string | null; apiReads: number; apiWrites: number }[];
  nextCursor: string | null;
}
const list = (query: string) => bench.expectStatus<List>(200, bench.call("GET", `/v1/usage${query}`));

it("shows the tenant's own usage, by day or hour, whole or by cluster, in pages", async () => {
  const { items } = await list("");
  expect(items.map(({ start, end, apiReads, apiWrites }) => [start, end, apiReads, apiWrites])).toEqual([
    ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 2, 0],
    ["2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z", 2, 0],
    ["2026-01-03T00:00:00.000Z", "2026-01-04T00:00:00.000Z", 2, 0],
  ]);
  const hours = await list("?granularity=hour&groupBy=cluster&from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z&limit=1");
  expect(hours.items).toMatchObject([{ cluster: "a" }]);
  const rest = await list(
    `?granularity=hour&groupBy=cluster&from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z&limit=1&cursor=${hours.nextCursor}`,
  );
  expect(rest).toMatchObject({ items: [{ cluster: "b" }], nextCursor: null });
});

it("refuses what cannot be meant, and keys without the scope", async () => {
  for (const query of ["?granularity=week", "?from=yesterday", "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?cursor=x", "?x=1"]) {
    const problem = await bench.expectStatus<ProblemBody>(422, bench.call("GET", `/v1/usage${query}`));
    expect(problem.errors).toHaveLength(1);
  }
  const long = await bench.call("GET", "/v1/usage?granularity=hour&from=2025-01-01T00:00:00Z");
  expect(long.status).toBe(422);
  const key = await bench.keyOf(["clusters:write"]);
  const problem = await bench.expectStatus<ProblemBody>(403, bench.call("GET", "/v1/usage", undefined, {}, key));
  expect(problem.detail).toBe('The API key needs the scope "usage:read".');
});
