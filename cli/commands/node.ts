import { type Command, Option } from "commander";
import type { ApiClient, CreatedJoinToken, Pool, PoolNode } from "../api-client.ts";
import { findServer } from "../configuration.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../exit-codes.ts";
import { joinNodes } from "../join-nodes.ts";
import { choosePool } from "../lookup.ts";
import { outputOption, parseCount, timeoutOption } from "../options.ts";
import { type OutputFormat, printList } from "../output.ts";
import { note, openApi } from "../session.ts";
import { nodeView } from "../views.ts";
import { waitFor } from "../wait.ts";

interface Place {
  readonly pool?: string;
  readonly cluster?: string;
}

interface JoinOptions extends Place {
  readonly token?: string;
  readonly server?: string;
  readonly ca?: string;
  readonly name?: string;
  readonly runtime: "auto" | "containerd" | "process" | "hollow";
  readonly count: number;
  readonly stateDir?: string;
  readonly directRoutes?: boolean;
}

/** Long enough for a fleet to join one after the other. */
const mintedTokenSeconds = 900;

export function addNodeCommands(program: Command, context: CliContext): void {
  const node = program.command("node").description("machines of a pool");
  const inPlace = (command: Command) =>
    command.option("--pool <pool>", "the pool, by name or id").option("--cluster <cluster>", "the pool that this cluster draws on");

  inPlace(node.command("join"))
    .description("run the node agent on this machine until it is stopped")
    .option("--token <token>", "a join token; without one the API key makes one for this purpose")
    .option("--server <url>", "the server, when there is no login on this machine")
    .option("--ca <file>", "the server's certificate authority")
    .option("--name <name>", "the node's name; default: the host name")
    .addOption(
      new Option("--runtime <runtime>", "what runs containers here").choices(["auto", "containerd", "process", "hollow"]).default("auto"),
    )
    .addOption(new Option("--count <count>", "this many hollow nodes in one process").argParser(parseCount).default(1))
    .option("--state-dir <directory>", "where the agent keeps its credential and its pods' files")
    .option("--direct-routes", "reach pods on machines of the same network segment by plain routes, not VXLAN; clouds do not carry them")
    .action(async (options: JoinOptions, command: Command) => {
      if (options.count !== 1 && options.runtime !== "hollow") throw new CliError("usage", "--count goes with --runtime hollow");
      if (options.token !== undefined && options.server !== undefined) {
        await joinNodes(context, { ...options, token: options.token, serverUrl: options.server, caFile: options.ca, caPem: undefined });
        return;
      }
      const { dataDir } = command.optsWithGlobals<{ dataDir?: string }>();
      const server = await findServer(context, dataDir);
      const token = options.token ?? (await mintToken(await openApi(context, command), options));
      await joinNodes(context, { ...options, token, serverUrl: options.server ?? server.url, caFile: options.ca, caPem: server.ca });
    });

  inPlace(node.command("list").alias("ls"))
    .description("list the machines of a pool, or of all")
    .addOption(outputOption())
    .action(async ({ output, ...place }: Place & { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      const some = place.pool !== undefined || place.cluster !== undefined;
      const pools = some ? [await choosePool(api, place)] : await api.list<Pool>("/v1/pools");
      const nodes: PoolNode[] = [];
      for (const { id } of pools) nodes.push(...(await api.list<PoolNode>(`/v1/pools/${id}/nodes`)));
      await printList(context, output, nodeView(context.clock.now()), nodes);
    });

  inPlace(node.command("drain <node>"))
    .description("evict the pods of a machine and give it no new ones")
    .option("--no-wait", "do not wait until its pods are gone")
    .addOption(timeoutOption())
    .action(async (name: string, options: Place & { wait: boolean; timeout: number }, command: Command) => {
      const api = await openApi(context, command);
      const path = await nodePath(api, name, options);
      await api.post(`${path}/drain`);
      if (options.wait) {
        await waitFor(context, { what: `draining node ${name}`, timeoutSeconds: options.timeout }, async () =>
          (await api.get<PoolNode>(path)).state === "drained" ? true : undefined,
        );
      }
      context.stdout.write(`node/${name} ${options.wait ? "drained" : "is being drained"}\n`);
    });

  inPlace(node.command("uncordon <node>"))
    .description("take a drained machine back into service")
    .action(async (name: string, options: Place, command: Command) => {
      const api = await openApi(context, command);
      await api.post(`${await nodePath(api, name, options)}/uncordon`);
      context.stdout.write(`node/${name} uncordoned\n`);
    });

  inPlace(node.command("delete <node>"))
    .description("take a machine out of its pool")
    .action(async (name: string, options: Place, command: Command) => {
      const api = await openApi(context, command);
      await api.remove(await nodePath(api, name, options));
      context.stdout.write(`node/${name} deleted\n`);
    });

  async function mintToken(api: ApiClient, options: JoinOptions): Promise<string> {
    const pool = await choosePool(api, options);
    const body = { ttlSeconds: mintedTokenSeconds, maxUses: options.count };
    const { token } = await api.post<CreatedJoinToken>(`/v1/pools/${pool.id}/join-tokens`, body);
    note(context, `joining pool ${pool.name}`);
    return token;
  }
}

/** Without a pool the node is looked for in all of them. @throws CliError `notFound`, `usage` */
async function nodePath(api: ApiClient, name: string, place: Place): Promise<string> {
  const some = place.pool !== undefined || place.cluster !== undefined;
  const pools = some ? [await choosePool(api, place)] : await api.list<Pool>("/v1/pools");
  const found: string[] = [];
  for (const { id } of pools) {
    const nodes = await api.list<PoolNode>(`/v1/pools/${id}/nodes`);
    if (nodes.some((node) => node.name === name)) found.push(`/v1/pools/${id}/nodes/${encodeURIComponent(name)}`);
  }
  const [path] = found;
  if (path === undefined) throw new CliError("notFound", `there is no node "${name}"`);
  if (found.length > 1) throw new CliError("usage", `several pools have a node "${name}": say --pool or --cluster`);
  return path;
}
