import { writeFileSync } from "node:fs";
import { endBySignal } from "../signals.ts";
import { startContainer } from "./host.ts";
import { containerPorts } from "./ports.ts";
import { readContainerSettings } from "./settings.ts";

/** Runs a server process over a table until it is told to stop. */
export async function run(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  try {
    const settings = readContainerSettings(environment);
    const ports = containerPorts(environment);
    const container = await startContainer(settings, ports);
    if (settings.caFile !== undefined) writeFileSync(settings.caFile, container.caPem);
    process.stdout.write(`Coracle is ready on ${container.url} (${process.uptime().toFixed(1)} s)\n`);
    endBySignal(() => container.close(), ports.log);
  } catch (error) {
    process.stderr.write(`coracle: ${wordsOf(error)}\n`);
    process.exit(1);
  }
}

/** With its causes: whoever starts it has to know which setting, secret or table is at fault. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${wordsOf(error.cause)}`;
}
