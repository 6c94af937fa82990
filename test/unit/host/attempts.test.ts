import { describe, expect, it } from "vitest";
import { attemptAll, createAttempts } from "../../../shared/host/attempts.ts";

describe("parts of a work", () => {
  it("come to what they come to, or to what is given for those that fail, and end in silence if none does", async () => {
    const attempts = createAttempts();
    expect(await attempts.of(Promise.resolve(1), 0)).toBe(1);
    attempts.end();
    expect(await attempts.of(Promise.reject(new Error("first")), 0)).toBe(0);
  });

  it("end with the failure of the one that failed", async () => {
    const attempts = createAttempts();
    const failure = new Error("first");
    await attempts.of(Promise.reject(failure), 0);
    expect(() => attempts.end()).toThrow(failure);
  });

  it("end with every failure, in a text that a log shows", async () => {
    const whole = createAttempts();
    const parts = ["the first", "the second"].map((text) => Promise.reject(new Error(text)));
    await whole.of(attemptAll([...parts, Promise.resolve()]), undefined);
    await whole.of(Promise.reject(new Error("the third")), 0);
    expect(() => whole.end()).toThrow(/the first.*the second.*the third/s);
  });
});
