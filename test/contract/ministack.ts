import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram, type Need } from "../e2e/needs.ts";
import { freePort } from "../free-port.ts";
import { awaitDynamo, type DynamoEmulator } from "./dynamodb-local.ts";

/** A small emulator that speaks LocalStack's protocol (MIT). */
const version = "1.5.33";
const run = promisify(execFile);

/** The emulator's program in a Python environment of its own, made on first use, and what is missing where that cannot be. */
export async function fetchMinistack(): Promise<{ need: Need; program: string }> {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "coracle", `ministack-${version}`);
  const program = join(folder, "bin", "ministack");
  const need = (missing: string | undefined) => ({ need: { name: `ministack ${version}`, missing }, program });
  if (existsSync(program)) return need(undefined);
  if (!findProgram("python3")) return need("no python3 on the PATH");
  try {
    await mkdir(folder, { recursive: true });
    await run("python3", ["-m", "venv", folder]);
    await run(join(folder, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", `ministack==${version}`]);
    return need(existsSync(program) ? undefined : "ministack could not be installed");
  } catch (error) {
    return need(`ministack ${version} could not be fetched: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
  }
}

export async function startMinistack(program: string): Promise<DynamoEmulator> {
  const port = await freePort();
  const environment = { ...process.env, GATEWAY_PORT: String(port), BIND_HOST: "127.0.0.1", LOG_LEVEL: "ERROR", SERVICES: "dynamodb" };
  return awaitDynamo(spawn(program, [], { env: environment, stdio: "ignore" }), `http://127.0.0.1:${port}`);
}
