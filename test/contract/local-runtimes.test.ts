import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHollowRuntime } from "../../agent/hollow/hollow-runtime.ts";
import { createProcessRuntime } from "../../agent/process/process-runtime.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { runtimeContract } from "./runtime.contract.ts";

runtimeContract("hollow", async () => ({
  open: async () => createHollowRuntime({ nodeIndex: 0, clock: systemClock }),
  image: "any",
}));

runtimeContract("process", async () => {
  const directory = await mkdtemp(join(tmpdir(), "process-"));
  return {
    open: () => createProcessRuntime({ directory, hostAddresses: ["127.0.0.1"], clock: systemClock, log: silentLog }),
    image: "unused",
    close: () => rm(directory, { recursive: true, force: true }),
  };
});
