/**
 * `npm run kills [-- TIMES [KILLS]]`: the tests that end processes and fill disks from outside, TIMES in a row (default 10), the server and agents killed KILLS times in each
 * (default 20). Without retries: the first failure ends it.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const times = Number(process.argv[2] ?? 10);
const kills = process.argv[3] ?? "20";
const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
const files = ["durability", "repeated-kills", "killed-servers", "agent-kills", "full-disk"].map((name) => `test/e2e/${name}.test.ts`);
for (let time = 1; time <= times; time++) {
  const { status } = spawnSync(process.execPath, [vitest, "run", "--project", "e2e", "--retry", "0", "--no-file-parallelism", ...files], {
    stdio: "inherit",
    env: { ...process.env, CORACLE_KILLS: kills },
  });
  if (status !== 0) process.exit(status ?? 1);
  process.stdout.write(`green ${time} times of ${times}\n`);
}
