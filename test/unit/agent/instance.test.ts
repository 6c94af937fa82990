import { describe, expect, it } from "vitest";
import { agentInstance } from "../../../agent/instance.ts";

describe("agentInstance", () => {
  it("is the same for every start from one state directory, however that is written", () => {
    expect(agentInstance("n1", "/var/lib/a")).toBe(agentInstance("n1", "/var/lib/x/../a"));
  });

  it("tells agents of the same node name apart, and fits a label", () => {
    expect(agentInstance("n1", "/a")).not.toBe(agentInstance("n1", "/b"));
    expect(agentInstance("n".repeat(253), "/a").length).toBeLessThanOrEqual(63);
  });
});
