import { join } from "node:path";
import { pythonEnvironment } from "./cache.ts";
import { type Emulator, freePort, lambdaEnvironment, startEmulator } from "./emulator.ts";

const version = "1.5.33";

/** The emulator that CI runs: small, and it speaks LocalStack's protocol. */
export async function startMinistack(logFile: string): Promise<Emulator> {
  const bin = await pythonEnvironment(`ministack-${version}`, "python3", [`ministack==${version}`]);
  const port = await freePort();
  return startEmulator({
    name: `ministack ${version}`,
    port,
    command: join(bin, "ministack"),
    args: [],
    environment: {
      GATEWAY_PORT: String(port),
      ...lambdaEnvironment(),
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    },
    logFile,
    retries: false,
    startSeconds: 60,
  });
}
