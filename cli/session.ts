import type { Command } from "commander";
import { type ApiClient, createApiClient } from "./api-client.ts";
import { findServer } from "./configuration.ts";
import type { CliContext } from "./context.ts";

/** The client for the installation that this call means. */
export async function openApi(context: CliContext, command: Command): Promise<ApiClient> {
  const { dataDir } = command.optsWithGlobals<{ dataDir?: string }>();
  return createApiClient(context, await findServer(context, dataDir));
}

/** The text a person is told beside the result; quiet for scripts. */
export function note({ stderr }: CliContext, text: string): void {
  stderr.write(`${text}\n`);
}
