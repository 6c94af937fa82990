import { describe, expect, it } from "vitest";
import { createRulesetApplier } from "../../../../agent/network/apply.ts";
import type { Ruleset } from "../../../../agent/network/ruleset.ts";
import type { RunCommand } from "../../../../agent/network/run-command.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";

const ruleset = (...rules: string[]): Ruleset => ({ table: "t", chains: new Map([["a", { rules }]]), sets: new Map() });

/** An nft that keeps what it was told and fails when asked to. */
function fakeNft(listing = "") {
  const scripts: string[] = [];
  const state = { failures: 0, present: listing !== "" };
  const run: RunCommand = async (_program, args, input) => {
    if (args.includes("list")) return { exitCode: state.present ? 0 : 1, stdout: listing, stderr: "" };
    if (state.failures-- > 0) return { exitCode: 1, stdout: "", stderr: "Error: no\nmore" };
    scripts.push(input ?? "");
    state.present = true;
    return { exitCode: 0, stdout: "", stderr: "" };
  };
  return { scripts, state, run };
}

describe("createRulesetApplier", () => {
  it("sends only the difference, and nothing when there is none", async () => {
    const { scripts, run } = fakeNft();
    const applier = createRulesetApplier("t", run, silentLog);
    expect(await applier.apply(ruleset("accept"))).toBe("changed");
    expect(await applier.apply(ruleset("accept"))).toBe("unchanged");
    expect(await applier.apply(ruleset("drop"))).toBe("changed");
    expect(scripts).toEqual([
      "add table ip t\nadd chain ip t a\nadd rule ip t a accept\n",
      "add table ip t\nflush chain ip t a\nadd rule ip t a drop\n",
    ]);
  });

  it("takes over a table that is there", async () => {
    const { scripts, run } = fakeNft(JSON.stringify({ nftables: [{ metainfo: {} }, { chain: { name: "old" } }, { map: { name: "m" } }] }));
    await createRulesetApplier("t", run, silentLog).apply(ruleset("accept"));
    expect(scripts).toEqual([
      "add table ip t\nadd chain ip t a\nadd rule ip t a accept\nflush chain ip t old\ndelete map ip t m\ndelete chain ip t old\n",
    ]);
  });

  it("replaces the whole table in one transaction when the difference does not fit", async () => {
    const { scripts, state, run } = fakeNft();
    state.failures = 1;
    expect(await createRulesetApplier("t", run, silentLog).apply(ruleset("accept"))).toBe("replaced");
    expect(scripts[0]).toMatch(/^add table ip t\ndelete table ip t\nadd table ip t\n/);
  });

  it("throws nft's own words when nothing helps, and tries anew the next time", async () => {
    const { state, run } = fakeNft();
    const applier = createRulesetApplier("t", run, silentLog);
    state.failures = 2;
    await expect(applier.apply(ruleset("accept"))).rejects.toThrow("nft refused the rules of table t: Error: no");
    expect(await applier.apply(ruleset("accept"))).toBe("changed");
  });

  it("notices a table that someone else took away", async () => {
    const { state, run } = fakeNft();
    const applier = createRulesetApplier("t", run, silentLog);
    await applier.apply(ruleset("accept"));
    expect(await applier.verify()).toBe(true);
    state.present = false;
    expect(await applier.verify()).toBe(false);
    expect(await applier.apply(ruleset("accept"))).toBe("changed");
  });
});
