import { describe, expect, it } from "vitest";
import { simulate } from "./command.ts";
import { plantedBugs } from "./planted/bugs.ts";

/** As many as the product itself has to pass. */
const histories = 2000;

describe("a planted bug", () => {
  it.each(plantedBugs)("is found: $name", async ({ name }) => {
    const { code, output } = await simulate("--histories", String(histories), "--plant", name, "--workers", "1", "--no-shrink");
    const [, count] = /fails, (\d+) histories/.exec(output) ?? [];
    console.log(`${name} :: found after ${count} histories`);
    expect(output).toContain("✗");
    expect(count).toBeDefined();
    expect(code).toBe(1);
  });

  it("fails again from the command that the smallest failing history prints", async () => {
    const { output } = await simulate("--histories", "100", "--plant", "list-without-overlay", "--workers", "1");
    const [, command = ""] = /replay: npm run simulate -- (.+)/.exec(output) ?? [];
    expect(command).toContain("--cuts");
    const replayed = await simulate(...command.split(" "));
    expect(replayed.output).toContain("✗");
    expect(replayed.code).toBe(1);
    expect((await simulate(...command.replace(" --plant list-without-overlay", "").split(" "))).code).toBe(0);
  });
});
