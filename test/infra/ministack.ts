import { fetchMinistack } from "../contract/ministack.ts";
import { freePort } from "../free-port.ts";
import { type Emulator, lambdaEnvironment, startEmulator } from "./emulator.ts";

/** The emulator that CI runs: small, and it speaks LocalStack's protocol. */
export async function startMinistack(logFile: string): Promise<Emulator> {
  const { need, program } = await fetchMinistack();
  if (need.missing !== undefined) throw new Error(need.missing);
  const port = await freePort();
  return startEmulator({
    name: need.name,
    port,
    command: program,
    args: [],
    environment: {
      GATEWAY_PORT: String(port),
      BIND_HOST: "127.0.0.1",
      ...lambdaEnvironment(),
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    },
    logFile,
    retries: false,
    bindWithinMs: 1000,
    startSeconds: 120,
  });
}
