import { type Command, Option } from "commander";
import type { Pool } from "../api-client.ts";
import type { CliContext } from "../context.ts";
import { findPool } from "../lookup.ts";
import { collectTaint, labelOption, labelPatchOption, outputOption, parseCount, type Taint } from "../options.ts";
import { type OutputFormat, printList, printOne } from "../output.ts";
import { openApi } from "../session.ts";
import { poolView } from "../views.ts";

interface ChangeOptions {
  readonly size?: number;
  readonly name?: string;
  readonly runtime?: string;
  readonly label?: Record<string, string | null>;
  readonly taint?: Taint[];
  readonly clearTaints?: true;
  readonly output: OutputFormat;
}

const runtimeOption = () =>
  new Option("--runtime <runtime>", "what runs containers there").choices(["auto", "containerd", "process", "hollow"]);
const sizeOption = () => new Option("-n, --size <count>", "machines that the host keeps in it").argParser(parseCount);
const taintOption = () =>
  new Option("--taint <key[=value]:effect>", "a taint for each of its nodes; may be repeated").argParser(collectTaint);

export function addPoolCommands(program: Command, context: CliContext): void {
  const pool = program.command("pool").description("pools of machines that clusters draw on");
  const view = () => poolView(context.clock.now());

  pool
    .command("create <name>")
    .description("create a pool")
    .addOption(sizeOption())
    .addOption(runtimeOption())
    .addOption(labelOption("a label for each of its nodes; may be repeated"))
    .addOption(taintOption())
    .addOption(outputOption())
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const api = await openApi(context, command);
      await printOne(context, options.output, view(), await api.post<Pool>("/v1/pools", { name, ...changesOf(options) }));
    });

  pool
    .command("list")
    .alias("ls")
    .description("list pools")
    .addOption(outputOption())
    .action(async ({ output }: { output: OutputFormat }, command: Command) => {
      const api = await openApi(context, command);
      await printList(context, output, view(), await api.list<Pool>("/v1/pools"));
    });

  pool
    .command("get <pool>")
    .description("show a pool, by name or id")
    .addOption(outputOption())
    .action(async (name: string, { output }: { output: OutputFormat }, command: Command) => {
      await printOne(context, output, view(), await findPool(await openApi(context, command), name));
    });

  pool
    .command("update <pool>")
    .alias("resize")
    .description("change a pool's size, name, runtime, labels or taints")
    .addOption(sizeOption())
    .option("--name <name>", "its new name")
    .addOption(runtimeOption())
    .addOption(labelPatchOption())
    .addOption(taintOption())
    .option("--clear-taints", "take all its taints away")
    .addOption(outputOption())
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const api = await openApi(context, command);
      const { id } = await findPool(api, name);
      await printOne(context, options.output, view(), await api.patch<Pool>(`/v1/pools/${id}`, changesOf(options)));
    });

  pool
    .command("delete <pool>")
    .description("delete a pool that no cluster draws on and no machine is in")
    .action(async (name: string, _: object, command: Command) => {
      const api = await openApi(context, command);
      const found = await findPool(api, name);
      await api.remove(`/v1/pools/${found.id}`);
      context.stdout.write(`pool/${found.name} deleted\n`);
    });
}

function changesOf({ size, name, runtime, label, taint, clearTaints }: ChangeOptions): object {
  return {
    ...(size !== undefined && { size }),
    ...(name !== undefined && { name }),
    ...(runtime !== undefined && { runtime }),
    ...(label && { labels: label }),
    ...((taint || clearTaints) && { taints: taint ?? [] }),
  };
}
