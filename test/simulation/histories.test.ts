import { expect, it } from "vitest";
import { simulate } from "./command.ts";

const histories = 2000;

it(`finds no violation in ${histories} histories`, async () => {
  const { code, output } = await simulate("--histories", String(histories), "--seed", "1");
  expect(output).toContain(`${histories} of ${histories} histories`);
  expect(output).toContain("no violation");
  expect(code).toBe(0);
});

it("plays a seed the same way every time", async () => {
  const digestOf = async (seed: string): Promise<string | undefined> =>
    / digest ([0-9a-f]+)/.exec((await simulate("--seed", seed, "--histories", "1", "--replay")).output)?.[1];
  for (const seed of ["3", "10", "1340"]) {
    const digest = await digestOf(seed);
    expect(digest).toBeDefined();
    expect(await digestOf(seed)).toBe(digest);
  }
});
