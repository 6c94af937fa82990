import { readFile, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { hasCode, writePrivate } from "./configuration.ts";
import type { CliContext } from "./context.ts";
import { CliError } from "./exit-codes.ts";

interface NamedEntry {
  readonly name: string;
}

/** The lists of a kubeconfig that are merged by name (clientcmd's `Config` v1). */
const lists = ["clusters", "contexts", "users"] as const;

/** Where kubectl looks: the first file of KUBECONFIG, else `~/.kube/config`. */
export function kubeconfigPath({ environment, homeDirectory }: CliContext): string {
  const [first] = (environment.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  return first ?? join(homeDirectory, ".kube", "config");
}

/**
 * Puts the entries of `added` into the file, replacing those of the same name and leaving the rest as it is, comments included, and
 * makes its context the current one. @throws CliError when the file is no kubeconfig: it is left alone
 */
export async function mergeKubeconfig(context: CliContext, path: string, added: string): Promise<void> {
  const { isMap, parse, parseDocument } = await import("yaml");
  const incoming: Record<string, unknown> = parse(added);
  const target = await realpath(path).catch(() => path);
  const text = await readFile(target, "utf8").catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return "";
    throw new CliError("failure", `${path} cannot be read`, error);
  });
  const document = parseDocument(text === "" ? "apiVersion: v1\nkind: Config\n" : text);
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new CliError("failure", `${path} is not a kubeconfig: it was left as it is`);
  const former: unknown = document.toJS();
  for (const list of lists) {
    const kept = entries(former, list);
    for (const entry of entries(incoming, list)) {
      const at = kept.findIndex(({ name }) => name === entry.name);
      if (at >= 0) document.setIn([list, at], document.createNode(entry));
      else if (kept.length === 0) document.set(list, document.createNode([entry]));
      else document.addIn([list], document.createNode(entry));
    }
  }
  document.set("current-context", incoming["current-context"]);
  await writePrivate(target, document.toString(), context.uid());
}

function entries(config: unknown, list: (typeof lists)[number]): NamedEntry[] {
  const found: unknown =
    typeof config === "object" && config !== null ? Object.entries(config).find(([key]) => key === list)?.[1] : undefined;
  return Array.isArray(found) ? found.filter(isNamed) : [];
}

function isNamed(value: unknown): value is NamedEntry {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string";
}

/** Makes the command of an exec kubeconfig one that works from any directory: this very CLI, with the data directory it was found by. */
export async function withOwnCommand(kubeconfig: string, entry: string, dataDirectory: string | undefined): Promise<string> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(kubeconfig);
  const path = ["users", 0, "user", "exec"];
  document.setIn([...path, "command"], entry);
  if (dataDirectory !== undefined) {
    document.addIn([...path, "args"], "--data-dir");
    document.addIn([...path, "args"], dataDirectory);
  }
  return document.toString();
}
