import { expect, it } from "vitest";
import { describeWith, needs } from "../e2e/needs.ts";
import { checkModel, configurations, findMutation, mutations } from "./spin.ts";

describeWith([needs.spin, needs.gcc], "the commit protocol, in every interleaving", () => {
  it.each(configurations.filter(({ long }) => long !== true))("holds with $name", async (configuration) => {
    const verdict = await checkModel(configuration);
    expect(verdict).toMatchObject({ errors: 0, complete: true, reason: "" });
    expect(verdict.states).toBeGreaterThan(10_000);
  });

  it.each(mutations)("does not hold with $bug", async (mutation) => {
    expect((await findMutation(mutation)).errors).toBeGreaterThan(0);
  });
});
