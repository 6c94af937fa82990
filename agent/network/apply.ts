import { z } from "zod";
import type { Log } from "../../shared/telemetry/log.ts";
import { type KnownTable, type Ruleset, replacementOf, transactionOf } from "./ruleset.ts";
import type { RunCommand } from "./run-command.ts";

/** Puts rulesets into the kernel. */
export interface RulesetApplier {
  /**
   * Makes the table what `ruleset` says, by one transaction of the difference to what was applied last; nothing runs when nothing differs.
   * Where the difference does not fit (someone else changed the table) the whole table is replaced, again in one transaction. Throws when that fails too.
   */
  apply(ruleset: Ruleset): Promise<"unchanged" | "changed" | "replaced">;
  /** Looks whether the table is still there; when it is not, the next `apply` writes it anew. */
  verify(): Promise<boolean>;
  remove(): Promise<void>;
}

const listing = z.object({
  nftables: z.array(
    z.object({
      chain: z.object({ name: z.string() }).optional(),
      set: z.object({ name: z.string() }).optional(),
      map: z.object({ name: z.string() }).optional(),
    }),
  ),
});

/** Calls of `apply` must not overlap. A table that an earlier agent left is taken over: its session affinity stays. */
export function createRulesetApplier(table: string, run: RunCommand, log: Log): RulesetApplier {
  let known: KnownTable | undefined;

  const nft = async (script: string): Promise<string | undefined> => {
    const { exitCode, stderr } = await run("nft", ["-f", "-"], script);
    return exitCode === 0 ? undefined : (stderr.split("\n")[0] ?? "nft failed");
  };

  const readTable = async (): Promise<KnownTable> => {
    const { exitCode, stdout } = await run("nft", ["-j", "-t", "list", "table", "ip", table]);
    const chains = new Map<string, undefined>();
    const sets = new Map<string, { kind: "set" | "map"; elements: undefined }>();
    const parsed = exitCode === 0 ? listing.safeParse(JSON.parse(stdout)) : undefined;
    for (const { chain, set, map } of parsed?.data?.nftables ?? []) {
      if (chain !== undefined) chains.set(chain.name, undefined);
      if (set !== undefined) sets.set(set.name, { kind: "set", elements: undefined });
      if (map !== undefined) sets.set(map.name, { kind: "map", elements: undefined });
    }
    return { chains, sets };
  };

  return {
    async apply(ruleset) {
      known ??= await readTable();
      const script = transactionOf(known, ruleset);
      if (script === "") return "unchanged";
      const problem = await nft(script);
      if (problem === undefined) {
        known = ruleset;
        return "changed";
      }
      log.warn("service rules could not be updated, replacing the table", { table, problem });
      known = undefined;
      const failure = await nft(replacementOf(ruleset));
      if (failure !== undefined) throw new Error(`nft refused the rules of table ${table}: ${failure}`);
      known = ruleset;
      return "replaced";
    },
    async verify() {
      const { exitCode } = await run("nft", ["-t", "list", "chain", "ip", table, "nat-prerouting"]);
      if (exitCode !== 0) known = undefined;
      return exitCode === 0;
    },
    async remove() {
      known = undefined;
      await nft(`add table ip ${table}\ndelete table ip ${table}\n`);
    },
  };
}
