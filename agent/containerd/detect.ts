import { stat } from "node:fs/promises";
import { type RunCommand, runCommand } from "../network/run-command.ts";
import { defaultEndpoint, socketPathOf } from "./endpoint.ts";

/** Longer than a healthy runtime ever needs; a start of the agent must not hang on a dead one. */
const detectTimeoutMs = 1_000;

export type Detection =
  | { readonly kind: "usable"; readonly endpoint: string; readonly version: string }
  | { readonly kind: "absent"; readonly reason: string };

/** What the network of a node with pods drives; listing shows whether it may. */
const networkPrograms: readonly (readonly [program: string, ...args: string[]])[] = [
  ["nft", "list", "tables"],
  ["ip", "link", "show", "dev", "lo"],
];

/**
 * Is there a container runtime that speaks CRI v1? `endpoint` is `CONTAINER_RUNTIME_ENDPOINT`, when it is set. Answers within about a second and
 * never throws. Pods of containerd need services, so the programs and the rights for those are looked for too. gRPC is loaded only when the socket exists.
 */
export async function detectContainerd(endpoint: string = defaultEndpoint, run: RunCommand = runCommand): Promise<Detection> {
  const path = socketPathOf(endpoint);
  const found = await stat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return { kind: "absent", reason: `no socket at ${path}` };
  const [{ createCriClient }, { versionResponse }] = await Promise.all([import("./cri-client.ts"), import("./cri-messages.ts")]);
  const cri = createCriClient(endpoint);
  try {
    const answer = await cri.call("RuntimeService", "Version", {}, versionResponse, { timeoutMs: detectTimeoutMs });
    const lacking = await missingProgram(run);
    if (lacking !== undefined) return { kind: "absent", reason: lacking };
    return { kind: "usable", endpoint, version: `${answer.runtime_name}://${answer.runtime_version}` };
  } catch (error) {
    return { kind: "absent", reason: `${path} does not answer: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    cri.close();
  }
}

async function missingProgram(run: RunCommand): Promise<string | undefined> {
  for (const [program, ...args] of networkPrograms) {
    const result = await run(program, args).catch(() => undefined);
    if (result === undefined) return `the program ${program} is absent, which pod networks need`;
    if (result.exitCode !== 0) return `${program} may not be used: ${result.stderr.trim()}`;
  }
  return undefined;
}
