import { expect, it } from "vitest";
import { RecentMap } from "../../shared/recent-map.ts";

it("a map of what is recent keeps so many entries, those that were set last", () => {
  const map = new RecentMap<string, number>(2).set("a", 1).set("b", 2).set("a", 3).set("c", 4);
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});
