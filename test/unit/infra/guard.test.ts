import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { descendantsOf } from "../../infra/process-tree.ts";

const guard = join(import.meta.dirname, "..", "..", "infra", "guard.ts");
/** A program that starts another one in a session of its own. */
const program = ["sh", "-c", "setsid sleep 300 & sleep 300"];
const parent = `require("child_process").spawn(process.execPath, ${JSON.stringify([guard, ...program])}, { detached: true, stdio: ["pipe", "inherit", "inherit"] });`;

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("what a guard runs ends with whoever started the guard, though he is killed and it has started others", async () => {
  const starter = spawn(process.execPath, ["-e", parent], { stdio: "inherit" });
  const started = () => descendantsOf(starter.pid ?? 0);
  await expect.poll(() => started().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(4);
  const all = started();
  starter.kill("SIGKILL");
  await expect.poll(() => all.filter(isThere), { timeout: 20_000 }).toEqual([]);
}, 60_000);
