import { type Command, InvalidArgumentError, Option } from "commander";
import type { Usage } from "../api-client.ts";
import type { CliContext } from "../context.ts";
import { outputOption, parseDuration } from "../options.ts";
import { type OutputFormat, printList } from "../output.ts";
import { openApi } from "../session.ts";
import { usageView } from "../views.ts";

interface UsageOptions {
  readonly from?: string;
  readonly to?: string;
  readonly granularity: string;
  readonly groupBy: string;
  readonly output: OutputFormat;
}

export function addUsageCommand(program: Command, context: CliContext): void {
  const parseMoment = (text: string): string => momentOf(text, context.clock.now());
  program
    .command("usage")
    .description("show what was used: machines, pods, requests, watches")
    .addOption(new Option("--from <time>", "periods from then on: a date, an RFC 3339 time, or so long ago, as 7d").argParser(parseMoment))
    .addOption(new Option("--to <time>", "periods before then; default: now").argParser(parseMoment))
    .addOption(new Option("--granularity <period>", "how long a period is").choices(["hour", "day"]).default("day"))
    .addOption(new Option("--group-by <what>", "what to add up").choices(["tenant", "cluster", "pool"]).default("cluster"))
    .addOption(outputOption())
    .action(async ({ from, to, granularity, groupBy, output }: UsageOptions, command: Command) => {
      const api = await openApi(context, command);
      const query = new URLSearchParams({ granularity, groupBy, ...(from !== undefined && { from }), ...(to !== undefined && { to }) });
      await printList(context, output, usageView, await api.list<Usage>(`/v1/usage?${query}`));
    });
}

function momentOf(text: string, nowMs: number): string {
  if (/^\d{1,9}[smhd]$/.test(text)) return new Date(nowMs - parseDuration(text) * 1000).toISOString();
  const atMs = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new InvalidArgumentError("Expected a date such as 2026-11-26, an RFC 3339 time, or a duration such as 7d.");
  return new Date(atMs).toISOString();
}
