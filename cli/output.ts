import type { CliContext } from "./context.ts";

export const outputFormats = ["table", "wide", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface Column<T> {
  readonly title: string;
  readonly cell: (item: T) => string;
  /** Only with `-o wide`. */
  readonly wide?: true;
}

/** How a kind of resource is shown. */
export interface View<T> {
  /** As in `cluster/dev`, for `-o name`. */
  readonly kind: string;
  readonly name: (item: T) => string;
  readonly columns: readonly Column<T>[];
}

export async function printList<T>(context: CliContext, format: OutputFormat, view: View<T>, items: readonly T[]): Promise<void> {
  if (format === "json" || format === "yaml") return print(context, await serialize(format, { items }));
  if (format === "name") return print(context, items.map((item) => `${view.kind}/${view.name(item)}\n`).join(""));
  if (items.length === 0) return context.stderr.write(`No ${view.kind}s.\n`);
  const columns = view.columns.filter(({ wide }) => !wide || format === "wide");
  print(context, renderTable([columns.map(({ title }) => title), ...items.map((item) => columns.map(({ cell }) => cell(item)))]));
}

export async function printOne<T>(context: CliContext, format: OutputFormat, view: View<T>, item: T): Promise<void> {
  if (format === "json" || format === "yaml") print(context, await serialize(format, item));
  else await printList(context, format, view, [item]);
}

async function serialize(format: "json" | "yaml", value: unknown): Promise<string> {
  if (format === "json") return `${JSON.stringify(value, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(value);
}

const print = (context: CliContext, text: string): void => context.stdout.write(text);
const gap = "   ";

/** Columns as kubectl prints them: no borders, nothing after the last cell. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(gap);
  return rows.map((row) => `${line(row).trimEnd()}\n`).join("");
}

/** The age of a time as kubectl shows it (apimachinery `duration.HumanDuration`, in short). */
export function age(timestamp: string | null, nowMs: number): string {
  if (timestamp === null) return "<none>";
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(timestamp)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 600) return seconds % 60 === 0 ? `${seconds / 60}m` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  if (seconds < 10_800) return `${Math.floor(seconds / 60)}m`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `${days}d` : `${Math.floor(days / 365)}y`;
}

/** The time left until then: `59m`, `<expired>`, `never`. */
export function until(timestamp: string | null, nowMs: number): string {
  if (timestamp === null) return "never";
  return Date.parse(timestamp) <= nowMs ? "<expired>" : age(new Date(nowMs).toISOString(), Date.parse(timestamp));
}

export const pairs = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",") || "<none>";
