import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const clock = fileURLToPath(new URL("../../shared/clock.ts", import.meta.url));
const inProcess = (code: string) =>
  run(process.execPath, ["--input-type=module", "-e", `import { sleep, systemClock } from ${JSON.stringify(clock)};\n${code}`]);

it("keeps a process alive that sleeps, and none that has only something to do later", async () => {
  expect((await inProcess('await sleep(systemClock, 20); console.log("awake");')).stdout).toBe("awake\n");
  expect((await inProcess('systemClock.after(20, () => console.log("done"));')).stdout).toBe("");
});
