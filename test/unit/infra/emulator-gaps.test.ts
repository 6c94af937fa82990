import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const rows = readFileSync(join(root, "docs", "emulators.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| what AWS does"));

describe("what emulators do not do", () => {
  it.each(rows.map((row) => [row.split("|")[1]?.trim(), row]))("%s: has the tests that the page names", (_, row) => {
    const files = [...row.matchAll(/`(test\/[\w/.-]+\.test\.ts)`/g)].map(([, file = ""]) => readFileSync(join(root, file), "utf8"));
    const titles = [...row.matchAll(/"([^"]{20,})"/g)].map(([, title = ""]) => title);
    for (const title of titles)
      expect(
        files.some((text) => text.includes(`("${title}"`)),
        title,
      ).toBe(true);
  });

  it("is all there: no row says less than what is missing and what stands in for it", () => {
    expect(rows.length).toBeGreaterThan(15);
    expect(rows.filter((row) => row.split("|").some((cell, at, { length }) => at > 0 && at < length - 1 && cell.trim() === ""))).toEqual(
      [],
    );
  });
});
