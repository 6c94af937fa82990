import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { transcribe } from "./script.ts";

const folder = new URL("./scenarios/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("scenarios", () => {
  it("are there", () => expect(files.length).toBeGreaterThan(5));

  for (const file of files) {
    describe(file.replace(".txt", "").replaceAll("-", " "), () => {
      const text = readFileSync(new URL(file, folder), "utf8");
      for (const scenario of text.split(/^(?=# )/m)) {
        const title = /^# (.*)/.exec(scenario)?.[1] ?? "has a title";
        it(title, () => {
          expect(scenario).toContain("\n> ");
          expect(transcribe(scenario)).toBe(scenario);
        });
      }
    });
  }
});
