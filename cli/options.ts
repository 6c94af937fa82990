import { InvalidArgumentError, Option } from "commander";
import { type OutputFormat, outputFormats } from "./output.ts";

/** Options that several commands share, and how their values are read. */
export const outputOption = () =>
  new Option("-o, --output <format>", "how to print").choices(outputFormats).default("table" satisfies OutputFormat);

export const timeoutOption = () => new Option("--timeout <duration>", "how long to wait").argParser(parseDuration).default(300, "5m");

export const labelOption = (description: string) =>
  new Option("-l, --label <key=value>", description).argParser(collectLabel).default({}, "none");

export const labelPatchOption = () =>
  new Option("-l, --label <key=value|key->", "set a label, or take it away with a trailing minus; may be repeated")
    .argParser(collectLabelPatch)
    .default({}, "none");

/** `90`, `30s`, `10m`, `2h`, `7d` in seconds. */
export function parseDuration(text: string): number {
  const [, number = "", unit = "s"] = /^(\d{1,9})(s|m|h|d)?$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit];
  if (number === "" || seconds === undefined) throw new InvalidArgumentError("Expected a duration such as 30s, 10m, 2h or 7d.");
  return Number(number) * seconds;
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Expected a whole number from 0 on.");
  return Number(text);
}

export function collectLabel(text: string, former: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, key = "", value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (value === undefined) throw new InvalidArgumentError("Expected key=value.");
  return { ...former, [key]: value };
}

export function collectLabelPatch(text: string, former: Readonly<Record<string, string | null>> = {}): Record<string, string | null> {
  return /^[^=]+-$/.test(text) ? { ...former, [text.slice(0, -1)]: null } : { ...former, ...collectLabel(text) };
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** As kubectl writes them: `key=value:NoSchedule` or `key:NoExecute`. */
export function collectTaint(text: string, former: readonly Taint[] = []): Taint[] {
  const [, key = "", value, effect] = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text) ?? [];
  if (effect === undefined) throw new InvalidArgumentError("Expected key[=value]:NoSchedule, PreferNoSchedule or NoExecute.");
  return [...former, { key, ...(value !== undefined && { value }), effect }];
}

export const collect = (text: string, former: readonly string[] = []): string[] => [...former, text];
