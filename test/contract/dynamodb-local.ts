import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { findProgram, type Need } from "../e2e/needs.ts";
import { freePort } from "../free-port.ts";

/** Amazon's own emulator, as this package carries it; its licence lets it be used, not passed on. */
const name = "amplify-dynamodb-simulator";
const version = "2.9.30";
const startSeconds = 120;

const run = promisify(execFile);

/** The emulator's folder, fetched from the registry on first use, and what is missing where that cannot be. */
export async function fetchDynamoDbLocal(): Promise<{ need: Need; folder: string }> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "coracle");
  const folder = join(cache, `${name}-${version}`);
  const need = (missing: string | undefined) => ({ need: { name: "DynamoDB Local", missing }, folder: join(folder, "emulator") });
  for (const program of ["java", "npm", "tar"]) if (!findProgram(program)) return need(`no ${program} on the PATH`);
  if (existsSync(folder)) return need(undefined);
  try {
    await mkdir(cache, { recursive: true });
    const scratch = await mkdtemp(join(cache, "fetch-"));
    const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", scratch, `${name}@${version}`], { cwd: scratch });
    await run("tar", ["-xzf", join(scratch, stdout.trim()), "-C", scratch]);
    // Another run may have been faster: both have the same files.
    await rename(join(scratch, "package"), folder).catch(() => undefined);
    await rm(scratch, { recursive: true, force: true });
    return need(existsSync(folder) ? undefined : `${name} could not be unpacked`);
  } catch (error) {
    return need(`${name}@${version} could not be fetched: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
  }
}

export interface DynamoEmulator {
  readonly endpoint: string;
  /** A client that does not retry by itself. */
  client(options?: { maxAttempts?: number }): DynamoDBClient;
  stop(): Promise<void>;
}

export async function startDynamoDbLocal(folder: string): Promise<DynamoEmulator> {
  const port = await freePort();
  const options = ["-Xmx512m", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"];
  const server = spawn("java", [...options, "-inMemory", "-disableTelemetry", "-port", String(port)], { cwd: folder, stdio: "ignore" });
  return awaitDynamo(server, `http://127.0.0.1:${port}`);
}

export const dynamoClient = (endpoint: string, { maxAttempts = 1 }: { maxAttempts?: number } = {}): DynamoDBClient =>
  new DynamoDBClient({ endpoint, region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" }, maxAttempts });

/** Waits until the process answers there. */
export async function awaitDynamo(server: ChildProcess, endpoint: string): Promise<DynamoEmulator> {
  const stop = () => stopProcess(server);
  const probe = dynamoClient(endpoint);
  for (const end = Date.now() + startSeconds * 1000; ; await sleep(100)) {
    if (await answers(probe)) break;
    if (Date.now() < end && server.exitCode === null) continue;
    await stop();
    throw new Error("the emulator did not start");
  }
  probe.destroy();
  return { endpoint, client: (options) => dynamoClient(endpoint, options), stop };
}

async function answers(client: DynamoDBClient): Promise<boolean> {
  try {
    await client.send(new ListTablesCommand({}));
    return true;
  } catch {
    return false;
  }
}

async function stopProcess(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGKILL");
  await ended;
}
