import { expect, it } from "vitest";
import { createBilledFunctions } from "../../../bench/cost/bill-functions.ts";

it("nothing is billed that was refused: it would be the price of something else", async () => {
  const { functions } = createBilledFunctions();
  await expect(functions.platform("GET", "/v1/clusters", "no-key")).rejects.toThrow("401");
});
