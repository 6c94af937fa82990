import { systemClock } from "../shared/clock.ts";
import { createJsonLog } from "../shared/telemetry/log.ts";
import { startHost } from "./host.ts";
import { readSettings } from "./settings.ts";
import { endBySignal } from "./signals.ts";

/** Runs the embedded host until it is told to stop. */
export async function run(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  try {
    const settings = readSettings(environment);
    const log = createJsonLog(
      (line) => process.stderr.write(line),
      () => Date.now(),
      settings.logLevel,
    );
    const host = await startHost(settings, systemClock, log);
    const seconds = process.uptime().toFixed(1);
    process.stdout.write(`Coracle is ready on ${host.url} (${seconds} s)

  export KUBECONFIG=${host.kubeconfig}
  kubectl get nodes
  npx coracle cluster create dev

State: ${settings.dataDirectory}   API key: ${host.admin}   Stop: Ctrl-C
`);
    host.startAgents().catch((error: unknown) => log.error("local agents did not start", error));
    endBySignal(() => host.close(), log);
  } catch (error) {
    process.stderr.write(`coracle: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
