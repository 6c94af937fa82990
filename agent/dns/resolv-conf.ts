/** The parts of a resolv.conf (resolv.conf(5)). */
export interface ResolverConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** The last `search` (or `domain`) line counts, as resolv.conf(5) says; unknown lines are skipped. */
export function parseResolvConf(text: string): ResolverConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  const options: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] !== undefined) servers.push(values[0]);
    if (keyword === "search" || keyword === "domain") searches = values;
    if (keyword === "options") options.push(...values);
  }
  return { servers, searches, options };
}

/** The text of a resolv.conf, for a runtime that writes the file itself. */
export function renderResolvConf({ servers, searches, options }: ResolverConfig): string {
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.push(`search ${searches.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return `${lines.join("\n")}\n`;
}
