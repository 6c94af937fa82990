import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { createApiClient, type Whoami } from "../api-client.ts";
import { findServer, type Server, saveServer } from "../configuration.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../exit-codes.ts";
import { outputOption } from "../options.ts";
import { type OutputFormat, printOne } from "../output.ts";
import { note, openApi } from "../session.ts";

interface LoginOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly ca?: string;
}

export function addLoginCommands(program: Command, context: CliContext): void {
  program
    .command("login")
    .description("store a server and an API key for later calls; with --data-dir those of an embedded host")
    .option("--url <url>", "the server, as in https://127.0.0.1:7443")
    .option("--api-key <key>", "the API key; - reads it from stdin, so that it is in no history")
    .option("--ca <file>", "the server's certificate authority, when it is not a public one")
    .action(async (options: LoginOptions, command: Command) => {
      const server = await serverOf(context, options, command.optsWithGlobals<{ dataDir?: string }>().dataDir);
      const me = await (await createApiClient(context, server)).get<Whoami>("/v1/whoami");
      const path = await saveServer(context, server);
      note(context, `logged in to ${server.url} as ${me.key.name} of tenant ${me.tenant}; stored in ${path}`);
    });

  program
    .command("whoami")
    .description("show whose key is in use and what it may do")
    .addOption(outputOption())
    .action(async ({ output }: { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      const me = await api.get<Whoami>("/v1/whoami");
      const view = {
        kind: "tenant",
        name: ({ tenant }: Whoami) => tenant,
        columns: [
          { title: "TENANT", cell: ({ tenant }: Whoami) => tenant },
          { title: "KEY", cell: ({ key }: Whoami) => key.name },
          { title: "SCOPES", cell: ({ key }: Whoami) => key.scopes.join(",") },
          { title: "SERVER", cell: () => api.server.url },
          { title: "FROM", cell: () => api.server.source },
        ],
      };
      await printOne(context, output, view, me);
    });
}

async function serverOf(context: CliContext, { url, apiKey, ca }: LoginOptions, dataDirectory: string | undefined): Promise<Server> {
  if (url === undefined && apiKey === undefined) return findServer(context, dataDirectory);
  if (url === undefined || apiKey === undefined) throw new CliError("usage", "--url and --api-key go together");
  if (!/^https?:\/\/[^/]+\/?$/.test(url)) throw new CliError("usage", `not a server's URL: ${url}`);
  const key = apiKey === "-" ? (await context.readStdin()).trim() : apiKey;
  const caPem = ca === undefined ? undefined : await readCa(resolve(context.workingDirectory, ca));
  return { url: url.replace(/\/$/, ""), apiKey: key, ca: caPem, source: "--url", dataDirectory: undefined };
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliError("usage", `${path} cannot be read`, error);
  }
}
