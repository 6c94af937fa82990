import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const model = join(import.meta.dirname, "commit-protocol.pml");

/** A size and a side of the protocol that SPIN goes through whole. */
export interface Configuration {
  readonly name: string;
  readonly defines: readonly string[];
  /** Also that no schedule goes on for ever (the model's `ends`). */
  readonly liveness?: boolean;
  /** Takes longer than CI has: `npm run model -- --all`. */
  readonly long?: boolean;
}

const small = ["WRITERS=2", "READERS=1"];
const plain = ["LOST=0", "RESTARTS=0"];

export const configurations: readonly Configuration[] = [
  { name: "3 writers, 2 watches", defines: ["WRITERS=3", "READERS=2", ...plain] },
  { name: "3 writers, 2 watches: every schedule ends", defines: ["WRITERS=3", "READERS=2", ...plain], liveness: true },
  { name: "3 writers, 1 watch, a fresh start", defines: ["WRITERS=3", "READERS=1", "LOST=0", "RESTARTS=1"] },
  {
    name: "3 writers, 2 watches, a lost grant and a fresh start",
    defines: ["WRITERS=3", "READERS=2", "LOST=1", "RESTARTS=1"],
    long: true,
  },
  { name: "2 writers, 2 watches, a lost grant and a fresh start", defines: ["WRITERS=2", "READERS=2", "LOST=1", "RESTARTS=1"] },
  { name: "2 writers, one of two places and half-applied, a watch", defines: [...small, "WIDE", "LOST=1", "RESTARTS=1"] },
  { name: "2 writers, a list, a watch, commits that grow too old", defines: [...small, "LISTS", ...plain] },
  { name: "2 writers, a list, a watch, the floor moves", defines: [...small, "LISTS", "FLOOR", ...plain] },
  { name: "2 writers, a watch, a day without a write", defines: [...small, "DAY", "LOST=0", "RESTARTS=1"] },
  { name: "2 writers, a list, a day without a write", defines: [...small, "LISTS", "DAY", "NO_WATCH", ...plain] },
  { name: "3 writers, a watch, a day without a write", defines: ["WRITERS=3", "READERS=1", "DAY", ...plain], long: true },
];

export interface Mutation {
  /** The switch in the model. */
  readonly bug: string;
  readonly defines: readonly string[];
}

const three = ["WRITERS=3", "READERS=1", ...plain];

export const mutations: readonly Mutation[] = [
  { bug: "BUG_NO_CONDITION", defines: three },
  { bug: "BUG_SLOW_CREATE", defines: three },
  { bug: "BUG_REVISION_FIRST", defines: three },
  { bug: "BUG_NO_PLACE_CONDITION", defines: three },
  { bug: "BUG_BLIND_FILL", defines: three },
  { bug: "BUG_NO_FILL", defines: three },
  { bug: "BUG_SKIPS_HOLES", defines: three },
  { bug: "BUG_REFUSED_TOO_EARLY", defines: three },
  { bug: "BUG_NO_OVERLAY", defines: [...small, "LISTS", ...plain] },
  { bug: "BUG_NO_AGE_LIMIT", defines: [...small, "LISTS", ...plain] },
  { bug: "BUG_FILLS_BELOW_MARK", defines: [...small, "DAY", "LOST=0", "RESTARTS=1"] },
  { bug: "BUG_TRUSTS_OLD_VOIDS", defines: [...small, "DAY", ...plain] },
  { bug: "BUG_MARKED_GRANT", defines: [...small, "LISTS", "DAY", "NO_WATCH", ...plain] },
  { bug: "BUG_FLOOR_AHEAD", defines: [...small, "LISTS", "FLOOR", "NO_WATCH", ...plain] },
];

export interface Verdict {
  readonly states: number;
  readonly depth: number;
  readonly errors: number;
  /** Nothing was left out for want of depth or memory. */
  readonly complete: boolean;
  /** What was violated first. */
  readonly reason: string;
  readonly seconds: number;
}

export const checkModel = ({ defines, liveness = false }: Configuration): Promise<Verdict> => search(defines, liveness);

export const findMutation = ({ bug, defines }: Mutation): Promise<Verdict> => search([...defines, bug], false);

const deepest = 100_000;
const memoryMb = 4000;

async function search(defines: readonly string[], liveness: boolean): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), "coracle-model-"));
  const startedAt = performance.now();
  try {
    await run("spin", ["-a", ...defines.map((name) => `-D${name}`), model], { cwd: folder });
    const kind = liveness ? [] : ["-DSAFETY", "-DNOCLAIM"];
    await run("gcc", ["-O2", "-w", "-DCOLLAPSE", `-DMEMLIM=${memoryMb}`, ...kind, "-o", "pan", "pan.c"], { cwd: folder });
    const options = [`-m${deepest}`, ...(liveness ? ["-a"] : [])];
    const { stdout } = await run(join(folder, "pan"), options, { cwd: folder, maxBuffer: 10_000_000 });
    const numberIn = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
    return {
      states: numberIn(/^\s*(\d+) states, stored/m),
      depth: numberIn(/depth reached (\d+)/),
      errors: numberIn(/errors: (\d+)/),
      complete: !/Search not completed|max search depth too small|out of memory/i.test(stdout),
      reason: /^pan:1: (.*?)(?: \(at depth \d+\))?$/m.exec(stdout)?.[1] ?? "",
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
