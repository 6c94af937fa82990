import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { containerVariables } from "../../functions/names/container-variables.ts";
import { variables } from "../../functions/names/variables.ts";
import { readyUrl } from "../e2e/processes.ts";
import { freePort } from "../free-port.ts";
import { findFunction, readVariables, setVariable } from "./aws-calls.ts";
import { awsEnvironment } from "./deployment.ts";
import { pathWithNode } from "./emulator.ts";

/** A server process over the deployed table, to which the deployed functions send whoever wants a connection to a node. */
export interface ServerBeside {
  /** Of its certificate. */
  readonly caPem: string;
  stop(): Promise<void>;
}

const main = join(import.meta.dirname, "..", "..", "server", "main.mjs");
const readyWithinMs = 180_000;

/** Started as `infra/constructs/watch-service.ts` says, with what the stack gave to the cluster API's function. */
export async function startServerBeside(endpoint: string, scratch: string): Promise<ServerBeside> {
  const clusterApi = await findFunction(endpoint, "ClusterApi");
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const caFile = join(scratch, "installation-ca.crt");
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      PATH: pathWithNode(),
      ...awsEnvironment(endpoint),
      ...(await readVariables(endpoint, clusterApi)),
      ...{ [containerVariables.surfaces]: "cluster", [containerVariables.loops]: "off", [containerVariables.port]: String(port) },
      ...{ [containerVariables.caFile]: caFile, [variables.connectionsUrl]: url },
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    await readyUrl(child, readyWithinMs);
    await setVariable(endpoint, clusterApi, variables.connectionsUrl, url);
    return { caPem: await readFile(caFile, "utf8"), stop: () => end(child) };
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
