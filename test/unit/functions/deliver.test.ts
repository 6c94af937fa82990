import { describe, expect, test } from "vitest";
import { createHandler } from "../../../functions/deliver.ts";
import { createHandler as createMeter } from "../../../functions/meter.ts";
import { createFunctionBed } from "./function-bed.ts";

const context = { getRemainingTimeInMillis: () => 30_000 } as never;

describe("the function that sends webhooks", () => {
  test("gives back what it could not read or send, and nothing else of the batch", async () => {
    const bed = createFunctionBed();
    const deliver = createHandler(bed.ports());
    const gone = { tenant: "acme", endpoint: "wh_1", sort: "000000000000001/msg_1" };
    const Records = [
      { messageId: "poisoned", body: "{" },
      { messageId: "gone", body: JSON.stringify(gone) },
    ];
    expect(await deliver({ Records }, context)).toEqual({ batchItemFailures: [{ itemIdentifier: "poisoned" }] });
    expect(bed.logged.join("")).toContain('"messageId":"poisoned"');
  });

  test("refuses what is no event of a queue", async () => {
    await expect(createHandler(createFunctionBed().ports())({ Records: [{}] }, context)).rejects.toThrow();
  });
});

describe("the function that closes days", () => {
  test("has nothing to do where nobody used anything", async () => {
    expect(await createMeter(createFunctionBed().ports())({}, context)).toEqual({ closedDays: 0 });
  });
});
