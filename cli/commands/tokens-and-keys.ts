import { type Command, Option } from "commander";
import type { ApiKey, CreatedApiKey, CreatedJoinToken, JoinToken, Pool } from "../api-client.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../exit-codes.ts";
import { choosePool } from "../lookup.ts";
import { collect, outputOption, parseCount, parseDuration } from "../options.ts";
import { type OutputFormat, printList } from "../output.ts";
import { note, openApi } from "../session.ts";
import { apiKeyView, joinTokenView } from "../views.ts";

interface Place {
  readonly pool?: string;
  readonly cluster?: string;
}

/** A secret goes to stdout alone, so that a script can take it; what is said about it goes to stderr. */
async function printSecret(context: CliContext, output: OutputFormat, secret: string, all: object, said: string): Promise<void> {
  if (output === "json" || output === "yaml") {
    const text = output === "json" ? JSON.stringify(all, undefined, 2) : (await import("yaml")).stringify(all).trimEnd();
    context.stdout.write(`${text}\n`);
    return;
  }
  note(context, said);
  context.stdout.write(`${secret}\n`);
}

export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command("token").description("tokens by which machines join a pool");
  const inPlace = (command: Command) =>
    command.option("--pool <pool>", "the pool, by name or id").option("--cluster <cluster>", "the pool that this cluster draws on");

  inPlace(token.command("create"))
    .description("make a join token; it is shown once")
    .addOption(new Option("--ttl <duration>", "how long it is good").argParser(parseDuration).default(86_400, "24h"))
    .addOption(new Option("--max-uses <count>", "how many machines may join by it; default: any number").argParser(parseCount))
    .addOption(outputOption())
    .action(async (options: Place & { ttl: number; maxUses?: number; output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      const pool = await choosePool(api, options);
      const body = { ttlSeconds: options.ttl, ...(options.maxUses !== undefined && { maxUses: options.maxUses }) };
      const made = await api.post<CreatedJoinToken>(`/v1/pools/${pool.id}/join-tokens`, body);
      const said = `join token ${made.id} of pool ${pool.name}, shown this once; on the machine: coracle node join --server ${api.server.url} --token …`;
      await printSecret(context, options.output, made.token, made, said);
    });

  inPlace(token.command("list").alias("ls"))
    .description("list join tokens, without the tokens themselves")
    .addOption(outputOption())
    .action(async ({ output, ...place }: Place & { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      const some = place.pool !== undefined || place.cluster !== undefined;
      const pools = some ? [await choosePool(api, place)] : await api.list<Pool>("/v1/pools");
      const tokens: JoinToken[] = [];
      for (const { id } of pools) tokens.push(...(await api.list<JoinToken>(`/v1/pools/${id}/join-tokens`)));
      await printList(context, output, joinTokenView(context.clock.now()), tokens);
    });

  inPlace(token.command("revoke <id>"))
    .description("revoke a join token; machines that joined by it stay")
    .action(async (id: string, options: Place, command: Command) => {
      const api = await openApi(context, command);
      const some = options.pool !== undefined || options.cluster !== undefined;
      const pools = some ? [await choosePool(api, options)] : await api.list<Pool>("/v1/pools");
      for (const pool of pools) {
        const tokens = await api.list<JoinToken>(`/v1/pools/${pool.id}/join-tokens`);
        if (!tokens.some((token) => token.id === id)) continue;
        await api.remove(`/v1/pools/${pool.id}/join-tokens/${id}`);
        context.stdout.write(`join-token/${id} revoked\n`);
        return;
      }
      throw new CliError("notFound", `there is no join token "${id}"`);
    });
}

export function addKeyCommands(program: Command, context: CliContext): void {
  const key = program.command("key").description("API keys of the tenant");

  key
    .command("create <name>")
    .description("make an API key that may do no more than yours; it is shown once")
    .addOption(
      new Option("-s, --scope <scope>", "what it may do, such as clusters:write; may be repeated").argParser(collect).makeOptionMandatory(),
    )
    .addOption(new Option("--ttl <duration>", "how long it is good; default: for ever").argParser(parseDuration))
    .addOption(outputOption())
    .action(async (name: string, options: { scope: string[]; ttl?: number; output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      const expiresAt = options.ttl === undefined ? undefined : new Date(context.clock.now() + options.ttl * 1000).toISOString();
      const made = await api.post<CreatedApiKey>("/v1/keys", { name, scopes: options.scope, ...(expiresAt && { expiresAt }) });
      await printSecret(context, options.output, made.key, made, `API key ${made.id}, shown this once`);
    });

  key
    .command("list")
    .alias("ls")
    .description("list API keys, without the keys themselves")
    .addOption(outputOption())
    .action(async ({ output }: { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      await printList(context, output, apiKeyView(context.clock.now()), await api.list<ApiKey>("/v1/keys"));
    });

  key
    .command("revoke <id>")
    .description("revoke an API key at once")
    .action(async (id: string, _: object, command: Command) => {
      await (await openApi(context, command)).remove(`/v1/keys/${encodeURIComponent(id)}`);
      context.stdout.write(`api-key/${id} revoked\n`);
    });
}
